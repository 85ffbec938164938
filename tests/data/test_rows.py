"""Rows as batches: every row once, lists with their rows, types, and what is refused."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdual import ColumnSchema, Rows, Schema, Tags, read

COUNT = 103
SCHEMA = Schema(
    [
        ColumnSchema("id"),
        ColumnSchema("name", dtype="string"),
        ColumnSchema("list", is_list=True),
        ColumnSchema("words", dtype="string", is_list=True),
        ColumnSchema("vector", dtype="float32", dims=(None, 2)),
    ]
)


def table(start: int, stop: int) -> pa.Table:
    """Rows whose every column is told by the id."""
    ids = range(start, stop)
    return pa.table(
        {
            "id": pa.array([2**53 + 1 + i for i in ids]),
            "name": pa.array([f"n{i}" for i in ids]).dictionary_encode(),
            "list": pa.array([list(range(i % 4)) for i in ids], pa.list_(pa.int32())),
            "words": pa.array([[f"w{i}"] * (i % 3) for i in ids], pa.list_(pa.string())),
            "vector": pa.array([[i, -i] for i in ids], pa.list_(pa.float32())),
        }
    )


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Two files, several row groups each."""
    folder = tmp_path_factory.mktemp("rows")
    pq.write_table(table(0, 60), folder / "a.parquet", row_group_size=17)
    pq.write_table(table(60, COUNT), folder / "b.parquet", row_group_size=10)
    return read(folder, SCHEMA)


def as_rows(batch: dict[str, Any]) -> Iterator[tuple]:
    columns = [v.to_list() if isinstance(v, tf.RaggedTensor) else v.numpy().tolist() for v in batch.values()]
    return zip(*columns, strict=True)


def expected_row(i: int) -> tuple:
    return 2**53 + 1 + i, f"n{i}".encode(), list(range(i % 4)), [f"w{i}".encode()] * (i % 3), [i, -i]


def order(dataset: tf.data.Dataset) -> list[int]:
    return [i - 2**53 - 1 for batch in dataset for i in batch["id"].numpy().tolist()]


def test_stored_order_is_kept_and_every_value_arrives(rows: Rows) -> None:
    batches = list(rows.batch(25))
    assert [row for batch in batches for row in as_rows(batch)] == [expected_row(i) for i in range(COUNT)]
    assert [len(batch["id"]) for batch in batches] == [25, 25, 25, 25, 3]


@pytest.mark.parametrize("size", [1, 16, 1000])
def test_shuffled_batches_hold_every_row_whole_and_once(rows: Rows, size: int) -> None:
    found = [row for batch in rows.batch(size, shuffle=True, seed=1) for row in as_rows(batch)]
    assert [row[0] for row in found] != [expected_row(i)[0] for i in range(COUNT)]
    assert sorted(found) == [expected_row(i) for i in range(COUNT)]


def test_a_seed_repeats_the_orders_of_all_epochs_and_each_epoch_differs(rows: Rows) -> None:
    first, again = rows.batch(10, shuffle=True, seed=5), rows.batch(10, shuffle=True, seed=5)
    epochs = [order(first), order(first), order(first)]
    assert epochs == [order(again), order(again), order(again)]
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert order(rows.batch(10, shuffle=True, seed=6)) != epochs[0]


def test_shuffling_without_a_seed_differs_from_run_to_run(rows: Rows) -> None:
    assert order(rows.batch(10, shuffle=True)) != order(rows.batch(10, shuffle=True))


