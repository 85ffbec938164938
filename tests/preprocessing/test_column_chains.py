"""Which steps columns take, what a chain refuses, and what domains share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tests.preprocessing.fitting import Stream, plain
from tfdual import ColumnSchema, Preprocessor, Schema, Tags
from tfdual.preprocessing import (
    Chain,
    Clip,
    FillMissing,
    HashBuckets,
    ListSlice,
    Log1p,
    Standardize,
    Vocabulary,
)

DOMAIN = {"domain": {"name": "item"}}
SCHEMA = Schema(
    [
        ColumnSchema("item_id", [Tags.ITEM_ID], DOMAIN),
        ColumnSchema("likes", properties=DOMAIN | {"weights": "stars"}, is_list=True),
        ColumnSchema("stars", ["weight"], dtype="float32", is_list=True),
    ]
)
TABLE = pa.table(
    {
        "item_id": [7, 8, 8],
        "likes": [[7, 8, 9], [], [8]],
        "stars": pa.array([[1.0, 2.0, 3.0], [], [5.0]], pa.list_(pa.float32())),
    }
)


@pytest.mark.parametrize("tag", [Tags.WEIGHT, Tags.TARGET])
def test_weights_and_targets_of_rows_stay_as_they_are(tag: Tags) -> None:
    schema = Schema([ColumnSchema("w", [tag], dtype="float32"), ColumnSchema("price", dtype="float32")])
    columns = {"w": tf.constant([0.25, 1.0, 0.0]), "price": tf.constant([1.0, 2.0, 3.0])}
    table = pa.table({name: pa.array(values.numpy()) for name, values in columns.items()})
    found = Preprocessor(schema).adapt(tfdual.read(table, schema))(columns)
    assert plain(found["w"]) == [0.25, 1.0, 0.0]
    assert abs(float(tf.reduce_mean(found["price"]))) < 1e-6


@pytest.mark.parametrize("min_count", [1, 2])
@pytest.mark.parametrize("also_given", [False, True])
def test_a_list_is_cut_and_still_shares_the_vocabulary_of_its_domain(min_count: int, also_given: bool) -> None:
    transforms: dict[str, Any] = {"likes": [Vocabulary(min_count), ListSlice(2, keep="last")]}
    if also_given:
        transforms["item_id"] = Vocabulary(min_count)
    stream = Stream(TABLE, SCHEMA)
    prep = Preprocessor(SCHEMA, transforms).adapt(stream)
    assert prep.vocabulary("likes") == prep.vocabulary("item_id") == ([8, 7, 9] if min_count == 1 else [8, 7])
    ready = {name: plain(values) for name, values in prep(stream.raw()).items()}
    assert ready["item_id"] == [2, 1, 1]
    assert ready["likes"] == [[1, 3 if min_count == 1 else 0], [], [1]]
    assert ready["stars"] == [[2, 3], [], [5]]
    assert len(prep.tables) == 1


def test_a_hash_given_for_one_column_is_that_of_its_domain() -> None:
    stream = Stream(TABLE, SCHEMA)
    prep = Preprocessor(SCHEMA, {"item_id": HashBuckets(1000)}).adapt(stream)
    ready = prep(stream.raw())
    assert ready["likes"].to_list()[2] == [ready["item_id"].numpy()[1]]
    assert prep.schema["likes"].cardinality == 1001


def test_steps_before_the_one_that_learns_run_while_it_learns() -> None:
    schema = Schema([ColumnSchema("x", properties={"nullable": True}, dtype="float32")])
    rows = Stream(pa.table({"x": pa.array([-5.0, 1.0, None, 100.0], pa.float32())}), schema)
    prep = Preprocessor(schema, {"x": [FillMissing(1), Clip(0, 3), Standardize()]}).adapt(rows)
    assert prep._chains["x"].learner.mean == (0 + 1 + 1 + 3) / 4


def test_lists_are_counted_as_they_are_cut() -> None:
    schema = Schema([ColumnSchema("x", is_list=True)])
    rows = Stream(pa.table({"x": [[1, 2, 3], [4]]}), schema)
    assert Preprocessor(schema, {"x": [ListSlice(1), Vocabulary()]}).adapt(rows).vocabulary("x") == [1, 4]
    assert Preprocessor(schema, {"x": [Vocabulary(), ListSlice(1)]}).adapt(rows).vocabulary("x") == [1, 2, 3, 4]


def test_a_chain_in_a_chain_is_its_steps() -> None:
    assert [type(step) for step in Chain([Chain([Clip(0, 1)]), Log1p()]).steps] == [Clip, Log1p]


@pytest.mark.parametrize(
    ("steps", "error", "message"),
    [
        ([], ValueError, "at least one step"),
        ([Clip], TypeError, "steps of a chain are transforms"),
        ([FillMissing("mean"), Standardize()], ValueError, r"\['FillMissing', 'Standardize'\] all learn"),
        ([ListSlice(2, pad=True), Vocabulary()], ValueError, "pads with the id 0, so it is the last step"),
    ],
)
def test_chains_that_cannot_work_are_refused(steps: list, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Chain(steps)


@pytest.mark.parametrize("transform", [Vocabulary, "Vocabulary", 7])
def test_what_is_no_transform_is_refused_with_one(transform: Any) -> None:
    schema = Schema([ColumnSchema("x", [Tags.CATEGORICAL])])
    with pytest.raises(TypeError, match=r"Column 'x' takes a transform such as Vocabulary\(\), or a list of them"):
        Preprocessor(schema, {"x": transform})


def test_columns_are_checked_before_any_row_is_read() -> None:
    schema = Schema([ColumnSchema("x", [Tags.TEXT], dtype="string")])
    with pytest.raises(TypeError, match="Standardize takes a single number a row. Column 'x' is string, string"):
        Preprocessor(schema, {"x": [Standardize()]})


def test_weights_that_the_schema_lacks_are_refused() -> None:
    schema = Schema([SCHEMA["item_id"], SCHEMA["likes"].with_properties({"weights": "nothing"})])
    with pytest.raises(ValueError, match="'weights' of column 'likes' names 'nothing', which the schema lacks"):
        Preprocessor(schema)


def test_other_steps_than_the_domain_makes_ids_by_are_refused() -> None:
    with pytest.raises(ValueError, match="share what makes their ids"):
        Preprocessor(SCHEMA, {"item_id": HashBuckets(5), "likes": Vocabulary()})


def test_raw_values_come_back_from_ids() -> None:
    prep = Preprocessor(SCHEMA, {"item_id": Vocabulary(num_oov_indices=3)}).adapt(Stream(TABLE, SCHEMA))
    ids = prep({"item_id": tf.constant([9, 7], tf.int64)})["item_id"].numpy()
    assert prep.raw_values("item_id", ids).tolist() == [9, 7]
    with pytest.raises(ValueError, match="1 values are unknown to the vocabulary of 'item_id'"):
        prep.raw_values("item_id", ids - 2)


PRICES = Schema([ColumnSchema("price", dtype="float32"), ColumnSchema("views", dtype="float32")])
NUMBERS = {"price": [1.0, 3.0], "views": [1000.0, 3000.0]}


def test_one_transform_given_to_two_columns_learns_each_apart_and_is_loaded(tmp_path: Path) -> None:
    given = Standardize()
    prep = Preprocessor(PRICES, dict.fromkeys(NUMBERS, given)).adapt(tfdual.read(NUMBERS, PRICES))
    other = Preprocessor(PRICES, {"price": given}).adapt(
        tfdual.read({"price": [5.0, 9.0], "views": [0.0, 1.0]}, PRICES)
    )
    prep.save(tmp_path / "prep")
    columns = {name: tf.constant(values) for name, values in NUMBERS.items()}
    for made in (prep, Preprocessor.load(tmp_path / "prep")):
        assert {name: plain(values) for name, values in made(columns).items()} == {
            "price": [-1.0, 1.0],
            "views": [-1.0, 1.0],
        }
    assert plain(other({"price": tf.constant([5.0, 9.0])})["price"]) == [-1.0, 1.0]


def test_values_that_one_column_of_a_domain_knows_are_those_of_all() -> None:
    cut = [Vocabulary(), ListSlice(2, keep="last")]
    prep = Preprocessor(SCHEMA, {"likes": cut, "item_id": Vocabulary.of([5, 6])}).adapt(Stream(TABLE, SCHEMA))
    assert prep.vocabulary("item_id") == prep.vocabulary("likes") == [5, 6, 8, 7, 9]
    turned = SCHEMA.select_by_name(["likes", "stars", "item_id"])
    prep = Preprocessor(turned, {"likes": cut, "item_id": Vocabulary.of([5, 6])}).adapt(Stream(TABLE, turned))
    assert prep.vocabulary("likes") == [5, 6, 8, 7, 9]
    with pytest.raises(ValueError, match="share one vocabulary.*know different values.*under the domain's name"):
        Preprocessor(SCHEMA, {"likes": Vocabulary.of([5]), "item_id": Vocabulary.of([6])})


def test_rows_that_stop_at_an_error_teach_nothing() -> None:
    schema = Schema([ColumnSchema("genre", [Tags.CATEGORICAL], dtype="string"), ColumnSchema("price", dtype="float32")])
    first = tfdual.read({"genre": ["jazz", "jazz", "rock"], "price": [1.0, 2.0, 3.0]}, schema)

    class Broken(Stream):
        def tables(self) -> Iterator[pa.Table]:
            yield from first.tables()
            raise ValueError("a bad row")

    wanted = Preprocessor(schema, {"genre": Vocabulary(min_count=2)}).adapt(first)
    prep = Preprocessor(schema, {"genre": Vocabulary(min_count=2)})
    for _ in range(2):
        with pytest.raises(ValueError, match="a bad row"):
            prep.adapt(Broken(first.to_arrow(), schema))
        prep.adapt(first)
        batch = {"genre": tf.constant(["jazz", "rock"]), "price": tf.constant([1.0, 9.0])}
        assert {name: plain(values) for name, values in prep(batch).items()} == {
            name: plain(values) for name, values in wanted(batch).items()
        }
        wanted.adapt(first)
