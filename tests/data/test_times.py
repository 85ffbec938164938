"""Times that stand as text in ISO 8601 are seconds since 1970, whatever holds them."""

import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfdual import ColumnSchema, Schema, Tags, infer_schema, read, validate
from tfdual.data import time_split

WHOLE = ["2018-09-20", "2020-08-01 12:00:03", "2020-08-01T12:00", "1969-12-31"]
PARTS = ["2020-08-01 12:00:03.25", "2018-09-20"]
ZONES = ["2020-08-01T12:00:03Z", "2020-08-01 12:00:03+02:00", "2020-08-01T12:00:03.5-0530"]
MIXED = ["2020-08-01T12:00:03Z", "2020-08-01 12:00:03", "1600000000"]


def seconds(text: str) -> float:
    if text.isdigit():
        return float(text)
    time = pd.Timestamp(text)
    return (time.tz_localize("UTC") if time.tzinfo is None else time).timestamp()


def open_rows(source: Any) -> dict[str, Any]:
    """Source and query, as `read` takes them."""
    is_database = str(source).startswith("sqlite:")
    return {"source": source} | ({"query": "clicks"} if is_database else {})


def write(folder: Path, kind: str, texts: list[str]) -> Any:
    numbers = list(range(len(texts)))
    if kind == "csv":
        (folder / "a.csv").write_text("id,when\n" + "".join(f"{i},{text}\n" for i, text in enumerate(texts)))
        return folder / "a.csv"
    if kind == "jsonl":
        (folder / "a.jsonl").write_text(
            "".join(json.dumps({"id": i, "when": text}) + "\n" for i, text in enumerate(texts))
        )
        return folder / "a.jsonl"
    if kind == "maps":
        rows = [
            {"dense_features_map": {"when": text}, "category_id_features_map": {"id": i}}
            for i, text in enumerate(texts)
        ]
        (folder / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder / "m.jsonl"
    if kind.startswith("sql"):
        values = [int(text) if text.isdigit() and kind == "sql of types" else text for text in texts]
        with sqlite3.connect(folder / "a.db") as connection:
            connection.execute(f'CREATE TABLE clicks (id INTEGER, "when"{" TIMESTAMP" * (kind == "sql")})')
            connection.executemany("INSERT INTO clicks VALUES (?, ?)", zip(numbers, values, strict=True))
        return f"sqlite:///{folder / 'a.db'}"
    if kind == "parquet":
        pq.write_table(pa.table({"id": numbers, "when": texts}), folder / "a.parquet")
        return folder / "a.parquet"
    return pd.DataFrame({"id": numbers, "when": texts})


@pytest.mark.parametrize("kind", ["csv", "jsonl", "maps", "parquet", "pandas", "sql", "sql of types"])
@pytest.mark.parametrize("texts", [WHOLE, PARTS, ZONES, MIXED], ids=["whole", "parts", "zones", "mixed"])
def test_texts_are_the_seconds_of_pandas(tmp_path: Path, kind: str, texts: list[str]) -> None:
    source = write(tmp_path, kind, texts)
    expected = [seconds(text) for text in texts]
    when = ColumnSchema("when", [Tags.TIME], dtype="float64")
    schema = Schema([ColumnSchema("id"), when] if kind != "maps" else [when])
    assert read(**open_rows(source), schema=schema).to_arrow()["when"].to_pylist() == expected
    if all(each.is_integer() for each in expected):
        whole = schema.replace("when", dtype="int64")
        assert read(**open_rows(source), schema=whole).to_arrow()["when"].to_pylist() == expected


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "pandas", "sql"])
@pytest.mark.parametrize("texts, dtype", [(WHOLE, "int64"), (PARTS, "float64"), (ZONES, "float64")])
def test_a_column_of_times_is_guessed_and_read(tmp_path: Path, kind: str, texts: list[str], dtype: str) -> None:
    source = write(tmp_path, kind, texts * 3)
    schema = infer_schema(**open_rows(source), print_reasons=False)
    assert (schema["when"].dtype, schema["when"].tags) == (dtype, {Tags.TIME, Tags.CONTINUOUS})
    assert validate(**open_rows(source), schema=schema).is_valid
    train, test = time_split(read(**open_rows(source), schema=schema), "when", (0.5, 0.5))
    earliest = min(row["when"] for row in test.take(99))
    assert max(row["when"] for row in train.take(99)) < earliest


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "sql"])
def test_another_form_is_told_with_what_to_write(tmp_path: Path, kind: str) -> None:
    source = write(tmp_path, kind, ["2018-09-20", "11/9/2019 9:05:58 AM"])
    schema = Schema([ColumnSchema("id"), ColumnSchema("when", [Tags.TIME])])
    with pytest.raises(ValueError, match="'when' of .*, row 1: .*Write it as ISO 8601.* or as seconds since 1970"):
        read(**open_rows(source), schema=schema).to_arrow()


def test_text_is_no_number_where_no_time_is_wanted(tmp_path: Path) -> None:
    source = write(tmp_path, "jsonl", WHOLE)
    schema = Schema([ColumnSchema("id"), ColumnSchema("when")])
    assert [each.rule for each in validate(source, schema).findings] == ["dtype"]


def test_many_blocks_of_times_and_one_text_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdual.data.sources.json_lines.BLOCK_BYTES", 500)
    texts = [datetime.fromtimestamp(1_600_000_000 + i).isoformat() for i in range(200)]
    source = write(tmp_path, "jsonl", [*texts[:100], "soon", *texts[100:]])
    schema = Schema([ColumnSchema("id"), ColumnSchema("when", [Tags.TIME])])
    (finding,) = validate(source, schema).findings
    assert (finding.rule, finding.first) == ("time", [(str(source), 100, "soon")])


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "sql", "sql of types"])
def test_an_empty_text_is_a_missing_time_and_a_word_is_none(tmp_path: Path, kind: str) -> None:
    source = write(tmp_path, kind, ["2018-09-20", "", "true", "7"])
    when = ColumnSchema("when", [Tags.TIME], {"nullable": True}, dtype="float64")
    (finding,) = validate(**open_rows(source), schema=Schema([when])).findings
    assert (finding.rule, [row for _, row, _ in finding.first]) == ("time", [2])
