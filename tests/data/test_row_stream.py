"""Pieces of rows know their file and their place, masked or not; a fault is told for its first row."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfdual import ColumnSchema, Rows, Schema, read
from tfdual.data.row_mask import RowMask
from tfdual.data.row_stream import RowStream
from tfdual.data.sources import csv, json_lines
from tfdual.data.sources.source import Part

SCHEMA = Schema(["x"])


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Rows 0 .. 29 in a.parquet and 30 .. 49 in b.parquet."""
    pq.write_table(pa.table({"x": list(range(30))}), tmp_path / "a.parquet", row_group_size=10)
    pq.write_table(pa.table({"x": list(range(30, 50))}), tmp_path / "b.parquet", row_group_size=6)
    return read(tmp_path, SCHEMA)


def places(stream: RowStream, parts: list[int] | None = None) -> list[tuple[str, int, int, int]]:
    return [
        (Path(piece.file).name, int(row), int(position), x)
        for piece in stream.pieces(parts)
        for row, position, x in zip(piece.rows, piece.positions, piece.block.table["x"].to_pylist(), strict=True)
    ]


def expected(x: int) -> tuple[str, int, int, int]:
    return ("a.parquet", x, x, x) if x < 30 else ("b.parquet", x - 30, x, x)


@pytest.mark.parametrize("keep", [range(50), range(3, 50, 7), [29, 30], []])
def test_every_row_in_use_knows_file_row_and_position(rows: Rows, keep: list[int]) -> None:
    mask = RowMask([np.isin(np.arange(50), list(keep))])
    assert places(rows.where(mask).stream) == [expected(x) for x in keep]


def test_parts_come_in_the_order_asked_for(rows: Rows) -> None:
    assert [x for *_, x in places(rows.stream, [4, 0])] == [*range(36, 42), *range(10)]
    masked = rows.where(RowMask([np.arange(50) % 5 == 0])).stream
    assert places(masked, [3, 1]) == [expected(x) for x in (30, 35, 10, 15)]


def test_parts_without_a_row_in_use_are_not_read(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    blocks = rows.stream.source.blocks
    monkeypatch.setattr(
        rows.stream.source, "blocks", lambda part, *rest: opened.append(part.index) or blocks(part, *rest)
    )
    assert [row["x"] for row in rows.where(RowMask.ranges(50, [(12, 14), (30, 31)])).take(9)] == [12, 13, 30]
    assert opened == [1, 3]


def test_a_fault_names_file_and_row_also_behind_a_mask(tmp_path: Path) -> None:
    values = [*range(30), None, *range(31, 40), None]
    pq.write_table(pa.table({"x": values}), tmp_path / "a.parquet", row_group_size=8)
    rows = read(tmp_path, SCHEMA)
    with pytest.raises(ValueError, match=r"Column 'x' of .*a\.parquet, row 30: the value is missing"):
        rows.to_arrow()
    with pytest.raises(ValueError, match=r"a\.parquet, row 40: the value is missing"):
        rows.where(RowMask([np.arange(41) % 20 == 0])).to_arrow()
    assert len(rows.where(RowMask([np.arange(41) % 10 == 1])).to_arrow()) == 4


def test_the_first_row_at_fault_is_the_one_that_is_told() -> None:
    rows = read({"a": [0, 1, None], "b": [0.0, float("inf"), 1.0]}, Schema(["a", ColumnSchema("b", dtype="float32")]))
    with pytest.raises(ValueError, match="Column 'b' of The dict, row 1: the value is infinite"):
        rows.to_arrow()


def test_rows_of_parts_that_are_counted_by_reading_have_positions(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n2\n3\n")
    (tmp_path / "b.csv").write_text("x\n4\n5\n")
    stream = read(tmp_path, SCHEMA).stream
    assert (stream.part_rows, stream.part_starts) == ([3, 2], [0, 3, 5])
    assert [piece.positions.tolist() for piece in stream.pieces([1, 0])] == [[3, 4], [0, 1, 2]]


@pytest.mark.parametrize("suffix, text", [(".csv", "x\n{}\n"), (".jsonl", '{{"x": {}}}\n')])
def test_the_parts_of_many_files_are_listed_once(
    tmp_path: Path, suffix: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(9):
        (tmp_path / f"{i}{suffix}").write_text(text.format(i))
    made: list[str] = []
    for module in (csv, json_lines):
        monkeypatch.setattr(module, "Part", lambda label: made.append(label) or Part(label))
    rows = read(tmp_path, SCHEMA)
    for _ in range(2):
        assert rows.to_arrow()["x"].to_pylist() == list(range(9))
    assert len(made) == 9
