"""Rows: what is in them, what is read of them, shards, unique rows, frames."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdual import ColumnSchema, Rows, Schema, Tags, read
from tfdual.data.row_mask import RowMask
from tfdual.data.splits import random_split

COUNT = 103
SCHEMA = Schema(["id", ColumnSchema("name", dtype="string")])


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Two files, of row groups of 17 and 10 rows."""
    folder = tmp_path_factory.mktemp("rows")
    table = pa.table({"id": list(range(COUNT)), "name": [f"n{i}" for i in range(COUNT)]})
    pq.write_table(table.slice(0, 60), folder / "a.parquet", row_group_size=17)
    pq.write_table(table.slice(60), folder / "b.parquet", row_group_size=10)
    return read(folder, SCHEMA)


@pytest.fixture
def reads(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[str]]]:
    """Grows by (part, columns) with each part that is read."""
    found: list[tuple[int, list[str]]] = []
    blocks = rows.stream.source.blocks

    def counting(part, wanted, size):
        found.append((part.index, wanted.names))
        return blocks(part, wanted, size)

    monkeypatch.setattr(rows.stream.source, "blocks", counting)
    return found


def ids(rows: Rows) -> list[int]:
    return rows.to_arrow()["id"].to_pylist()


def test_len_take_tables_and_to_arrow_agree(rows: Rows) -> None:
    assert len(rows) == COUNT
    assert ids(rows) == list(range(COUNT))
    assert rows.take(3) == [{"id": i, "name": f"n{i}"} for i in range(3)]
    assert len(rows.take(1000)) == COUNT
    assert [table.num_rows for table in rows.tables(50)] == [50, 50, 3]
    assert [table.num_rows for table in rows.tables(103)] == [103]
    assert next(rows.tables(5)).schema == pa.schema([("id", pa.int64()), ("name", pa.string())])


def test_take_reads_no_more_than_it_needs(rows: Rows, reads: list) -> None:
    assert (rows.take(0), reads) == ([], [])
    assert [row["id"] for row in rows.take(20)] == list(range(20))
    assert [part for part, _ in reads] == [0, 1]
    with pytest.raises(ValueError, match="n >= 0. Received -1"):
        rows.take(-1)


def test_opening_and_counting_parquet_reads_no_row(rows: Rows, reads: list) -> None:
    assert len(rows.select(SCHEMA.select_by_name("id")).shard(1, 4)) in (25, 26)
    assert reads == []


def test_select_types_the_same_rows_by_another_schema(rows: Rows) -> None:
    other = rows.select(Schema([ColumnSchema("id", [Tags.ITEM_ID], dtype="int32")]))
    assert other.schema["id"].tags == {"item_id", "item", "id"}
    assert other.to_arrow().schema == pa.schema([("id", pa.int32())])
    with pytest.raises(ValueError, match=r"lacks the columns \['age'\]"):
        rows.select(Schema(["age"]))
    with pytest.raises(ValueError, match="at least one column"):
        rows.select(Schema())


def test_where_keeps_the_rows_of_a_mask_and_of_a_mask_of_those(rows: Rows) -> None:
    odd = rows.where(RowMask([np.arange(COUNT) % 2 == 1]))
    assert (len(odd), ids(odd)) == (51, list(range(1, COUNT, 2)))
    third = odd.where(RowMask([np.arange(51) % 3 == 0]))
    assert ids(third) == list(range(1, COUNT, 6))
    with pytest.raises(ValueError, match="one entry a row: 51. Received 103"):
        odd.where(RowMask([np.ones(COUNT, bool)]))


@pytest.mark.parametrize("count", [1, 2, 7, 49, 103])
def test_shards_are_disjoint_cover_everything_and_have_one_size(rows: Rows, count: int) -> None:
    shards = [ids(rows.shard(i, count)) for i in range(count)]
    assert [row for shard in shards for row in shard] == list(range(COUNT))
    sizes = {len(shard) for shard in shards}
    assert max(sizes) - min(sizes) <= 1


def test_a_shard_reads_only_the_row_groups_that_hold_its_rows(rows: Rows, reads: list) -> None:
    assert ids(rows.shard(1, 4)) == list(range(25, 51))
    assert [part for part, _ in reads] == [1, 2]


def test_shards_of_a_split_are_cut_from_its_rows_and_can_be_shuffled(rows: Rows) -> None:
    train, _ = random_split(rows, (0.6, 0.4), seed=3)
    assert [row for i in range(4) for row in ids(train.shard(i, 4))] == ids(train)
    third = train.shard(2, 4)
    found = [row for batch in third.batch(4, shuffle=True, seed=0) for row in batch["id"].numpy().tolist()]
    assert sorted(found) == ids(third) != found


@pytest.mark.parametrize("index, count", [(4, 4), (-1, 4), (0, 0)])
def test_a_shard_that_does_not_exist_is_refused(rows: Rows, index: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"Received index={index}, count={count}"):
        rows.shard(index, count)
    with pytest.raises(ValueError, match="103 rows can't be cut into 104 shards"):
        rows.shard(0, 104)


