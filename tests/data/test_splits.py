"""Splits: sizes, determinism, and no leakage."""

from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdual import ColumnSchema, Rows, Schema, Tags, read
from tfdual.data import group_split, leave_one_out_split, random_split, splits, time_split
from tfdual.data.row_mask import RowMask

SCHEMA = Schema(["id", "user", ColumnSchema("name", dtype="string"), ColumnSchema("time", dtype="float64")])
NULLABLE = {"nullable": True}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """1000 rows of 80 users at 40 times, in row groups of 90."""
    rng = np.random.default_rng(0)
    user = rng.integers(0, 80, 1000)
    columns = {"id": np.arange(1000), "user": user, "name": [f"u{each}" for each in user]}
    path = tmp_path_factory.mktemp("splits") / "rows.parquet"
    pq.write_table(pa.table(columns | {"time": rng.integers(0, 40, 1000) / 4}), path, row_group_size=90)
    return read(path, SCHEMA)


def column(rows: Rows, name: str = "id") -> list[Any]:
    return rows.to_arrow()[name].to_pylist()


def assert_partition(parts: list[Rows], whole: Rows) -> None:
    """Every row is in exactly one part, in stored order."""
    found = [column(part) for part in parts]
    assert all(each == sorted(each) for each in found)
    assert sorted(chain(*found)) == column(whole)
    assert [len(part) for part in parts] == [len(each) for each in found]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), cut=st.integers(1, 9), chunk=st.sampled_from([64, 1 << 20]))
def test_a_random_split_has_exactly_its_shares(rows: Rows, seed: int, cut: int, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splits, "_CHUNK_ROWS", chunk)
        parts = random_split(rows, (cut / 10, (9.5 - cut) / 10, 0.05), seed)
    assert [len(part) for part in parts] == [100 * cut, 950 - 100 * cut, 50]
    assert_partition(parts, rows)


def test_a_random_split_is_told_by_its_seed_and_spread_over_the_rows(rows: Rows) -> None:
    first, again, other = (column(random_split(rows, (0.7, 0.3), seed)[1]) for seed in (1, 1, 2))
    assert first == again != other
    counts = np.histogram(first, 10, (0, 1000))[0]
    assert ((counts - 30) ** 2 / (30 * 0.7)).sum() < 34  # chi-square, 9 degrees of freedom: p = 1e-4


def test_time_split_by_fractions_never_tests_on_what_was_before(rows: Rows) -> None:
    parts = time_split(rows, "time", (0.7, 0.2, 0.1))
    assert_partition(parts, rows)
    times = [column(part, "time") for part in parts]
    assert max(times[0]) < min(times[1])
    assert max(times[1]) < min(times[2])
    assert [len(part) / 1000 for part in parts] == pytest.approx([0.7, 0.2, 0.1], abs=0.04)  # a time has 25 rows


def test_time_split_at_times_begins_the_parts_there(rows: Rows) -> None:
    parts = time_split(rows, "time", at=(3, 7.5))
    times = column(rows, "time")
    expected = [[i for i, t in enumerate(times) if low <= t < high] for low, high in ((-1, 3), (3, 7.5), (7.5, 99))]
    assert [column(part) for part in parts] == expected


@pytest.mark.parametrize(
    "at",
    [
        ["2018-09-10", "2018-09-20T12:00:00+02:00"],
        [datetime(2018, 9, 10), datetime(2018, 9, 20, 10)],
        [date(2018, 9, 10), datetime(2018, 9, 20, 10)],
        np.array(["2018-09-10T00", "2018-09-20T10"], "datetime64[s]"),
        [1536537600, 1537437600.0],
    ],
    ids=["text", "datetimes", "date", "numpy", "seconds"],
)
def test_time_split_takes_times_as_text_and_dates(at: Any) -> None:
    days = ["2018-09-09", "2018-09-10", "2018-09-20T09:59:59", "2018-09-20T10:00:00"]
    rows = read({"id": range(4), "t": days}, Schema(["id", ColumnSchema("t", [Tags.TIME], dtype="int64")]))
    assert [column(part) for part in time_split(rows, "t", at=at)] == [[0], [1, 2], [3]]


