"""A bad input: one line on stderr that says what to do, exit code 2, no traceback, nothing written."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfdual.cli import main

MOVIES = {"item_id": [1, 2], "title": ["Heat (1995)", "Alien (1979)"], "genres": [["Action"], ["Sci-Fi"]]}
RATINGS = {"user_id": [1, 1], "item_id": [1, 2], "rating": pa.array([5, 4], pa.float32()), "timestamp": [10, 20]}


def check_refused(finished, *parts: str) -> None:
    assert finished.code == 2
    assert finished.out == ""
    assert len(finished.err.splitlines()) == 1, finished.err
    assert finished.err.startswith("tfdual: ")
    assert "Traceback" not in finished.err
    assert [part for part in parts if part not in finished.err] == [], finished.err


@pytest.fixture
def movielens(tmp_path: Path) -> Path:
    folder = tmp_path / "ml"
    folder.mkdir()
    pq.write_table(pa.table(MOVIES), folder / "items.parquet")
    pq.write_table(pa.table(RATINGS), folder / "interactions.parquet")
    return folder


@pytest.fixture
def copied(model: Path, tmp_path: Path) -> Path:
    """A model that a test may damage."""
    return Path(shutil.copytree(model, tmp_path / "copied"))


@pytest.mark.parametrize("command", [["query"], ["inspect"]])
def test_a_missing_model_directory(run_tfdual, tmp_path: Path, command: list[str]) -> None:
    words = ["some text"] if command == ["query"] else []
    check_refused(run_tfdual(*command, tmp_path / "nowhere", *words), "no model directory", "nowhere", "tfdual demo")


@pytest.mark.parametrize("command", [["query"], ["inspect"]])
def test_a_directory_that_is_no_model(run_tfdual, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    words = ["some text"] if command == ["query"] else []
    check_refused(run_tfdual(*command, tmp_path, *words), "is no tfdual model", "Retriever.export")


def test_a_file_that_is_no_model(run_tfdual, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    check_refused(run_tfdual("query", tmp_path / "notes.txt", "text"), "is no tfdual model")


def damage_graph(version: Path) -> None:
    content = (version / "saved_model.pb").read_bytes()
    (version / "saved_model.pb").write_bytes(content[: len(content) // 2])


def damage_variables(version: Path) -> None:
    for file in (version / "variables").glob("variables.data*"):
        file.write_bytes(file.read_bytes()[:10])


def remove_variables(version: Path) -> None:
    shutil.rmtree(version / "variables")


def remove_graph(version: Path) -> None:
    (version / "saved_model.pb").unlink()


def damage_description(version: Path) -> None:
    file = version / "assets.extra" / "tfdual.json"
    file.write_text(file.read_text()[:40])


def other_format(version: Path) -> None:
    file = version / "assets.extra" / "tfdual.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": "another"}))


DAMAGES = [damage_graph, damage_variables, remove_variables, remove_graph, damage_description, other_format]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_model(run_tfdual, copied: Path, damage: Callable[[Path], None]) -> None:
    damage(copied / "1")
    check_refused(run_tfdual("query", copied, "user_id=u1"), str(copied), "xport")


def test_an_unknown_query_key(run_tfdual, model: Path) -> None:
    check_refused(run_tfdual("query", model, "user=u1"), "query key 'user'", "'user_id', 'recent', 'age', 'mood'")


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("age=old", "'age' takes float32. Received 'old'"),
        ("recent=1;2", "'recent' takes a list such as 1,2,3 of int64"),
        ("mood=1,2,3", "'mood'"),
        ("recent=99999999999999999999", "'recent'"),
    ],
)
def test_a_value_that_does_not_fit_its_key(run_tfdual, model: Path, word: str, part: str) -> None:
    check_refused(run_tfdual("query", model, word), part)


def test_a_text_for_a_model_that_takes_none(run_tfdual, model: Path) -> None:
    check_refused(run_tfdual("query", model, "some", "words"), "key=value pairs", "user_id")


def test_no_item_asked_for(run_tfdual, text_model: Path) -> None:
    check_refused(run_tfdual("query", text_model, "book", "-k", "0"), "k is at least 1", "0")


def test_an_unknown_data_set(run_tfdual, tmp_path: Path) -> None:
    out = tmp_path / "out"
    check_refused(run_tfdual("demo", "--dataset", "netflix", "--out", out), "'netflix'", "python-api", "movielens")
    assert not out.exists()


def test_an_output_directory_that_exists_stays_as_it_is(run_tfdual, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    check_refused(run_tfdual("demo", "--out", tmp_path), str(tmp_path), "exists", "--out")
    check_refused(run_tfdual("demo", "--out", tmp_path, "--overwrite"), "no demo's output", "--out")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_output_directory_under_a_file(run_tfdual, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check_refused(run_tfdual("demo", "--out", tmp_path / "file" / "out"), "is a file", "--out")


def test_movielens_without_its_folder(run_tfdual, tmp_path: Path) -> None:
    out = tmp_path / "out"
    check_refused(run_tfdual("demo", "--dataset", "movielens", "--out", out), "--data", "ml-latest-small")
    assert not out.exists()


def test_a_folder_for_python_api(run_tfdual, tmp_path: Path) -> None:
    check_refused(run_tfdual("demo", "--data", tmp_path, "--out", tmp_path / "out"), "takes no --data")


def ask_for_movielens(run_tfdual, data: Path, out: Path):
    finished = run_tfdual("demo", "--dataset", "movielens", "--data", data, "--out", out)
    assert not out.exists()
    assert not list(out.parent.glob(".*"))
    return finished


def test_a_movielens_folder_that_is_missing(run_tfdual, tmp_path: Path) -> None:
    check_refused(ask_for_movielens(run_tfdual, tmp_path / "gone", tmp_path / "out"), "no folder", "gone")


def test_a_movielens_folder_without_the_files(run_tfdual, movielens: Path, tmp_path: Path) -> None:
    (movielens / "items.parquet").unlink()
    check_refused(ask_for_movielens(run_tfdual, movielens, tmp_path / "out"), "items.parquet", "It holds interactions")


@pytest.mark.parametrize("content", [b"", b"PAR1 but no more"], ids=["empty", "cut"])
def test_an_unreadable_parquet_file(run_tfdual, movielens: Path, tmp_path: Path, content: bytes) -> None:
    (movielens / "interactions.parquet").write_bytes(content)
    check_refused(ask_for_movielens(run_tfdual, movielens, tmp_path / "out"), "interactions.parquet can't be read")


def test_a_column_that_is_lacking(run_tfdual, movielens: Path, tmp_path: Path) -> None:
    file = movielens / "interactions.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["rating"]), file)
    check_refused(
        ask_for_movielens(run_tfdual, movielens, tmp_path / "out"), "interactions.parquet", "rating not found"
    )


def test_a_column_of_another_type(run_tfdual, movielens: Path, tmp_path: Path) -> None:
    file = movielens / "interactions.parquet"
    table = pq.read_table(file)
    pq.write_table(table.set_column(0, "user_id", pa.array(["anna", "bert"])), file)
    check_refused(ask_for_movielens(run_tfdual, movielens, tmp_path / "out"), "user_id", "int64")


def test_debug_shows_the_error_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["tfdual", "--debug", "inspect", str(tmp_path / "nowhere")])
    with pytest.raises(FileNotFoundError, match="no model directory"):
        main()


def run_process(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tfdual", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_process_says_one_line_and_ends_with_2(copied: Path) -> None:
    damage_graph(copied / "1")
    done = run_process("query", copied, "user_id=u1")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "is damaged" in done.stderr


@pytest.mark.slow
def test_a_process_with_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = run_process("--debug", "inspect", tmp_path / "nowhere")
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "There is no model directory" in done.stderr


@pytest.mark.slow
def test_a_process_answers_in_json_and_says_nothing_else(text_model: Path) -> None:
    done = run_process("query", text_model, "where is 3", "-k", "2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [sorted(answer) for answer in json.loads(done.stdout)] == [["id", "score", "title"]] * 2


def test_what_arrow_can_not_do_is_one_line(run_tfdual, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise pa.ArrowNotImplementedError("Unsupported cast from list<item: null> to\nutf8")

    pq.write_table(pa.table(RATINGS), tmp_path / "a.parquet")
    monkeypatch.setattr("tfdual.cli.schema.infer_schema", refuse)
    check_refused(run_tfdual("schema", tmp_path / "a.parquet"), "Unsupported cast from list<item: null> to utf8")