def test_shuffling_mixes_row_groups_and_files(rows: Rows) -> None:
    first_half = order(rows.batch(10, shuffle=True, seed=0))[: COUNT // 2]
    assert 0.25 < np.mean([i >= 60 for i in first_half]) < 0.6


@pytest.mark.parametrize("shuffle", [False, True])
def test_drop_remainder_leaves_out_the_last_short_batch(rows: Rows, shuffle: bool) -> None:
    dataset = rows.batch(25, shuffle=shuffle, drop_remainder=True)
    assert [len(batch["id"]) for batch in dataset] == [25] * 4
    assert dataset.element_spec["id"].shape == (25,)
    assert dataset.element_spec["list"].shape == (25, None)
    assert dataset.cardinality() == 4


@pytest.mark.parametrize("size, batches", [(1, 103), (25, 5), (103, 1), (104, 1)])
def test_the_number_of_batches_is_known(rows: Rows, size: int, batches: int) -> None:
    assert rows.batch(size).cardinality() == batches
    assert len(list(rows.batch(size, shuffle=True))) == batches


def test_batches_have_the_types_of_the_schema(rows: Rows) -> None:
    spec = rows.batch(25).element_spec
    assert {name: s.dtype.name for name, s in spec.items()} == {
        "id": "int64",
        "name": "string",
        "list": "int64",
        "words": "string",
        "vector": "float32",
    }
    assert isinstance(spec["list"], tf.RaggedTensorSpec)
    assert spec["vector"].shape == (None, 2)


@pytest.mark.parametrize("dtype", ["bool", "int32", "float64"])
def test_every_dtype_arrives_as_itself(dtype: str) -> None:
    data = pa.table({"x": pa.array([1, 0, 1], pa.int64()).cast({"float64": pa.float64()}.get(dtype, pa.int8()))})
    data = data.set_column(0, "x", data["x"].cast(pa.bool_())) if dtype == "bool" else data
    (batch,) = read(data, Schema([ColumnSchema("x", dtype=dtype)])).batch(10)
    assert batch["x"].dtype.name == dtype
    assert batch["x"].numpy().tolist() == [1, 0, 1]


@settings(max_examples=6, deadline=None)
@given(
    lists=st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4), min_size=1, max_size=40),
    group=st.integers(1, 15),
    size=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_ragged_lists_keep_their_rows_when_shuffled_and_rebatched(
    tmp_path_factory: pytest.TempPathFactory, lists: list[list[int]], group: int, size: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("lists") / "lists.parquet"
    data = pa.table({"id": list(range(len(lists))), "list": pa.array(lists, pa.list_(pa.int64()))})
    pq.write_table(data, path, row_group_size=group)
    found = {}
    for batch in read(path, SCHEMA.select_by_name(["id", "list"])).batch(size, shuffle=True, seed=seed):
        assert batch["id"].shape[0] <= size
        found |= dict(zip(batch["id"].numpy().tolist(), batch["list"].to_list(), strict=True))
    assert found == dict(enumerate(lists))


def test_a_bad_value_stops_the_batches_with_its_message() -> None:
    rows = read(pa.table({"x": [1, None]}), Schema(["x"]))
    with pytest.raises(ValueError, match="Column 'x' of dtype int64 holds 1 nulls"):
        list(rows.arrays())
    with pytest.raises(tf.errors.InvalidArgumentError, match="Column 'x' of dtype int64 holds 1 nulls"):
        list(rows.batch(2))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"size": 0}, "at least 1 row. Received size=0"),
        ({"size": -3}, "at least 1 row. Received size=-3"),
        ({"size": 2, "seed": 1}, "seed=1 has no effect without shuffle=True"),
    ],
)
def test_a_size_below_one_and_an_idle_seed_are_refused(rows: Rows, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rows.batch(**arguments)


def test_arrays_and_tables_cut_the_rows_to_size(rows: Rows) -> None:
    assert [len(part["id"]) for part in rows.arrays(50)] == [50, 50, 3]
    assert [part.num_rows for part in rows.tables(103)] == [103]
    values, lengths = next(iter(rows.arrays(5)))["list"]
    assert (values.tolist(), lengths.tolist()) == ([0, 0, 1, 0, 1, 2], [0, 1, 2, 3, 0])


def test_len_take_and_to_arrow_agree(rows: Rows) -> None:
    assert len(rows) == COUNT
    assert rows.to_arrow().num_rows == COUNT
    assert [row["name"] for row in rows.take(3)] == ["n0", "n1", "n2"]
    assert len(rows.take(1000)) == COUNT


def test_select_types_the_same_rows_by_another_schema(rows: Rows) -> None:
    other = rows.select(Schema([ColumnSchema("id", [Tags.ITEM_ID])]))
    assert other.schema["id"].tags == {"item_id", "item", "id"}
    assert list(next(iter(other.batch(5)))) == ["id"]
    with pytest.raises(ValueError, match=r"lacks the columns \['age'\]"):
        rows.select(Schema(["age"]))


@pytest.mark.parametrize("encode", [False, True])
def test_unique_keeps_the_first_row_of_each_value_in_order(encode: bool) -> None:
    keys = pa.chunked_array([["b", "a", None], ["b", "c", "a", None]])
    data = pa.table({"key": keys.dictionary_encode() if encode else keys, "place": list(range(7))})
    schema = Schema([ColumnSchema("key", dtype="string"), ColumnSchema("place")])
    assert [row["place"] for row in read(data, schema).unique(by="key").take(9)] == [0, 1, 2, 4]


def test_unique_by_a_large_integer_tells_neighbours_apart() -> None:
    rows = read(pa.table({"id": [2**53, 2**53 + 1, 2**53]}), Schema(["id"]))
    assert [row["id"] for row in rows.unique(by="id").take(9)] == [2**53, 2**53 + 1]


def test_unique_by_no_column_is_refused(rows: Rows) -> None:
    with pytest.raises(KeyError, match="no column 'nothing'"):
        rows.unique(by="nothing")
