"""Small ONNX files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str | None]


def write_pairs(
    path: Path, query: Shape, item: Shape, output: Shape, names: Sequence[str] = ("query_vector", "vector")
) -> Path:
    """The sum of the products: from two tensors of any declared shapes to one."""
    inputs = zip(names, (query, item), strict=True)
    nodes = [
        helper.make_node("Mul", list(names), ["product"]),
        helper.make_node("ReduceSum", ["product", "axes"], ["score"], keepdims=len(output) - 1),
    ]
    return _write(
        path,
        nodes,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, output)],
        {"axes": np.array([1])},
    )


def write_transformer(
    path: Path,
    dim: int,
    inputs: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids"),
    shape: Shape = ("batch", "length"),
    pooled: bool = False,
    output: str = "last_hidden_state",
) -> Path:
    """A row of a table for each token; nothing reads the other inputs. Pooled: their sum."""
    table = np.random.default_rng(0).normal(size=(10, dim)).astype(np.float32)
    nodes = [helper.make_node("Gather", ["table", inputs[0]], ["rows" if pooled else output])]
    if pooled:
        nodes.append(helper.make_node("ReduceSum", ["rows", "axes"], [output], keepdims=0))
    sizes = [shape[0], dim] if pooled else [*shape, dim]
    return _write(
        path,
        nodes,
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, sizes)],
        {"table": table} | ({"axes": np.array([1])} if pooled else {}),
    )


def _write(path: Path, nodes: list, inputs: list, outputs: list, weights: dict[str, np.ndarray]) -> Path:
    initializers = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
