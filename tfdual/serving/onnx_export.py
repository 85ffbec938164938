"""A tower as an ONNX file."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf

from tfdual._optional import require
from tfdual._quiet import quiet_stderr
from tfdual._typing import Tensor
from tfdual.schema import ColumnSchema, Schema

Columns = dict[str, Tensor]
OUTPUT = "embedding"
MOST_BYTES = 2**31 - 2**20  # a protocol buffer holds 2 GiB, and the graph needs a little of it


@runtime_checkable
class TwoSides(Protocol):
    """What encodes a query and an item: a `DualEncoder`, or a `DualEncoderBlock`."""

    def encode_query(self, inputs: Columns) -> Tensor:
        """Model-ready query columns -> `(batch, dim)`."""

    def encode_item(self, inputs: Columns) -> Tensor:
        """Model-ready item columns -> `(batch, dim)`."""


@runtime_checkable
class ReadsColumns(Protocol):
    """What knows its columns: a `Tower`, or a `DualEncoderBlock`."""

    @property
    def schema(self) -> Schema:
        """The model-ready columns."""


@runtime_checkable
class HasTowers(Protocol):
    """What has towers that know theirs: a `TwoTowerModel`."""

    towers: ReadsColumns


def export_onnx(
    model: Any,
    path: str | Path,
    side: Literal["query", "item"] | None = None,
    schema: Schema | None = None,
    opset: int | None = None,
    output: str = OUTPUT,
) -> Path:
    """Write one tower as ONNX: model-ready columns in, what a `Preprocessor` gives; the embedding out.

    The inputs are called as the columns that the tower reads, of any number of rows. Ids are `(batch,)`, vectors
    `(batch, width)`; id lists are `(batch, length)`, padded with 0, and so are their weights. The output is
    `embedding`, float32 `(batch, dim)`. Before the file gets its name, ONNX Runtime's answer to a few rows is compared
    with the tower's.

    Needs the extra `onnx`.

    Args:
        model: a `Tower`; or a model or block of two towers, with `side`.
        path: of the file.
        side: str. `"query"` or `"item"`, of two towers. Defaults to `None`: `model` is a tower.
        schema: Schema. The model-ready columns, `preprocessor.schema`. Defaults to `None`: those that the towers know.
        opset: int. The version of ONNX's operators. Defaults to `None`: tf2onnx's own choice, 15.
        output: str. What the output is called, e.g. `"score"` of a `DeepReranker`. Defaults to `"embedding"`.

    Returns:
        The path.

    Raises:
        ImportError: the extra is not installed.
        ValueError: a side is missing or too much; no schema is known; ONNX lacks an operator that some columns need,
            the message names both; the tables are over 2 GiB; the file answers otherwise than the tower.
        OSError: the file can't be written. Nothing is left behind.
    """
    onnx, runtime = require("onnx", extra="onnx"), require("onnxruntime", extra="onnx")
    converter = require("tf2onnx", extra="onnx")
    encode = _encoder(model, side)
    specs = {column.name: _spec(column) for column in _columns(model, schema)}
    with quiet_stderr():
        function = tf.function(lambda inputs: {output: _embedding(encode, inputs)}, input_signature=[specs])
        traced = function.get_concrete_function()
        held = sum(variable.shape.num_elements() * variable.dtype.size for variable in traced.graph.variables)
        if held > MOST_BYTES:
            raise ValueError(
                f"The tower holds {held / 2**30:.1f} GiB, and an ONNX file 2 at most. Make its tables smaller, or "
                "serve its SavedModel."
            )
        handlers: dict[str, tuple[Any, list]] = {"Erfc": (functools.partial(_erfc, converter), [])}
        graph, _ = converter.convert.from_function(
            function, input_signature=[specs], opset=opset, custom_op_handlers=handlers
        )
    _refuse_unknown(onnx, graph.graph)
    _name_inputs(graph.graph, specs)
    onnx.checker.check_model(graph)
    content = graph.SerializeToString()
    _compare(runtime.InferenceSession(content, providers=["CPUExecutionProvider"]), function, specs)
    return _write(Path(path), content)


def _encoder(model: Any, side: str | None) -> Callable[[Columns], Tensor]:
    if not isinstance(model, TwoSides):
        if side is not None:
            raise ValueError(f"A tower has one side. Leave out side={side!r}, or pass the model of both towers.")
        if not callable(model):
            raise TypeError(f"Wanted a tower, or a model of two towers. Received {type(model).__name__}.")
        chosen = model
    elif side in ("query", "item"):
        chosen = model.encode_query if side == "query" else model.encode_item
    else:
        raise ValueError(f'Two towers need side="query" or side="item". Received {side!r}.')
    if not model.built:
        model.build(None)
    return chosen


def _columns(model: Any, schema: Schema | None) -> Schema:
    if schema is not None:
        return schema
    if isinstance(model, ReadsColumns):
        return model.schema
    if isinstance(model, HasTowers):
        return model.towers.schema
    raise ValueError(f"{type(model).__name__} doesn't tell the types of its columns. Pass schema=preprocessor.schema.")


def _spec(column: ColumnSchema) -> tf.TensorSpec:
    return tf.TensorSpec((None, column.width) if column.is_list else (None,), column.dtype, column.name)


def _embedding(encode: Callable[[Columns], Tensor], inputs: Columns) -> Tensor:
    """The embedding in float32. Lists get one place of padding: ONNX can't reshape those of length 0."""
    is_list = {name: len(values.shape) == 2 and values.shape[1] is None for name, values in inputs.items()}
    padded = {name: tf.pad(values, [[0, 0], [0, 1]]) for name, values in inputs.items() if is_list[name]}
    return tf.cast(encode(inputs | padded), tf.float32)


