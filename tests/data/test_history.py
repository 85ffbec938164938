"""Histories: what a loop over the rows finds, and nothing of the present, the future or other parts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfdual import ColumnSchema, Rows, Schema, Tags, read
from tfdual.data import group_by, join, leave_one_out_split, time_split, with_history
from tfdual.data.row_mask import RowMask

SCHEMA = Schema(
    [
        ColumnSchema("id"),
        ColumnSchema("user", [Tags.USER_ID], dtype="string"),
        ColumnSchema("item", [Tags.ITEM_ID], {"domain": {"name": "items", "min": 0, "max": 50}}),
        ColumnSchema("word", dtype="string"),
        ColumnSchema("stars", dtype="float32"),
        ColumnSchema("time"),
    ]
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """400 rows of 12 users, many at one time, in row groups of 37."""
    rng = np.random.default_rng(3)
    item = rng.integers(0, 51, 400)
    columns = {
        "id": np.arange(400),
        "user": [f"u{each}" for each in rng.integers(0, 12, 400)],
        "item": item,
        "word": [f"w{each % 5}" for each in item],
        "stars": rng.integers(0, 10, 400).astype(np.float32),
        "time": rng.integers(0, 25, 400),
    }
    path = tmp_path_factory.mktemp("history") / "rows.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=37)
    return read(path, SCHEMA)


def listed(rows: Rows) -> list[dict[str, Any]]:
    return rows.to_arrow().to_pylist()


def before(events: list[dict[str, Any]], row: dict[str, Any]) -> list[dict[str, Any]]:
    """What the row's user did at earlier times, by time and then as stored."""
    earlier = [each for each in events if each["user"] == row["user"] and each["time"] < row["time"]]
    return sorted(earlier, key=lambda each: (each["time"], each["id"]))


@pytest.mark.parametrize("max_length", [1, 3, 1000])
def test_a_row_has_what_its_user_did_at_earlier_times_oldest_first(rows: Rows, max_length: int) -> None:
    columns = {"item": "items", "word": "words", "stars": "scores"}
    found = with_history(rows, "user", "time", columns, max_length)
    events = listed(rows)
    expected = [
        row | {new: [each[name] for each in before(events, row)[-max_length:]] for name, new in columns.items()}
        for row in events
    ]
    assert listed(found) == expected
    assert len(found) == 400


def test_the_lists_have_the_domain_of_their_column_and_the_side_of_the_user(rows: Rows) -> None:
    schema = with_history(rows, "user", "time", {"item": "items", "stars": "scores"}, 3).schema
    assert schema["items"].tags == {Tags.USER, Tags.SEQUENCE}
    assert (schema["items"].is_ragged, schema["items"].dtype, schema["items"].domain_name) == (True, "int64", "items")
    assert schema["items"].cardinality == 51
    assert schema["scores"].domain_name == "stars"
    assert schema["scores"].dtype == "float32"


def test_histories_of_a_training_part_hold_no_test_row(rows: Rows) -> None:
    for train, test in (time_split(rows, "time", (0.6, 0.4)), leave_one_out_split(rows, "user", "time")):
        tested = {row["id"] for row in listed(test)}
        seen = {
            each for row in listed(with_history(train, "user", "time", {"id": "past"}, 1000)) for each in row["past"]
        }
        assert seen
        assert seen.isdisjoint(tested)
        events = listed(train)
        assert [row["past"] for row in listed(with_history(train, "user", "time", {"id": "past"}, 1000))] == [
            [each["id"] for each in before(events, row)] for row in events
        ]


def test_histories_of_all_rows_split_by_time_let_test_rows_know_the_past_and_train_rows_no_test_row(rows: Rows) -> None:
    train, test = time_split(with_history(rows, "user", "time", {"id": "past"}, 1000), "time", (0.6, 0.4))
    trained, tested = ({row["id"] for row in listed(part)} for part in (train, test))
    assert all(tested.isdisjoint(row["past"]) for row in listed(train))
    assert any(trained & set(row["past"]) for row in listed(test))
    events = listed(rows)
    assert [row["past"] for row in listed(test)] == [
        [each["id"] for each in before(events, row)] for row in listed(test)
    ]