def test_times_beyond_two_to_the_53_are_told_apart() -> None:
    rows = read({"id": range(4), "t": [2**53 + 1, 2**53, 2**53 - 1, 2**53 + 2]}, Schema(["id", "t"]))
    assert [column(part) for part in time_split(rows, "t", (0.5, 0.5))] == [[1, 2], [0, 3]]


def test_a_group_is_in_one_part_only_and_stays_there_when_rows_come(rows: Rows) -> None:
    parts = group_split(rows, "user", (0.5, 0.3, 0.2), seed=4)
    assert_partition(parts, rows)
    users = [set(column(part, "user")) for part in parts]
    assert sum(len(each) for each in users) == len(set().union(*users)) == 80
    before = group_split(rows.where(RowMask.ranges(1000, [(0, 500)])), "user", (0.5, 0.3, 0.2), seed=4)
    assert all(set(column(old, "user")) <= new for old, new in zip(before, users, strict=True))
    assert {len(each) for each in users} != {
        len(set(column(p, "user"))) for p in group_split(rows, "user", (0.5, 0.3, 0.2), 5)
    }


def test_groups_by_name_share_out_the_names_in_their_fractions() -> None:
    rows = read({"name": [f"user {i}" for i in range(20_000)]}, Schema([ColumnSchema("name", dtype="string")]))
    parts = group_split(rows, "name", (0.9, 0.1))
    assert len(parts[1]) == pytest.approx(2000, abs=150)  # 3.5 standard deviations


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("by", ["user", "name"])
def test_leave_one_out_is_what_a_loop_over_the_users_finds(rows: Rows, by: str, count: int) -> None:
    few = rows.where(RowMask([np.random.default_rng(1).random(1000) < 0.2]))
    events: dict[Any, list[tuple[float, int]]] = {}
    for row in few.take(1000):
        events.setdefault(row[by], []).append((row["time"], row["id"]))
    expected: list[list[int]] = [[] for _ in range(count)]
    for each in events.values():
        ordered = [row for _, row in sorted(each)]  # ids rise with the stored order, so ties are in that order
        last = count - 1 if len(ordered) >= count else 0
        expected[0] += ordered[: len(ordered) - last]
        for part, row in enumerate(ordered[len(ordered) - last :], 1):
            expected[part].append(row)
    assert min(len(each) for each in events.values()) < count
    parts = leave_one_out_split(few, by, "time", count)
    assert [column(part) for part in parts] == [sorted(each) for each in expected]


def test_a_part_can_be_split_again(rows: Rows) -> None:
    train, test = time_split(rows, "time", (0.8, 0.2))
    again = [*random_split(train, (0.5, 0.5)), test]
    assert_partition(again, rows)
    assert len(again[0]) == round(len(train) / 2)
    third = leave_one_out_split(again[0], "user", "time")
    assert_partition([*third, *again[1:]], rows)


def test_files_that_do_not_tell_their_rows_are_split_too(tmp_path: Path) -> None:
    for name, start in (("a", 0), ("b", 70)):
        lines = [f"{i},{i % 9},u,{i}" for i in range(start, start + 70)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["id,user,name,time", *lines]) + "\n")
    rows = read(tmp_path, SCHEMA)
    for parts in (
        random_split(rows, (0.5, 0.5)),
        time_split(rows, "time", (0.6, 0.4)),
        group_split(rows, "user", (0.5, 0.5)),
        leave_one_out_split(rows, "user", "time"),
    ):
        assert_partition(parts, rows)


