"""`tfdual demo` from end to end, and what it leaves behind where it fails."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tfdual.demo.movielens_recipe import movielens_recipe
from tfdual.demo.output import REPORT, check_output, written_aside
from tfdual.demo.run import Demo

PNG = b"\x89PNG\r\n"


def test_a_folder_that_was_written_aside_appears_whole(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with written_aside(out) as aside:
        (aside / REPORT).write_text("{}")
        assert not out.exists()
        assert aside.parent == out.parent
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert (out / REPORT).read_text() == "{}"


def test_a_failure_leaves_nothing_not_even_the_folders_above(tmp_path: Path) -> None:
    def write(out: Path) -> None:
        with written_aside(out) as aside:
            (aside / "half").write_text("x")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write(tmp_path / "new" / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), written_aside(tmp_path / "out"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_output_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / REPORT).write_text("old")
    (out / "old").write_text("")
    with pytest.raises(RuntimeError), written_aside(out):
        raise RuntimeError
    assert (out / REPORT).read_text() == "old"
    with written_aside(out) as aside:
        (aside / REPORT).write_text("new")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", REPORT]
    assert (out / REPORT).read_text() == "new"


def test_what_somebody_else_put_there_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    def write(out: Path) -> None:
        with written_aside(out):
            out.mkdir()
            (out / "thesis.txt").write_text("years of work")

    with pytest.raises(OSError, match="out"):
        write(tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "thesis.txt"]


def test_an_output_of_a_demo_may_be_overwritten_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    check_output(out, overwrite=False)
    out.mkdir()
    with pytest.raises(FileExistsError, match="no demo's output"):
        check_output(out, overwrite=True)
    (out / REPORT).write_text("{}")
    check_output(out, overwrite=True)
    with pytest.raises(FileExistsError, match="--overwrite"):
        check_output(out, overwrite=False)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(PermissionError, match="can't be written"):
        check_output(tmp_path / "a" / "out", overwrite=False)


def test_a_demo_that_fails_in_the_middle_leaves_nothing(
    run_tfdual: Callable, small_movielens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = []

    def fail(self: Demo, *arguments: object) -> None:
        reached.extend(path.name for path in tmp_path.glob("results/.writing-out-*/data/*"))
        raise OSError("No space left on device")

    monkeypatch.setattr(Demo, "_train", fail)
    out = tmp_path / "results" / "out"
    finished = run_tfdual("demo", "--dataset", "movielens", "--data", small_movielens, "--out", out)
    assert finished.code == 2
    assert finished.err.splitlines()[-1] == "tfdual: No space left on device"
    assert sorted(reached) == ["items.parquet", "queries.parquet", "train.parquet"]
    assert not out.parent.exists()


@pytest.fixture
def small_movielens(tmp_path: Path) -> Path:
    """Six users who rate all of ten movies."""
    folder = tmp_path / "ml"
    folder.mkdir()
    ratings = [f"{user},{movie},5.0,{1000 + movie}" for user in range(1, 7) for movie in range(1, 11)]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *ratings]))
    movies = [f"{movie},Film {movie} (2000),Drama|Comedy" for movie in range(1, 11)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies]))
    return folder


@pytest.mark.slow
def test_the_movielens_demo_from_end_to_end(
    run_tfdual: Callable, real_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = real_data("movielens-latest-small")
    monkeypatch.setattr(
        "tfdual.cli.demo.movielens_recipe", lambda directory: replace(movielens_recipe(directory), epochs=1)
    )
    out = tmp_path / "out"
    finished = run_tfdual("demo", "--dataset", "movielens", "--data", folder, "--out", out)
    assert finished.code == 0, finished.err

    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert {path.name for path in out.iterdir()} == {
        "data",
        "model",
        REPORT,
        "items.png",
        "recall.png",
        "training.png",
    }
    assert all(path.read_bytes().startswith(PNG) for path in out.glob("*.png"))
    assert (out / "model" / "1" / "saved_model.pb").is_file()
    rows = {path.stem: pq.read_metadata(path).num_rows for path in (out / "data").iterdir()}

    report = json.loads((out / REPORT).read_text())
    assert report["rows"] == rows
    assert set(report["metrics"]) == {"tfdual", "popularity", "item to item"}
    assert all(0 < values["ndcg@10"] < 1 for values in report["metrics"].values())
    assert len(report["history"]["loss"]) == 1
    assert report["index"]["items"] == rows["items"]

    for part in ("movielens", "ndcg@10", "liked The Matrix", f"tfdual query {out}/model"):
        assert part in finished.out.replace("\n", ""), part
    answers = re.findall(r"^│ +(\d+) +│", finished.out.split("liked The Matrix")[1], re.MULTILINE)
    assert len(set(answers)) == 5
    assert set(map(int, answers)) <= set(pq.read_table(out / "data" / "items.parquet")["item_id"].to_pylist())
    assert re.search(r"^(\d{4}-\d\d-\d\d|[IWE]0000|WARNING)|Warning:", finished.err, re.MULTILINE) is None
