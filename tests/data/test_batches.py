"""Rows as batches: every row once, lists with their rows, types, missing values, and what is refused."""

import tracemalloc
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
from tfdual.data import batches

COUNT = 103
SCHEMA = Schema(
    [
        ColumnSchema("words", dtype="string", is_list=True),
        ColumnSchema("id"),
        ColumnSchema("name", dtype="string"),
        ColumnSchema("list", is_list=True),
        ColumnSchema("floats", dtype="float32", is_list=True),
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
            "floats": pa.array([[i / 2] * (i % 2) for i in ids], pa.list_(pa.float64())),
            "vector": pa.array([[i, -i] for i in ids], pa.list_(pa.float32())),
        }
    )


def expected_row(i: int) -> tuple:
    words, floats = [f"w{i}".encode()] * (i % 3), [i / 2] * (i % 2)
    return words, 2**53 + 1 + i, f"n{i}".encode(), list(range(i % 4)), floats, [i, -i]


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


def order(dataset: tf.data.Dataset) -> list[int]:
    return [i - 2**53 - 1 for batch in dataset for i in batch["id"].numpy().tolist()]


@pytest.mark.parametrize("chunk", [1, 40, 65_536])
@pytest.mark.parametrize("size", [1, 25, 103, 200])
def test_stored_order_is_kept_and_every_value_arrives(
    rows: Rows, size: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "CHUNK_ROWS", chunk)
    found = list(rows.batch(size))
    assert [row for batch in found for row in as_rows(batch)] == [expected_row(i) for i in range(COUNT)]
    assert [len(batch["id"]) for batch in found] == [min(size, COUNT - i) for i in range(0, COUNT, size)]


@pytest.mark.parametrize("size", [1, 16, 1000])
def test_shuffled_batches_hold_every_row_whole_and_once(rows: Rows, size: int) -> None:
    found = [row for batch in rows.batch(size, shuffle=True, seed=1) for row in as_rows(batch)]
    assert found != [expected_row(i) for i in range(COUNT)]
    assert sorted(found, key=lambda row: row[1]) == [expected_row(i) for i in range(COUNT)]


@pytest.mark.parametrize("shuffle", [False, True])
def test_drop_remainder_leaves_out_the_last_short_batch(rows: Rows, shuffle: bool) -> None:
    dataset = rows.batch(25, shuffle=shuffle, drop_remainder=True)
    assert [len(batch["id"]) for batch in dataset] == [25] * 4
    shapes = {name: spec.shape.as_list() for name, spec in dataset.element_spec.items()}
    assert shapes == {
        "words": [25, None],
        "id": [25],
        "name": [25],
        "list": [25, None],
        "floats": [25, None],
        "vector": [25, 2],
    }
    if not shuffle:
        assert [row for batch in dataset for row in as_rows(batch)] == [expected_row(i) for i in range(100)]


@pytest.mark.parametrize("size, expected", [(1, 103), (25, 5), (103, 1), (104, 1)])
def test_the_number_of_batches_is_known(rows: Rows, size: int, expected: int) -> None:
    assert rows.batch(size).cardinality() == expected
    assert len(list(rows.batch(size, shuffle=True))) == expected
    assert rows.batch(50, drop_remainder=True).cardinality() == 2


def test_batches_have_the_types_of_the_schema(rows: Rows) -> None:
    dataset = rows.batch(25)
    wanted = {"words": "string", "id": "int64", "name": "string", "list": "int64"}
    wanted |= {"floats": "float32", "vector": "float32"}
    assert {name: spec.dtype.name for name, spec in dataset.element_spec.items()} == wanted
    assert {name: tensor.dtype.name for name, tensor in next(iter(dataset)).items()} == wanted
    ragged = {name for name, spec in dataset.element_spec.items() if isinstance(spec, tf.RaggedTensorSpec)}
    assert ragged == {"words", "list", "floats"}
    assert dataset.element_spec["vector"].shape == (None, 2)


@pytest.mark.parametrize("dtype", ["bool", "int32", "float64"])
def test_every_dtype_arrives_as_itself(dtype: str) -> None:
    data = pa.array([1, 0, 1]).cast(pa.bool_() if dtype == "bool" else pa.int8())
    (batch,) = read(pa.table({"x": data}), Schema([ColumnSchema("x", dtype=dtype)])).batch(10)
    assert batch["x"].dtype.name == dtype
    assert batch["x"].numpy().tolist() == [1, 0, 1]


def test_what_is_missing_has_a_place_in_every_tensor() -> None:
    nullable = {"nullable": True}
    schema = Schema(
        [
            ColumnSchema("id", [Tags.CATEGORICAL], nullable),
            ColumnSchema("small", [Tags.CATEGORICAL], nullable, "int32"),
            ColumnSchema("name", (), nullable, "string"),
            ColumnSchema("price", (), nullable, "float32"),
            ColumnSchema("list", (), nullable, is_list=True),
            ColumnSchema("words", (), nullable, "string", is_list=True),
            ColumnSchema("vector", (), nullable, "float32", dims=(None, 2)),
        ]
    )
    data = {"id": [5, None], "small": [None, 6], "name": ["a", None], "price": [None, 1.5], "list": [None, [7]]}
    data |= {"words": [["b"], None], "vector": pa.array([None, [1.0, 2.0]], pa.list_(pa.float32()))}
    (batch,) = read(data, schema).batch(2)
    assert (batch["id"].numpy().tolist(), batch["small"].numpy().tolist()) == ([5, -1], [-1, 6])
    assert batch["name"].numpy().tolist() == [b"a", b""]
    np.testing.assert_array_equal(batch["price"], [np.nan, 1.5])
    assert (batch["list"].to_list(), batch["words"].to_list()) == ([[], [7]], [[b"b"], []])
    assert batch["vector"].numpy().tolist() == [[0, 0], [1, 2]]