def test_histories_go_on_to_batches_shards_joins_and_further_histories(rows: Rows) -> None:
    table = read(
        {"item": range(51), "price": np.arange(51) / 2}, Schema(["item", ColumnSchema("price", dtype="float32")])
    )
    full = join(with_history(rows, "user", "time", {"item": "items"}, 4), table, on="item")
    full = with_history(full, "user", "time", {"price": "prices"}, 4)
    expected = {row["id"]: [each["item"] for each in before(listed(rows), row)[-4:]] for row in listed(rows)}
    seen = 0
    for batch in full.shard(1, 3).batch(32, shuffle=True, seed=0):
        for i, items, prices in zip(
            batch["id"].numpy(), batch["items"].to_list(), batch["prices"].to_list(), strict=True
        ):
            assert items == expected[i]
            assert prices == [each / 2 for each in items]
            seen += 1
    assert seen == 133


def test_the_lists_alone_can_be_read(rows: Rows) -> None:
    found = with_history(rows, "user", "time", {"item": "items"}, 2)
    alone = found.select(found.schema.select_by_name("items"))
    assert listed(alone) == [{"items": row["items"]} for row in listed(found)]


def grouped(events: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for user in dict.fromkeys(row["user"] for row in events):
        yield user, sorted((row for row in events if row["user"] == user), key=lambda row: (row["time"], row["id"]))


@pytest.mark.parametrize("max_length", [None, 1, 20])
@pytest.mark.parametrize("masked", [False, True])
def test_a_group_has_its_rows_oldest_first_in_the_order_of_first_rows(
    rows: Rows, masked: bool, max_length: int | None
) -> None:
    if masked:
        rows = rows.where(RowMask([np.random.default_rng(0).random(400) < 0.3]))
    found = group_by(rows, "user", "time", ["item", "word", "time"], max_length)
    expected = [
        {"user": user}
        | {name: [row[name] for row in each][-(max_length or 400) :] for name in ("item", "word", "time")}
        for user, each in grouped(listed(rows))
    ]
    assert listed(found) == expected
    assert found.schema["item"].tags == {Tags.USER, Tags.SEQUENCE}


def test_integer_users_with_neighbouring_large_ids_are_not_mixed_up() -> None:
    data = {"user": [2**53, 2**53 + 1, 2**53], "item": [1, 2, 3], "time": [0, 0, 1]}
    rows = read(data, Schema(["user", "item", "time"]))
    assert listed(group_by(rows, "user", "time", ["item"])) == [
        {"user": 2**53, "item": [1, 3]},
        {"user": 2**53 + 1, "item": [2]},
    ]
    assert [row["past"] for row in listed(with_history(rows, "user", "time", {"item": "past"}, 9))] == [[], [], [1]]


@pytest.mark.parametrize(
    "lacking, message",
    [("user", "'user' tells where"), ("time", "'time' tells where"), ("stars", "1 rows lack 'stars'")],
)
def test_a_missing_user_time_or_value_is_refused(lacking: str, message: str) -> None:
    nullable = {"nullable": True}
    schema = Schema(
        [
            ColumnSchema("user", (), nullable, "string"),
            ColumnSchema("time", (), nullable, "float64"),
            ColumnSchema("stars", (), nullable, "float32"),
        ]
    )
    data: dict[str, list] = {"user": ["a", "a", "b"], "time": [0.0, 1.0, 2.0], "stars": [1.0, 2.0, 3.0]}
    data[lacking][1] = None
    rows = read(data, schema)
    for make in (
        lambda: with_history(rows, "user", "time", {"stars": "past"}, 3),
        lambda: group_by(rows, "user", "time", ["stars"]),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_histories_that_mean_nothing_are_refused(rows: Rows) -> None:
    with pytest.raises(ValueError, match="max_length is at least 1. Received 0"):
        with_history(rows, "user", "time", {"item": "past"}, 0)
    with pytest.raises(ValueError, match="max_length is at least 1. Received 0"):
        group_by(rows, "user", "time", ["item"], 0)
    with pytest.raises(ValueError, match=r"columns \['word'\] already"):
        with_history(rows, "user", "time", {"item": "word"}, 3)
    with pytest.raises(KeyError, match="no column 'age'"):
        with_history(rows, "age", "time", {"item": "past"}, 3)
    with pytest.raises(TypeError, match="A time is a single number. 'word' holds string"):
        group_by(rows, "user", "word", ["item"])
    with pytest.raises(TypeError, match="A key is a single integer or string. 'stars' holds float32"):
        group_by(rows, "stars", "time", ["item"])
    with pytest.raises(ValueError, match="'user' tells the groups"):
        group_by(rows, "user", "time", ["user"])
    lists = with_history(rows, "user", "time", {"item": "items"}, 3)
    with pytest.raises(TypeError, match="'items' is a list"):
        with_history(lists, "user", "time", {"items": "past"}, 3)
    with pytest.raises(ValueError, match="has no rows left"):
        group_by(rows.where(RowMask([np.zeros(400, bool)])), "user", "time", ["item"])
