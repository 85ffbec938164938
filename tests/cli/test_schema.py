"""`tfdual schema`: a first schema, and why."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.cli.test_bad_input import check_refused
from tfdual.schema import Kind, Schema


def write_ratings(folder: Path) -> Path:
    table = pa.table({"user_id": [1, 2, 2], "rating": [4.5, 3.0, 1.0], "title": ["Heat", "Alien", "Big"]})
    pq.write_table(table, folder / "ratings.parquet")
    return folder / "ratings.parquet"


def test_schema_prints_every_column_and_why(run_tfdual, tmp_path: Path) -> None:
    finished = run_tfdual("schema", write_ratings(tmp_path))
    assert finished.code == 0
    assert [line.split()[0] for line in finished.out.splitlines()] == ["name", "user_id", "rating", "title"]
    assert [line.split(":")[0] for line in finished.err.splitlines()] == ["user_id", "rating", "title"]


def test_schema_writes_a_file_that_validate_takes(run_tfdual, tmp_path: Path) -> None:
    source, out = write_ratings(tmp_path), tmp_path / "schema.json"
    assert run_tfdual("schema", source, "--out", out).code == 0
    schema = Schema.load(out)
    assert (schema["user_id"].kind, schema["rating"].dtype, schema["title"].dtype) == (
        Kind.CATEGORICAL,
        "float64",
        "string",
    )
    assert run_tfdual("validate", source, "--schema", out).code == 0


def test_schema_overwrites_no_file(run_tfdual, tmp_path: Path) -> None:
    out = tmp_path / "schema.json"
    out.write_text("mine")
    finished = run_tfdual("schema", write_ratings(tmp_path), "--out", out)
    assert finished.code == 2
    assert "is there already" in finished.err
    assert out.read_text() == "mine"


def test_options_say_how_a_csv_is_written(run_tfdual, tmp_path: Path) -> None:
    source, out = tmp_path / "u.data", tmp_path / "schema.json"
    source.write_bytes('1\t"Café\n2\tRain\n'.encode("latin-1"))
    written = ("--separator", r"\t", "--no-quotes", "--encoding", "latin-1", "--columns", "item_id,title")
    assert run_tfdual("schema", source, "--out", out, *written).code == 0
    assert Schema.load(out).column_names == ["item_id", "title"]
    assert run_tfdual("validate", source, "--schema", out, *written).code == 0
    finished = run_tfdual("validate", source, "--schema", out, "--separator", "::")
    assert finished.code == 2
    assert "The separator of a CSV is one ASCII character" in finished.err


def test_an_escape_says_how_a_csv_is_written(run_tfdual, tmp_path: Path) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "schema.json"
    source.write_text('item_id,title\n1,"The \\"Best\\" of, all"\n2,plain\n')
    assert run_tfdual("schema", source, "--out", out, "--escape", "\\").code == 0
    assert run_tfdual("validate", source, "--schema", out, "--escape", "\\").code == 0
    assert run_tfdual("validate", source, "--schema", out).code == 1


def test_rows_that_can_not_be_parsed_are_counted(run_tfdual, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("item_id,title\n1,a\n2\n3,b\n4,c,d\n")
    finished = run_tfdual("schema", tmp_path / "a.csv")
    assert finished.err.startswith("2 of 4 rows left aside: the row can't be parsed")
    assert "item_id: int64, 2 values in 2 rows, name" in finished.err


def test_what_does_not_fit_is_told_in_the_words_of_the_options(run_tfdual, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("3,3,4\n1,2,3\n")
    for words, part in {
        (): "a.csv has the column '3' more than once. Rename one. If its first line is no header, name the columns: "
        "--columns user,item.",
        ("--columns", "a,a,b"): "--columns takes the names of all columns, such as user,item, none of them empty or "
        "twice there. Received 'a'.",
        ("--columns", "a,,b"): "Received ''.",
        ("--query", "x"): "--query needs the URL of a database, such as sqlite:///shop.db. Received",
    }.items():
        check_refused(run_tfdual("schema", tmp_path / "a.csv", *words), part)
    assert run_tfdual("schema", tmp_path / "a.csv", "--columns", "a,b,c").code == 0


def test_a_csv_with_the_index_of_a_frame_has_a_column_without_a_name(run_tfdual, tmp_path: Path) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "schema.json"
    pd.DataFrame({"user_id": [7, 8], "city": ["Rome", "Oslo"]}).to_csv(source)
    finished = run_tfdual("schema", source, "--out", out)
    assert finished.code == 0
    assert finished.err.splitlines()[0] == "'': string, left out: column 0 has no name"
    assert Schema.load(out).column_names == ["user_id", "city"]
    assert run_tfdual("validate", source, "--schema", out).code == 0