@settings(max_examples=8, deadline=None)
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
    schema = Schema(["id", ColumnSchema("list", properties={"domain": {"min": -(2**63)}}, is_list=True)])
    found = {}
    for batch in read(path, schema).batch(size, shuffle=True, seed=seed):
        assert batch["id"].shape[0] <= size
        found |= dict(zip(batch["id"].numpy().tolist(), batch["list"].to_list(), strict=True))
    assert found == dict(enumerate(lists))


def test_a_source_of_lists_alone_is_cut_by_its_lists() -> None:
    lists = [[1, 2], [], [3], [], [4, 5, 6]]
    rows = read({"x": lists}, Schema([ColumnSchema("x", is_list=True)]))
    assert [batch["x"].to_list() for batch in rows.batch(2)] == [[[1, 2], []], [[3], []], [[4, 5, 6]]]
    (batch,) = rows.batch(3, shuffle=True, seed=0, drop_remainder=True)
    assert [each in lists for each in batch["x"].to_list()] == [True] * 3


def test_shuffling_mixes_row_groups_and_files(rows: Rows) -> None:
    first_half = order(rows.batch(10, shuffle=True, seed=0))[: COUNT // 2]
    assert 0.25 < np.mean([i >= 60 for i in first_half]) < 0.6


def test_shuffling_without_a_seed_differs_from_run_to_run(rows: Rows) -> None:
    assert order(rows.batch(10, shuffle=True)) != order(rows.batch(10, shuffle=True))


def test_what_becomes_of_a_batch_leaves_the_source_as_it_was() -> None:
    data = pa.table({"x": np.arange(5000, dtype=np.float32)})
    dataset = read(data, Schema([ColumnSchema("x", dtype="float32")])).batch(5000)
    doubled = [batch["x"].numpy() for batch in dataset.map(lambda batch: {"x": batch["x"] * 2 + 1})]
    doubled[0][:] = -1
    assert data["x"].to_pylist() == list(range(5000))
    assert next(iter(dataset))["x"].numpy().tolist() == list(range(5000))


def test_epochs_leave_no_memory_behind() -> None:
    rows = read({"x": np.arange(20_000)}, Schema(["x"]))
    dataset = rows.batch(500, shuffle=True, seed=0)
    tracemalloc.start()
    try:
        list(dataset)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            list(dataset)
        assert tracemalloc.get_traced_memory()[0] - before < 100_000  # an epoch holds 160,000 bytes
    finally:
        tracemalloc.stop()


def test_a_bad_value_stops_the_batches_with_its_message() -> None:
    rows = read(pa.table({"x": [1, None]}), Schema(["x"]))
    with pytest.raises(ValueError, match="Column 'x' of The table, row 1: the value is missing"):
        list(rows.tables())
    with pytest.raises(tf.errors.InvalidArgumentError, match="Column 'x' of The table, row 1: the value is missing"):
        list(rows.batch(2))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"size": 0}, "at least 1 row. Received size=0"),
        ({"size": -3}, "at least 1 row. Received size=-3"),
        ({"size": 2, "seed": 1}, "seed=1 has no effect without shuffle=True"),
        ({"size": 2, "shuffle": True, "seed": -1}, "seed is 0 or more. Received -1"),
        ({"size": 2, "start": -1}, "0 or more. Received -1"),
        ({"size": 2, "shuffle": True, "start": 3}, "start=3 needs the seed"),
        ({"size": 104, "drop_remainder": True}, "has 103 rows: no batch of 104"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(rows: Rows, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rows.batch(**arguments)


@pytest.mark.parametrize("size", [2.5, "2"])
def test_a_size_that_is_no_whole_number_is_refused(rows: Rows, size: Any) -> None:
    with pytest.raises(TypeError, match=f"a whole number of rows. Received {size!r}"):
        rows.batch(size)


@pytest.mark.parametrize("size", [1, 7, 40])
@pytest.mark.parametrize("drop", [False, True])
def test_heavy_rows_make_the_same_batches(size: int, drop: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [str(i) * (i % 50) for i in range(COUNT)]
    rows = read({"x": texts}, Schema([ColumnSchema("x", dtype="string")]))
    monkeypatch.setattr(batches, "CHUNK_BYTES", 300)
    taken: list[int] = []
    to_numpy = batches.to_numpy
    monkeypatch.setattr(batches, "to_numpy", lambda column: taken.append(len(column)) or to_numpy(column))
    found = [batch["x"].numpy().tolist() for batch in rows.batch(size, drop_remainder=drop)]
    whole = COUNT // size * size if drop else COUNT
    assert found == [[text.encode() for text in texts[i : min(i + size, COUNT)]] for i in range(0, whole, size)]
    assert max(taken) <= max(size, 9)  # of about 50 bytes each
