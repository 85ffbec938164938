"""Serialised examples give the columns that were written into them."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfdual import ColumnSchema, Retriever, Schema, Tags
from tfdual.serving.examples import parse_examples, to_examples

SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], dtype="string"),
        ColumnSchema("age", [Tags.USER], dtype="float32", properties={"nullable": True}),
        ColumnSchema("city", [Tags.USER], dtype="int32", properties={"nullable": True}),
        ColumnSchema("history", [Tags.USER], dtype="int64", is_list=True),
        ColumnSchema("words", [Tags.USER], dtype="string", is_list=True),
        ColumnSchema("scores", [Tags.USER], dtype="float32", is_list=True),
        ColumnSchema("vector", [Tags.USER], dtype="float32", dims=(None, 3)),
    ]
)


def example(**features: list) -> bytes:
    """Written by TensorFlow's own protocol messages."""
    kinds = {str: ("bytes_list", tf.train.BytesList), int: ("int64_list", tf.train.Int64List)}
    made = {}
    for name, values in features.items():
        field, kind = kinds.get(type(values[0]), ("float_list", tf.train.FloatList)) if values else ("", None)
        held = [value.encode() if isinstance(value, str) else value for value in values]
        made[name] = tf.train.Feature(**{field: kind(value=held)}) if values else tf.train.Feature()
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


WHOLE = example(
    user=["Zoë"], age=[3.5], city=[7], history=[2**62, 5], words=["a"], scores=[0.5, 0.25], vector=[1.0, 2.0, 3.0]
)


def parsed(examples: list[bytes]) -> dict[str, tf.Tensor]:
    return parse_examples(tf.constant(examples), SCHEMA, "int64", True)[0]


def test_columns_are_padded_at_the_end_and_of_the_types_of_the_schema() -> None:
    found = parsed([WHOLE, example(user=["u"], vector=[0.0, 0.0, 1.0], history=[])])
    assert {name: values.dtype.name for name, values in found.items()} == {
        column.name: column.dtype for column in SCHEMA
    }
    assert [one.decode() for one in found["user"].numpy()] == ["Zoë", "u"]
    assert found["history"].numpy().tolist() == [[2**62, 5], [-1, -1]]
    assert found["words"].numpy().tolist() == [[b"a"], [b""]]
    np.testing.assert_array_equal(found["scores"], np.array([[0.5, 0.25], [np.nan, np.nan]], "float32"))
    assert found["vector"].numpy().tolist() == [[1, 2, 3], [0, 0, 1]]
    np.testing.assert_array_equal(found["age"], np.array([3.5, np.nan], "float32"))
    assert found["city"].numpy().tolist() == [7, -1]


def test_columns_written_as_examples_are_read_back() -> None:
    columns = parsed([WHOLE, example(user=["u"], vector=[0.0, 0.0, 1.0], history=[])])
    again = parse_examples(to_examples(columns, SCHEMA), SCHEMA, "int64", True)[0]
    assert again.keys() == columns.keys()
    for name, values in columns.items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)


def test_what_a_column_needs_and_an_example_lacks_is_named() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="vector"):
        parsed([example(user=["u"])])


def test_a_graph_takes_any_number_of_examples() -> None:
    parse = tf.function(lambda s: parse_examples(s, SCHEMA, "int64", True)[0], [tf.TensorSpec([None], tf.string)])
    for count in (0, 1, 5):
        found = parse(tf.constant([WHOLE] * count, tf.string))
        assert {values.shape[0] for values in found.values()} == {count}


def test_a_served_model_answers_examples_as_it_answers_columns(
    exported: Path, retriever: Retriever, queries: dict[str, list]
) -> None:
    served = tf.saved_model.load(str(exported / "1" if (exported / "1").exists() else exported))
    rows = range(len(queries["user_id"]))
    columns = [{name: np.ravel(values[row]).tolist() for name, values in queries.items()} for row in rows]
    wanted = retriever.search(queries)
    seen = wanted["id"][:, :2].tolist()
    search = served.signatures["serving_examples"]
    for options, without in (([{}] * 3, None), ([{"k": [10], "exclude": ids} for ids in seen], seen)):
        examples = [example(**features, **option) for features, option in zip(columns, options, strict=True)]
        found = search(examples=tf.constant(examples))
        wanted = retriever.search(queries, exclude=without)
        assert found["id"].numpy().tolist() == wanted["id"].tolist()
        np.testing.assert_allclose(found["score"], wanted["score"], atol=1e-6)


def test_the_options_of_a_search_are_features_that_an_example_may_lack() -> None:
    needed = {"user": ["u"], "vector": [0.0, 0.0, 1.0]}
    examples = [example(**needed), example(**needed, k=[3], exclude=[5, 6], filter=["year > 3", "not"])]
    _, options = parse_examples(tf.constant(examples), SCHEMA, "int64", True)
    assert options["k"].numpy().tolist() == [10, 3]
    assert options["exclude"].numpy().tolist() == [[-1, -1], [5, 6]]
    assert options["filter"].numpy().tolist() == [[b"", b""], [b"year > 3", b"not"]]
