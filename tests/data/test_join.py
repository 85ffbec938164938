"""Joins of interactions with user and item tables: what a loop over dicts finds, streamed."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdual import ColumnSchema, Rows, Schema, read
from tfdual.data import group_split, join, key_hash, random_split
from tfdual.data.row_mask import RowMask

NULLABLE = {"nullable": True}
ITEMS = Schema(
    [
        ColumnSchema("item"),
        ColumnSchema("price", (), NULLABLE, "float32"),
        ColumnSchema("title", (), NULLABLE, "string"),
        ColumnSchema("genres", (), NULLABLE, is_list=True),
        ColumnSchema("vector", (), NULLABLE, "float32", dims=(None, 2)),
    ]
)


def item(key: int) -> dict[str, Any]:
    genres = list(range(key % 3))
    return {"item": key, "price": key / 2, "title": f"t{key}", "genres": genres, "vector": [float(key), 1.0]}


def items(keys: list[int]) -> Rows:
    return read(pa.Table.from_pylist([item(key) for key in keys]), ITEMS)


@pytest.fixture(scope="module")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """60 rows in two files and six parts; items 0 .. 9."""
    folder = tmp_path_factory.mktemp("clicks")
    table = pa.table({"id": list(range(60)), "item": np.random.default_rng(0).integers(0, 10, 60)})
    pq.write_table(table.slice(0, 35), folder / "a.parquet", row_group_size=12)
    pq.write_table(table.slice(35), folder / "b.parquet", row_group_size=9)
    return read(folder, Schema(["id", "item"]))


def listed(rows: Rows) -> list[dict[str, Any]]:
    return rows.to_arrow().to_pylist()


def test_every_row_gets_the_columns_of_its_item(clicks: Rows) -> None:
    keys = [7, 3, 0, 9, 1, 2, 8, 4, 6, 5, 11]
    joined = join(clicks, items(keys), on="item")
    assert joined.schema.column_names == ["id", "item", "price", "title", "genres", "vector"]
    assert len(joined) == 60
    assert listed(joined) == [row | item(row["item"]) for row in listed(clicks)]


@settings(deadline=None, max_examples=40)
@given(
    left=st.lists(st.sampled_from(["", "a", "b", "é", "ab", None]), min_size=1, max_size=12),
    right=st.lists(st.sampled_from(["", "a", "b", "é", "zz", None]), min_size=1, max_size=5, unique=True),
    unmatched=st.sampled_from(["drop", "null"]),
    buckets=st.sampled_from([2, 2**63 - 1]),
)
def test_string_keys_match_exactly_even_where_their_hashes_collide(
    left: list, right: list, unmatched: str, buckets: int
) -> None:
    key = ColumnSchema("key", (), NULLABLE, "string")
    rows = read(pa.table({"key": pa.array(left, pa.string()), "n": list(range(len(left)))}), Schema([key, "n"]))
    places = pa.table({"key": pa.array(right, pa.string()), "place": [float(i) for i in range(len(right))]})
    table = read(places, Schema([key, ColumnSchema("place", (), NULLABLE, "float32")]))
    place = {each: float(i) for i, each in enumerate(right) if each is not None}
    expected = [(n, place.get(each)) for n, each in enumerate(left) if unmatched == "null" or each in place]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_hash, "_BUCKETS", buckets)
        joined = join(rows, table, on="key", unmatched=unmatched)
        assert [(row["n"], row["place"]) for row in listed(joined)] == expected
        assert len(joined) == len(expected)


@pytest.mark.parametrize("left, right", [("int32", "int64"), ("int64", "int32")])
def test_integer_keys_may_differ_in_width(left: str, right: str) -> None:
    rows = read({"key": [1, -2, 1]}, Schema([ColumnSchema("key", dtype=left)]))
    table = read({"key": [-2, 1], "x": [5, 6]}, Schema([ColumnSchema("key", dtype=right), "x"]))
    assert listed(join(rows, table, on="key")) == [{"key": 1, "x": 6}, {"key": -2, "x": 5}, {"key": 1, "x": 6}]


def test_large_keys_are_not_mixed_up() -> None:
    rows = read({"key": [2**53 + 1, 2**53]}, Schema(["key"]))
    table = read({"key": [2**53, 2**53 + 1], "x": [0, 1]}, Schema(["key", "x"]))
    assert [row["x"] for row in listed(join(rows, table, on="key"))] == [1, 0]


def test_a_key_without_a_row_raises_drops_or_leaves_columns_empty(clicks: Rows) -> None:
    table = items([0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match=r"The table has no row for item = \d, which .* holds. Add it"):
        join(clicks, table, on="item").to_arrow()
    dropped = join(clicks, table, on="item", unmatched="drop")
    assert listed(dropped) == [row | item(row["item"]) for row in listed(clicks) if row["item"] < 5]
    kept = join(clicks, table, on="item", unmatched="null")
    empty = {"price": None, "title": None, "genres": [], "vector": [0.0, 0.0]}
    assert listed(kept) == [row | (item(row["item"]) if row["item"] < 5 else empty) for row in listed(clicks)]


def test_rows_can_be_dropped_down_to_none_and_tables_can_be_empty(clicks: Rows) -> None:
    strangers = join(clicks, items([77]), on="item", unmatched="drop")
    assert (len(strangers), strangers.take(1)) == (0, [])
    nothing = items([1]).where(RowMask([np.array([False])]))
    assert len(join(clicks, nothing, on="item", unmatched="drop")) == 0
    assert {row["title"] for row in listed(join(clicks, nothing, on="item", unmatched="null"))} == {None}


def test_joined_rows_split_shuffle_shard_and_batch_as_others(clicks: Rows) -> None:
    joined = join(clicks, items(list(range(10))), on="item")
    train, test = random_split(joined, (0.7, 0.3), seed=2)
    seen: list[int] = []
    for batch in train.shard(1, 2).batch(4, shuffle=True, seed=0):
        for i, key, title, genres, vector in zip(
            *(batch[name].numpy() for name in ("id", "item", "title")), batch["genres"], batch["vector"], strict=True
        ):
            assert title.decode() == f"t{key}"
            assert (genres.numpy().tolist(), vector.numpy().tolist()) == (list(range(key % 3)), [key, 1])
            seen.append(int(i))
    assert sorted(seen) == [row["id"] for row in listed(train)][21:]
    assert len(test) == 18


def test_a_join_of_a_split_and_of_a_join_keeps_to_the_rows_in_use(clicks: Rows) -> None:
    _, part = group_split(clicks, "id", (0.5, 0.5), seed=1)
    sellers = read(
        {"price": [0.0, 2.0, 4.0], "seller": [5, 6, 7]}, Schema([ColumnSchema("price", dtype="float32"), "seller"])
    )
    full = join(
        join(part, items(list(range(10))), on="item"),
        read({"item": range(10), "n": range(10)}, Schema(["item", "n"])),
        on="item",
    )
    assert listed(full) == [row | item(row["item"]) | {"n": row["item"]} for row in listed(part)]
    assert full.select(Schema(["n"])).take(99) == [{"n": row["item"]} for row in listed(part)]
    with pytest.raises(TypeError, match="'price' holds float32"):
        join(full, sellers, on="price")


def test_only_the_columns_asked_for_are_read(clicks: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[list[str]] = []
    blocks = clicks.stream.source.blocks
    monkeypatch.setattr(
        clicks.stream.source,
        "blocks",
        lambda part, columns, size: wanted.append(columns.names) or blocks(part, columns, size),
    )
    joined = join(clicks, items(list(range(10))), on="item")
    assert (wanted, len(joined)) == ([], 60)
    assert joined.select(Schema(["id"])).take(1) == [{"id": 0}]
    assert joined.select(ITEMS.select_by_name("title")).take(2)[1]["title"].startswith("t")
    assert wanted == [["id"], ["item"]]


def test_a_bad_value_behind_a_join_and_a_mask_is_named_with_its_place(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [*range(40), None], "item": [1] * 41}), tmp_path / "x.parquet", row_group_size=9)
    rows = read(tmp_path, Schema(["id", "item"])).where(RowMask([np.arange(41) % 2 == 0]))
    with pytest.raises(ValueError, match=r"Column 'id' of .*x\.parquet, row 40: the value is missing"):
        join(rows, items([1]), on="item").to_arrow()


def test_csv_is_joined_without_being_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.csv").write_text("item\n3\n1\n")
    rows = read(tmp_path / "x.csv", Schema(["item"]))
    monkeypatch.setattr(rows.stream.source, "count", lambda part: pytest.fail("read to be counted"))
    assert [row["price"] for row in join(rows, items([1, 3]), on="item").take(9)] == [1.5, 0.5]


@pytest.mark.parametrize("columns", [{"genres": [[1], [2]]}, {"genres": [[1], [-1]]}])
def test_a_value_of_the_table_is_checked_before_it_is_joined(clicks: Rows, columns: dict) -> None:
    table = read({"item": [0, 1]} | columns, ITEMS.select_by_name(["item", "genres"]))
    if columns["genres"][1] == [-1]:
        with pytest.raises(ValueError, match="Column 'genres' of The dict, row 1: an id is negative"):
            join(clicks, table, on="item")
    else:
        assert len(join(clicks, table, on="item", unmatched="drop")) > 0


def test_joins_that_mean_nothing_are_refused(clicks: Rows) -> None:
    with pytest.raises(ValueError, match="The key 3 of 'item' stands more than once. Use `rows.unique"):
        join(clicks, items([1, 3, 2, 3]), on="item")
    with pytest.raises(ValueError, match="unmatched is .* Received 'left'"):
        join(clicks, items([1]), on="item", unmatched="left")
    with pytest.raises(KeyError, match="no column 'user'"):
        join(clicks, items([1]), on="user")
    with pytest.raises(ValueError, match=r"The columns \['id'\] stand on both sides"):
        join(clicks, read({"item": [1], "id": [2]}, Schema(["item", "id"])), on="item")
    with pytest.raises(TypeError, match="strings or integers on both sides. Received int64 and string"):
        join(clicks, read({"item": ["1"]}, Schema([ColumnSchema("item", dtype="string")])), on="item")
    with pytest.raises(TypeError, match="'item' holds lists of int64"):
        join(clicks, read({"item": [[1]]}, Schema([ColumnSchema("item", is_list=True)])), on="item")
    with pytest.raises(ValueError, match=r"needs nullable columns, and \['x'\] are not"):
        join(clicks, read({"item": [1], "x": [2]}, Schema(["item", "x"])), on="item", unmatched="null")
    with pytest.raises(TypeError, match="join.. takes Rows twice, .* Received dict"):
        join(clicks, {"item": [1]}, on="item")  # type: ignore[arg-type]