@pytest.mark.parametrize("encode", [False, True])
def test_unique_keeps_the_first_row_of_each_value_in_order(encode: bool) -> None:
    keys = pa.chunked_array([["b", "a", None], ["b", "c", "a", None]])
    data = pa.table({"key": keys.dictionary_encode() if encode else keys, "place": list(range(7))})
    schema = Schema([ColumnSchema("key", properties={"nullable": True}, dtype="string"), ColumnSchema("place")])
    assert [row["place"] for row in read(data, schema).unique(by="key").take(9)] == [0, 1, 2, 4]


@settings(deadline=None, max_examples=20)
@given(keys=st.lists(st.integers(2**53 - 2, 2**53 + 2), min_size=1, max_size=30), group=st.integers(1, 9))
def test_unique_by_an_integer_is_what_a_loop_finds(
    tmp_path_factory: pytest.TempPathFactory, keys: list[int], group: int
) -> None:
    path = tmp_path_factory.mktemp("unique") / "rows.parquet"
    pq.write_table(pa.table({"key": keys, "place": list(range(len(keys)))}), path, row_group_size=group)
    first: dict[int, int] = {}
    for place, key in enumerate(keys):
        first.setdefault(key, place)
    unique = read(path, Schema(["place", "key"])).unique(by="key")
    assert [(row["key"], row["place"]) for row in unique.take(99)] == list(first.items())


def test_unique_reads_the_key_and_then_only_parts_with_a_first_row(rows: Rows, reads: list) -> None:
    schema = Schema([ColumnSchema("id"), ColumnSchema("name", dtype="string")])
    same = rows.where(RowMask.ranges(COUNT, [(0, 3), (80, 83)])).select(schema)
    assert len(same.unique(by="name")) == 6
    assert [columns for _, columns in reads] == [["name"], ["name"], ["id", "name"], ["id", "name"]]


def test_unique_of_a_split_and_of_no_column(rows: Rows) -> None:
    assert ids(rows.where(RowMask.ranges(COUNT, [(5, 8)])).unique(by="name")) == [5, 6, 7]
    with pytest.raises(KeyError, match="no column 'nothing'"):
        rows.unique(by="nothing")
    lists = read({"x": [[1], [2]]}, Schema([ColumnSchema("x", is_list=True)]))
    with pytest.raises(TypeError, match="'x' holds lists"):
        lists.unique(by="x")


def test_a_frame_holds_the_rows_and_nullable_integers_stay_exact() -> None:
    big = 2**53 + 1
    nullable = {"nullable": True}
    schema = Schema(
        [
            ColumnSchema("id", [Tags.ITEM_ID], nullable),
            ColumnSchema("small", [Tags.CATEGORICAL], nullable, "int32"),
            ColumnSchema("count"),
            ColumnSchema("name", dtype="string"),
            ColumnSchema("list", is_list=True),
        ]
    )
    data = {"id": [big, None], "small": [None, 3], "count": [big, 2], "name": ["a", "b"], "list": [[1], []]}
    frame = read(data, schema).to_pandas()
    assert frame["id"].astype(object).tolist()[0] == big
    assert frame["id"].isna().tolist() == [False, True]
    assert frame.dtypes[["id", "small", "count"]].astype(str).tolist() == ["Int64", "Int32", "int64"]
    assert frame["name"].tolist() == ["a", "b"]
    assert [list(each) for each in frame["list"]] == [[1], []]


def test_without_pandas_the_extra_is_named(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"`pandas` is needed.*tfdual\[frames\]"):
        rows.to_pandas()


def test_rows_that_are_all_masked_out_are_empty_everywhere(rows: Rows) -> None:
    none = rows.where(RowMask([np.zeros(COUNT, bool)]))
    assert (len(none), none.take(3), none.to_arrow().num_rows, list(none.tables())) == (0, [], 0, [])
    assert len(none.unique(by="id")) == 0
    with pytest.raises(ValueError, match="has 0 rows: no batch of 4"):
        none.batch(4)


def test_csv_is_read_once_to_be_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("a", "b"):
        (tmp_path / f"{file}.csv").write_text("id,name\n" + "".join(f"{i},n{i}\n" for i in range(10)))
    rows = read(tmp_path, SCHEMA)
    opened: list[str] = []
    blocks = rows.stream.source.blocks

    def counting(part, wanted, size) -> Iterator:
        opened.append(Path(part.file).name)
        return blocks(part, wanted, size)

    monkeypatch.setattr(rows.stream.source, "blocks", counting)
    assert rows.take(2)[1]["name"] == "n1"
    assert opened == ["a.csv"]
    assert [len(rows), len(rows.shard(0, 3)), len(rows)] == [20, 6, 20]
    assert opened == ["a.csv", "a.csv", "b.csv"]