def test_a_split_reads_its_columns_alone_and_once(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[list[str]] = []
    blocks = rows.stream.source.blocks
    monkeypatch.setattr(
        rows.stream.source,
        "blocks",
        lambda part, columns, size: wanted.append(columns.names) or blocks(part, columns, size),
    )
    random_split(rows, (0.5, 0.5))
    assert wanted == []
    time_split(rows, "time", (0.6, 0.2, 0.2))
    assert wanted == [["time"]] * 12
    leave_one_out_split(rows, "user", "time")
    assert wanted[12:] == [["user", "time"]] * 12


@pytest.mark.parametrize("fractions", [(1.0,), (0.5, 0.4), (0.5, 0.6), (1.2, -0.2), (0.5, float("nan")), 0.8])
def test_fractions_that_are_no_shares_are_refused(rows: Rows, fractions: Any) -> None:
    for split in (lambda: random_split(rows, fractions), lambda: group_split(rows, "user", fractions)):
        with pytest.raises(ValueError, match="two or more positive fractions that add up to 1"):
            split()


def test_a_part_without_rows_is_refused(rows: Rows) -> None:
    one = rows.where(RowMask.ranges(1000, [(3, 4)]))
    for split in (
        lambda: random_split(rows, (0.9999, 0.0001)),
        lambda: time_split(rows, "time", at=[-1]),
        lambda: time_split(one, "time", (0.5, 0.5)),
        lambda: group_split(one, "user", (0.5, 0.5)),
        lambda: leave_one_out_split(one, "user", "time"),
    ):
        with pytest.raises(ValueError, match=r"Part \d of the split would hold no row: sizes"):
            split()
    with pytest.raises(ValueError, match="no rows left to split"):
        group_split(rows.where(RowMask([np.zeros(1000, bool)])), "user", (0.5, 0.5))


def test_columns_that_tell_no_time_or_group_are_refused(rows: Rows) -> None:
    with pytest.raises(TypeError, match="A time is a single number. 'name' holds string"):
        time_split(rows, "name", (0.5, 0.5))
    with pytest.raises(TypeError, match="A time is a single number. 'name' holds string"):
        leave_one_out_split(rows, "user", "name")
    with pytest.raises(TypeError, match="A key is a single integer or string. 'time' holds float64"):
        group_split(rows, "time", (0.5, 0.5))
    with pytest.raises(KeyError, match="no column 'age'"):
        leave_one_out_split(rows, "age", "time")


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"fractions": (0.5, 0.5), "at": [1]},
        {"at": [3, 3]},
        {"at": [4, 3]},
        {"at": []},
        {"at": 3},
        {"at": ["11/9/2019"]},
        {"at": ["2019-01-01", 5]},
        {"at": [None]},
        {"at": [float("nan")]},
        {"at": [[3]]},
    ],
)
def test_time_split_needs_fractions_or_rising_times(rows: Rows, arguments: dict) -> None:
    with pytest.raises(ValueError, match="Give one of them|begin one after the other"):
        time_split(rows, "time", **arguments)
    with pytest.raises(ValueError, match="2 or 3 parts. Received 4"):
        leave_one_out_split(rows, "user", "time", 4)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_row_without_time_or_user_is_refused_not_put_somewhere(missing: Any) -> None:
    schema = Schema([ColumnSchema("user", ["categorical"], NULLABLE), ColumnSchema("time", (), NULLABLE, "float64")])
    rows = read({"user": [1, 1, 2], "time": pa.array([1.0, missing, 2.0])}, schema)
    for split in (lambda: time_split(rows, "time", (0.5, 0.5)), lambda: leave_one_out_split(rows, "user", "time")):
        with pytest.raises(ValueError, match="Column 'time' tells where a row belongs, and 1 rows lack it"):
            split()
    nobody = read({"user": [1, None, 2], "time": [1.0, 2.0, 3.0]}, schema)
    with pytest.raises(ValueError, match="Column 'user' tells where a row belongs"):
        group_split(nobody, "user", (0.5, 0.5))
