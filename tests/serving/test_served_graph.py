"""What TensorFlow Serving finds in an export."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from tfdual import BruteForce, Schema
from tfdual.serving import ItemColumns, ServedGraph, ServedItems, ServedTower

QUERY_COLUMNS = {"user_id", "history", "interests", "age", "mood", "visits", "question"}


@pytest.fixture(scope="module")
def signatures(exported: Path) -> dict[str, meta_graph_pb2.SignatureDef]:
    """The signatures as they stand in the file, without TensorFlow's loader."""
    saved = saved_model_pb2.SavedModel.FromString((exported / "1" / "saved_model.pb").read_bytes())
    (graph,) = saved.meta_graphs
    return dict(graph.signature_def)


def test_searching_takes_the_query_columns_and_options(signatures: dict[str, meta_graph_pb2.SignatureDef]) -> None:
    search = signatures["serving_default"]
    assert set(search.inputs) == QUERY_COLUMNS | {"k", "exclude"}
    assert set(search.outputs) == {"id", "score", "title"}


def test_options_have_defaults_for_callers_who_leave_them_out(
    signatures: dict[str, meta_graph_pb2.SignatureDef],
) -> None:
    defaults = {name: tf.make_ndarray(value) for name, value in signatures["serving_default"].defaults.items()}
    assert sorted(defaults) == ["exclude", "k"]
    assert defaults["k"].tolist() == [10]
    assert defaults["exclude"].shape == (1, 0)


def test_embedding_takes_the_query_columns_alone(signatures: dict[str, meta_graph_pb2.SignatureDef]) -> None:
    embed = signatures["embed_query"]
    assert set(embed.inputs) == QUERY_COLUMNS
    assert [size.size for size in embed.outputs["embedding"].tensor_shape.dim] == [-1, 8]


def test_inputs_have_the_types_and_widths_of_the_columns(signatures: dict[str, meta_graph_pb2.SignatureDef]) -> None:
    inputs = signatures["serving_default"].inputs
    shapes = {name: [size.size for size in inputs[name].tensor_shape.dim] for name in inputs}
    assert shapes == {
        "user_id": [-1],
        "history": [-1, -1],
        "interests": [-1, -1],
        "age": [-1],
        "mood": [-1, 3],
        "visits": [-1],
        "question": [-1],
        "k": [-1],
        "exclude": [-1, -1],
    }


@pytest.mark.parametrize("query_column, attribute", [("k", "title"), ("exclude", "title"), ("user_id", "score")])
def test_names_that_the_signature_uses_itself_are_refused(query_column: str, attribute: str) -> None:
    index = BruteForce().build(np.eye(2))
    items = ServedItems(index, Schema(["id"]), ItemColumns({attribute: np.arange(2)}), [attribute])
    tower = ServedTower(Schema([query_column]), dict, lambda features: features[query_column], [])
    with pytest.raises(ValueError, match="own inputs are called .* and their own outputs 'id' and 'score'. Rename"):
        ServedGraph({"default": tower}, items)
