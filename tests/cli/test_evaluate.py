"""`tfdual evaluate`: a saved model, a file of held-out queries, a table."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tfdual
from tests.cli.conftest import ITEMS, export
from tests.cli.test_bad_input import check_refused
from tfdual import ColumnSchema, Schema, Tags
from tfdual.evaluation import EvaluationReport, evaluate_retriever

BOOKS = list(range(100, 100 + ITEMS))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve queries of the model `model`, with what is relevant to them."""
    path = tmp_path_factory.mktemp("queries") / "test.parquet"
    table = {
        "user_id": [f"u{i}" for i in range(ITEMS)],
        "recent": [[100 + i] for i in range(ITEMS)],
        "age": pa.array(range(20, 20 + ITEMS), pa.float32()),
        "mood": pa.array([[float(i), 1.0] for i in range(ITEMS)], pa.list_(pa.float32())),
        "book_id": BOOKS,
        "liked": [[100 + i, 100 + (i + 5) % ITEMS] for i in range(ITEMS)],
        "stars": [[5.0, 3.0]] * ITEMS,
        "history": [[100 + (i + 1) % ITEMS] for i in range(ITEMS)],
        "country": ["DE", "FR"] * (ITEMS // 2),
    }
    pq.write_table(pa.table(table), path)
    return path


@pytest.fixture(scope="module")
def trained_queries(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model of nullable query columns, and queries that hold none of their values."""
    folder = tmp_path_factory.mktemp("nullable")
    nullable = {"nullable": True}
    columns = [
        ColumnSchema("user_id", [Tags.USER_ID], dtype="string"),
        ColumnSchema("age", [Tags.USER, Tags.CONTINUOUS], nullable, dtype="float32"),
        ColumnSchema("seg", [Tags.USER, Tags.CATEGORICAL], nullable, dtype="string"),
    ]
    users = {"user_id": [f"u{i}" for i in range(ITEMS)]}
    values = {"age": pa.array(range(20, 20 + ITEMS), pa.float32()), "seg": ["a", "b", "c"] * (ITEMS // 3)}
    missing = {"age": pa.nulls(ITEMS, pa.float32()), "seg": pa.nulls(ITEMS, pa.string())}
    pq.write_table(pa.table(users | missing | {"liked": BOOKS}), folder / "test.parquet")
    return export(columns, users | values, folder / "books"), folder / "test.parquet"


def test_the_table_is_that_of_the_library(run_tfdual, model: Path, asked: Path) -> None:
    finished = run_tfdual(
        "evaluate",
        model,
        asked,
        "--relevant",
        "liked",
        "--k",
        2,
        "-k",
        5,
        "--seen",
        "history",
        "--slice",
        "country",
    )
    assert (finished.code, finished.err) == (0, "")
    ids = [ColumnSchema(name, is_list=True) for name in ("liked", "history")]
    retriever = tfdual.Retriever.load(model)
    schema = retriever.query_schema + Schema([*ids, ColumnSchema("country", dtype="string")])
    options = tfdual.evaluation.EvaluationOptions(slices=["country"])
    report = evaluate_retriever(retriever, tfdual.read(asked, schema), (2, 5), "liked", "history", options=options)
    assert finished.out == f"{report}\n"
    assert "country=DE" in finished.out


def test_the_models_item_id_and_the_usual_cut_offs_are_taken_where_none_are_given(
    run_tfdual, model: Path, asked: Path
) -> None:
    finished = run_tfdual("evaluate", model, asked)
    assert finished.code == 0
    assert finished.out.startswith("12 queries against 12 items\n")
    assert finished.out.splitlines()[1].split() == ["@10", "@100"]


def test_a_report_is_left_and_compared_with(run_tfdual, model: Path, asked: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    words = ["evaluate", model, asked, "--relevant", "liked", "--relevance", "stars", "-k", "3"]
    assert run_tfdual(*words, "--train", asked, "--out", first).code == 0
    assert sorted(path.name for path in first.iterdir()) == ["per_query.parquet", "recall.png", "report.json"]
    report = EvaluationReport.load(first)
    assert {"head items", "tail items"} <= report.slices.keys()
    assert report.settings["relevance"] == "stars"
    finished = run_tfdual(*words, "--compare", first / "report.json", "--out", second)
    assert (finished.code, finished.err) == (0, "")
    assert f"second: {first / 'report.json'}" in finished.out
    line = next(line for line in finished.out.splitlines() if line.startswith("ndcg@3"))
    assert line.split()[1:4] == [f"{report['ndcg@3']:.4f}"] * 2 + ["+0.0000"]
    assert json.loads((second / "report.json").read_text())["metrics"]["ndcg@3"] == pytest.approx(report["ndcg@3"])


def test_a_csv_file_of_single_ids(run_tfdual, text_model: Path, tmp_path: Path) -> None:
    lines = ["question,book_id", *(f"where is {i},{100 + i}" for i in range(ITEMS))]
    (tmp_path / "test.csv").write_text("\n".join(lines) + "\n")
    finished = run_tfdual("evaluate", text_model, tmp_path / "test.csv", "-k", "12")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.splitlines()[2].split()[:2] == ["recall", "1.000"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--relevant", "clicked"], ["lacks the columns ['clicked']", "liked"]),
        (["--seen", "watched", "--slice", "city"], ["lacks the columns ['watched', 'city']"]),
        (["-k", "0"], ["-k takes cut-offs of at least 1. Received 0"]),
        (["--slice", "user_id", "--slice", "recent"], ["'recent' holds lists"]),
        (["--relevant", "liked", "--relevance", "age"], ["one grade in 'age'"]),
        (["--relevance", "history", "--relevant", "recent", "--compare", "nowhere.json"], ["no report nowhere.json"]),
    ],
)
def test_what_does_not_fit_is_one_line(
    run_tfdual, model: Path, asked: Path, words: list[str], parts: list[str]
) -> None:
    check_refused(run_tfdual("evaluate", model, asked, *words), *parts)


def test_a_missing_model_or_file(run_tfdual, model: Path, asked: Path, tmp_path: Path) -> None:
    check_refused(run_tfdual("evaluate", tmp_path / "nowhere", asked), "no model directory")
    check_refused(run_tfdual("evaluate", model, tmp_path / "nowhere.parquet"), "nowhere.parquet")


def test_queries_that_lack_a_column_of_the_model(run_tfdual, model: Path, asked: Path, tmp_path: Path) -> None:
    pq.write_table(pq.read_table(asked).drop_columns(["age"]), tmp_path / "test.parquet")
    check_refused(run_tfdual("evaluate", model, tmp_path / "test.parquet"), "lacks the columns ['age']")


def test_an_earlier_report_stays(run_tfdual, model: Path, asked: Path, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("years of work")
    check_refused(run_tfdual("evaluate", model, asked, "--out", tmp_path), "report.json is there already")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_report_of_other_queries_is_not_compared_and_nothing_written(
    run_tfdual, model: Path, asked: Path, tmp_path: Path
) -> None:
    assert run_tfdual("evaluate", model, asked, "--out", tmp_path / "first").code == 0
    out = tmp_path / "second"
    words = ["--relevant", "liked", "--compare", tmp_path / "first", "--out", out]
    check_refused(run_tfdual("evaluate", model, asked, *words), "different queries")
    assert not out.exists()
    (tmp_path / "first" / "per_query.parquet").unlink()
    check_refused(run_tfdual("evaluate", "nowhere", "nothing", *words), "Keep per_query.parquet beside it")


def test_nullable_query_columns_without_any_value_are_there(run_tfdual, trained_queries: tuple[Path, Path]) -> None:
    model, queries = trained_queries
    finished = run_tfdual("evaluate", model, queries, "--relevant", "liked")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.startswith("12 queries against 12 items\n")


def test_a_column_that_can_not_be_taken_is_told_with_the_reason(
    run_tfdual, model: Path, asked: Path, tmp_path: Path
) -> None:
    table = pq.read_table(asked).append_column("region_id", pa.array([-1, 4] * (ITEMS // 2)))
    pq.write_table(table.append_column("watched", pa.array([[-1]] * ITEMS)), tmp_path / "test.parquet")
    refused = run_tfdual("evaluate", model, tmp_path / "test.parquet", "--seen", "watched")
    check_refused(refused, "The column 'watched' of", "can't be taken", "negative")
    finished = run_tfdual("evaluate", model, tmp_path / "test.parquet", "--slice", "region_id")
    assert (finished.code, finished.err) == (0, "")
    assert {"region_id=-1", "region_id=4"} <= {line.strip().split(" ")[0] for line in finished.out.splitlines()}


def write_csv(path: Path, seen: list[list[int]], join: Callable[[list[int]], str]) -> Path:
    frame = {"question": [f"where is {i}" for i in range(ITEMS)], "book_id": BOOKS, "seen": [*map(join, seen)]}
    pd.DataFrame(frame).to_csv(path, index=False)
    return path


def test_seen_lists_of_a_csv_leave_out_what_those_of_parquet_do(run_tfdual, text_model: Path, tmp_path: Path) -> None:
    seen = [[BOOKS[i - j] for j in range(1, 5)] if i else [] for i in range(ITEMS)]
    frame = {"question": [f"where is {i}" for i in range(ITEMS)], "book_id": BOOKS, "seen": seen}
    pq.write_table(pa.table(frame), tmp_path / "test.parquet")
    words = ["-k", "1", "-k", "3", "--seen", "seen"]
    expected = run_tfdual("evaluate", text_model, tmp_path / "test.parquet", *words)
    assert expected.code == 0
    for join in (lambda ids: "|".join(map(str, ids)), lambda ids: str(ids)):
        finished = run_tfdual("evaluate", text_model, write_csv(tmp_path / "test.csv", seen, join), *words)
        assert finished == expected
    assert run_tfdual("evaluate", text_model, tmp_path / "test.csv", *words[:-2]).out != expected.out


def test_seen_ids_of_no_item_are_warned_of_in_a_line(run_tfdual, text_model: Path, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "test.csv", [[7]] * ITEMS, lambda ids: str(ids[0]))
    finished = run_tfdual("evaluate", text_model, source, "--seen", "seen")
    assert finished.code == 0
    assert finished.err.startswith("tfdual: None of the 12 ids in 'seen', such as 7, is of an item in the corpus")
    assert "12 seen ids are of no item in the corpus and leave none out" in finished.out