def _erfc(converter: Any, graph: Any, node: Any, name: str, arguments: list[Any]) -> None:
    """1 - Erf(x), which tf2onnx lacks and Keras's GELU uses."""
    (output,), dtype, shape = node.output, graph.get_dtype(node.output[0]), graph.get_shape(node.output[0])
    erf = graph.make_node("Erf", node.input, dtypes=[dtype], shapes=[shape])
    one = np.ones((), converter.utils.map_onnx_to_numpy_type(dtype))
    inputs = [graph.make_const(converter.utils.make_name("one"), one).output[0], erf.output[0]]
    graph.remove_node(node.name)
    graph.make_node("Sub", inputs, outputs=[output], name=node.name, dtypes=[dtype], shapes=[shape])


def _nodes(graph: Any) -> Iterator[Any]:
    """The nodes of a graph, and of the graphs inside them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _refuse_unknown(onnx: Any, graph: Any) -> None:
    """Raise where an operator is not one of ONNX, with the columns that lead to it."""
    unknown = [node for node in _nodes(graph) if not onnx.defs.has(node.op_type, node.domain)]
    if not unknown:
        return
    made_by = {output: node for node in _nodes(graph) for output in node.output}
    seen, left = set(), [name for node in unknown for name in node.input]
    while left:
        if (name := left.pop()) not in seen:
            seen.add(name)
            left += made_by[name].input if name in made_by else []
    columns = sorted(value.name for value in graph.input if value.name in seen)
    raise ValueError(
        f"ONNX has no {', '.join(sorted({node.op_type for node in unknown}))}, which the columns {columns} need here. "
        "Encode these in another way, or serve the SavedModel."
    )


def _name_inputs(graph: Any, specs: dict[str, tf.TensorSpec]) -> None:
    """Leave out the inputs that nothing reads; call the sizes that may differ by what they are."""
    read = {name for node in _nodes(graph) for name in node.input}
    inputs = [value for value in graph.input if value.name in read]
    del graph.input[:]
    graph.input.extend(inputs)
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        rows, *others = value.type.tensor_type.shape.dim
        rows.dim_param = "batch"
        if value.name in specs and len(others) == 1 and specs[value.name].shape[1] is None:
            others[0].dim_param = f"{value.name}_length"


def _compare(session: Any, function: Callable[[Columns], Columns], specs: dict[str, tf.TensorSpec]) -> None:
    """Raise where a few rows get other embeddings than the tower gives them."""
    names = [value.name for value in session.get_inputs()]
    (output,) = (value.name for value in session.get_outputs())
    for rows in (1, 3):
        feed = {name: _sample(spec, rows, place) for place, (name, spec) in enumerate(specs.items())}
        expected = function({name: tf.constant(values) for name, values in feed.items()})[output].numpy()
        (found,) = session.run([output], {name: feed[name] for name in names})
        if found.shape != expected.shape or not np.allclose(found, expected, rtol=1e-3, atol=1e-4):
            raise ValueError(
                f"The ONNX file gives other embeddings than the tower: {found[0][:4]} instead of {expected[0][:4]}. "
                "Try another opset, or serve the SavedModel."
            )


def _sample(spec: tf.TensorSpec, rows: int, seed: int) -> np.ndarray:
    shape = [rows, *(3 if size is None else size for size in spec.shape[1:])]
    chance = np.random.default_rng(seed)
    if spec.dtype == tf.string:
        return np.full(shape, "a", object)
    return (chance.integers(0, 5, shape) if spec.dtype.is_integer else chance.normal(size=shape)).astype(
        spec.dtype.as_numpy_dtype
    )


def _write(path: Path, content: bytes) -> Path:
    aside = path.with_name(f".{path.name}.writing")
    try:
        aside.write_bytes(content)
        aside.rename(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    return path
