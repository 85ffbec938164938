"""The whole preprocessor: defaults, domains, sampling probabilities, and one result wherever it runs."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tests.preprocessing.fitting import Served
from tfdual import ColumnSchema, Preprocessor, Rows, Schema, Tags, read
from tfdual.preprocessing import LearnedText, NGrams, Vocabulary

SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], dtype="string"),
        ColumnSchema("history", [Tags.USER], {"domain": {"name": "item"}}, is_list=True),
        ColumnSchema("item_id", [Tags.ITEM_ID], {"domain": {"name": "item"}}),
        ColumnSchema("year", [Tags.ITEM], {"nullable": True}, dtype="float32"),
        ColumnSchema("title", [Tags.ITEM, Tags.TEXT], {"nullable": True}, dtype="string"),
        ColumnSchema("image", [Tags.ITEM], dtype="float64", dims=(None, 2)),
    ]
)
TABLE = pa.table(
    {
        "user_id": ["u1", "u2", "u1", "u3"],
        "history": [[30], [], [10, 30], [30]],
        "item_id": [10, 10, 20, 10],
        "year": [1990.0, 2000.0, None, 1995.0],
        "title": ["The Cat", "the cat", "", None],
        "image": [[0.5, 1.0], [2.0, 3.0], [0.0, 0.0], [1.0, 1.0]],
    }
)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return read(TABLE, SCHEMA)


@pytest.fixture(scope="module")
def prep(rows: Rows) -> Preprocessor:
    transforms = {"title": LearnedText(buckets=5, ngrams=NGrams(words=2, characters=(3, 3)))}
    return Preprocessor(SCHEMA, transforms).adapt(rows)


@pytest.fixture(scope="module")
def batch(rows: Rows, prep: Preprocessor) -> dict[str, Any]:
    """All rows, through the preprocessor inside tf.data."""
    (batch,) = rows.batch(10).map(prep)
    return batch


def plain(batch: dict[str, Any]) -> dict[str, list]:
    return {n: v.to_list() if isinstance(v, tf.RaggedTensor) else v.numpy().tolist() for n, v in batch.items()}


def test_each_kind_gets_its_transform_and_a_domain_one_vocabulary(prep: Preprocessor, batch: dict[str, Any]) -> None:
    ready = plain(batch)
    assert ready["user_id"] == [1, 2, 1, 3]
    assert prep.vocabulary("item_id") == prep.vocabulary("history") == [10, 30, 20]
    assert ready["history"] == [[2], [], [1, 2], [2]]
    assert ready["item_id"] == [1, 1, 3, 1]
    deviation = math.sqrt(50 / 3)
    np.testing.assert_allclose(ready["year"], [-5 / deviation, 5 / deviation, 0, 0], rtol=1e-5)
    assert ready["image"] == TABLE["image"].to_pylist()
    assert ready["title"][0] == ready["title"][1]
    assert ready["title"][2] == ready["title"][3] == []


def test_the_sampling_probability_of_the_item_column_is_added(prep: Preprocessor, batch: dict[str, Any]) -> None:
    expected = np.log([3 / 4, 3 / 4, 1 / 4, 3 / 4])
    np.testing.assert_allclose(batch["item_id_log_probability"], expected, rtol=1e-6)
    assert prep.schema["item_id_log_probability"].tags == {"log_probability"}
    assert "history_log_probability" not in batch


def test_values_never_seen_become_the_unknown_id(prep: Preprocessor) -> None:
    ready = plain(prep({"user_id": tf.constant(["new", "u2"]), "item_id": tf.constant([99, 20], tf.int64)}))
    assert ready["user_id"] == [0, 2]
    assert ready["item_id"] == [0, 3]


def test_columns_of_no_schema_pass_and_absent_ones_are_left_out(prep: Preprocessor) -> None:
    weight = tf.constant([0.5])
    ready = prep({"user_id": tf.constant(["u1"]), "weight": weight})
    assert set(ready) == {"user_id", "weight"}
    assert ready["weight"] is weight


def test_the_model_ready_schema_knows_every_number_of_ids(prep: Preprocessor) -> None:
    cardinality = {column.name: column.cardinality for column in prep.schema}
    texts = 1 + len(prep._chains["title"].learner.values) + 5
    assert cardinality == {
        "user_id": 4,
        "history": 4,
        "item_id": 4,
        "year": None,
        "title": texts,
        "image": None,
        "item_id_log_probability": None,
    }
    assert prep.schema["image"].width == 2
    assert prep.input_schema == SCHEMA


def test_pipeline_eager_call_and_reloaded_saved_model_agree(
    prep: Preprocessor, rows: Rows, batch: dict[str, Any], tmp_path: Path
) -> None:
    (raw,) = rows.batch(10)
    served = Served(prep, raw)
    tf.saved_model.save(served, str(tmp_path), signatures={})
    reloaded = tf.saved_model.load(str(tmp_path)).run(raw)
    eager = plain(prep(raw))
    assert plain(batch).keys() == plain(reloaded).keys() == eager.keys()
    for name, value in eager.items():
        assert plain(batch)[name] == value, name
        assert plain(reloaded)[name] == value, name


def test_a_transform_for_any_column_of_a_domain_is_that_of_the_domain(rows: Rows) -> None:
    for name in ("item_id", "history", "item"):
        prep = Preprocessor(SCHEMA, {name: Vocabulary(min_count=4)}).adapt(rows)
        assert prep.vocabulary("item_id") == prep.vocabulary("history") == [10]


def test_two_transforms_for_one_domain_are_refused() -> None:
    given = {"item_id": Vocabulary(), "history": Vocabulary(min_count=2)}
    with pytest.raises(
        ValueError, match=r"domain 'item' share what makes their ids. Received different steps for \['history', 'item"
    ):
        Preprocessor(SCHEMA, given)


def test_a_transform_for_no_column_is_refused() -> None:
    with pytest.raises(ValueError, match=r"given for \['tilte'\]; the schema has no such column or domain"):
        Preprocessor(SCHEMA, {"tilte": LearnedText()})


def test_a_domain_of_two_dtypes_is_refused() -> None:
    schema = Schema(
        [
            ColumnSchema("history", properties={"domain": {"name": "item"}}, dtype="string", is_list=True),
            ColumnSchema("item_id", [Tags.ITEM_ID], {"domain": {"name": "item"}}),
        ]
    )
    with pytest.raises(ValueError, match="domain 'item' must have one dtype. Received .*'string'.*'int64'"):
        Preprocessor(schema)


def test_before_adapt_nothing_works() -> None:
    prep = Preprocessor(SCHEMA)
    for use in (lambda: prep.schema, lambda: prep({"year": tf.constant([1.0])}), lambda: prep.vocabulary("item_id")):
        with pytest.raises(ValueError, match=r"Call `adapt\(rows\)` first"):
            use()


def test_rows_that_lack_a_column_are_refused(rows: Rows) -> None:
    with pytest.raises(ValueError, match=r"The rows lack the columns \['year', 'title', 'image'\]"):
        Preprocessor(SCHEMA).adapt(rows.select(SCHEMA.without(["year", "title", "image"])))


def test_what_holds_no_rows_or_is_no_schema_is_refused(rows: Rows) -> None:
    for source in (rows.batch(2), {"year": [1.0]}):
        with pytest.raises(TypeError, match=r"adapt\(\) takes rows, as `tfdual.read\(source, schema\)` gives them"):
            Preprocessor(SCHEMA).adapt(source)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="made for a Schema, .* Received list"):
        Preprocessor(list(SCHEMA))  # type: ignore[arg-type]


def test_the_vocabulary_of_other_columns_is_refused(prep: Preprocessor) -> None:
    with pytest.raises(ValueError, match="Column 'year' has no vocabulary: it is dense"):
        prep.vocabulary("year")
    with pytest.raises(KeyError, match="no column 'nothing'"):
        prep.vocabulary("nothing")


def test_a_column_of_nothing_but_empty_lists_is_all_unknown() -> None:
    schema = SCHEMA.select_by_name(["history"])
    prep = Preprocessor(schema).adapt(read(pa.table({"history": pa.array([[], []], pa.list_(pa.int64()))}), schema))
    assert prep.schema["history"].cardinality == 1
    assert prep({"history": tf.ragged.constant([[0, 7]], dtype=tf.int64)})["history"].to_list() == [[0, 0]]
