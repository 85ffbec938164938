"""A report is a dict of figures, prints, is saved and loaded, and is compared with another."""

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.evaluation.score_model import FIRST_ID, corpus_of, model_of, queries_of
from tfdual import evaluate
from tfdual.evaluation import EvaluationOptions, EvaluationReport
from tfdual.evaluation.recall_picture import draw_recall

QUERIES, ITEMS = 60, 30


def made(seed: int, noise: float = 1.0, options: EvaluationOptions | None = None) -> EvaluationReport:
    """Two relevant items a query; scores see them through noise."""
    wanted = [[FIRST_ID + q % ITEMS, FIRST_ID + (q + 1) % ITEMS] for q in range(QUERIES)]
    wanted[5] = []
    scores = np.random.default_rng(seed).normal(size=(QUERIES, ITEMS)) * noise
    for q, ids in enumerate(wanted):
        scores[q, [i - FIRST_ID for i in ids]] += 1
    queries = queries_of(QUERIES, relevant=wanted, country=["DE" if q % 3 else "FR" for q in range(QUERIES)])
    counts = {FIRST_ID + i: (ITEMS - i) // 2 for i in range(ITEMS)}
    options = options or EvaluationOptions(slices=["country"], bootstrap=200)
    return evaluate(
        model_of(), queries, corpus_of(scores), (1, 3, 10), relevant="relevant", train=counts, options=options
    )


@pytest.fixture(scope="module")
def report() -> EvaluationReport:
    return made(0)


def test_it_is_a_dict_that_json_takes(report: EvaluationReport) -> None:
    assert json.loads(json.dumps({"metrics": report})) == {"metrics": dict(report)}
    assert report["queries"] == QUERIES - 1
    assert all(isinstance(value, float) for name, value in report.items() if name != "queries")


def test_each_mean_has_its_values_and_its_interval(report: EvaluationReport) -> None:
    assert set(report.per_query) == set(report.intervals)
    for name, values in report.per_query.items():
        assert values.shape == (QUERIES - 1,)
        assert report[name] == pytest.approx(values.mean())
        low, high = report.intervals[name]
        assert low < report[name] < high
    assert set(report) - set(report.per_query) == {"queries"} | {
        f"{name}@{k}" for name in ("coverage", "popularity_bias") for k in (1, 3, 10)
    }


def test_without_resamples_there_is_no_interval() -> None:
    report = made(0, options=EvaluationOptions(bootstrap=0))
    assert report.intervals == {}
    assert "[" not in str(report)


def test_slices_are_the_values_of_columns_and_the_kinds_of_items(report: EvaluationReport) -> None:
    assert list(report.slices) == ["head items", "tail items", "old items", "new items", "country=DE", "country=FR"]
    assert report.slices["country=FR"]["queries"] == 20
    assert report.slices["country=DE"]["queries"] == 39
    for part in report.slices.values():
        assert part.intervals["recall@10"][0] <= part["recall@10"] <= part.intervals["recall@10"][1]


def test_head_items_are_the_most_popular_that_take_a_third_of_the_rows(report: EvaluationReport) -> None:
    counts = np.array([(ITEMS - i) // 2 for i in range(ITEMS)])
    head = next(n for n in range(ITEMS) if counts[:n].sum() >= counts.sum() / 3)
    assert report.slices["head items"]["queries"] == sum(
        q != 5 and (q % ITEMS < head or (q + 1) % ITEMS < head) for q in range(QUERIES)
    )


def test_novelty_and_popularity_are_those_of_what_is_shown() -> None:
    scores = np.tile(np.arange(4.0), (2, 1)) * [[1], [-1]]
    queries = queries_of(2, relevant=[[FIRST_ID], [FIRST_ID + 2]])
    counts = {FIRST_ID: 5, FIRST_ID + 1: 2, FIRST_ID + 2: 1}
    report = evaluate(model_of(), queries, corpus_of(scores), (1, 2), relevant="relevant", train=counts)
    assert report["novelty@1"] == pytest.approx((-math.log2(1 / 12) - math.log2(6 / 12)) / 2)
    assert report["popularity_bias@1"] == pytest.approx((0 + 5) / (5 + 1) - 1)
    assert report["popularity_bias@2"] == pytest.approx((0.5 + 3.5) / (5 + 1) - 1)
    assert report["coverage@1"] == 0.5
    assert report["coverage@2"] == 1.0


def test_the_table_holds_every_figure_and_slice(report: EvaluationReport) -> None:
    table = str(report)
    assert table.startswith("59 queries against 30 items\n1 queries have no relevant item")
    for name in ("recall", "precision", "hit_rate", "ndcg", "mrr", "map", "coverage", "novelty", "popularity_bias"):
        assert sum(line.split()[:1] == [name] for line in table.splitlines()) == 1
    for name in (*report.slices, "@1", "@10", f"{report['recall@3']:.3f}", f"{report['popularity_bias@10']:.3f}"):
        assert name in table
    assert max(map(len, table.splitlines())) <= 100


def test_it_is_saved_and_loaded_to_the_last_digit(report: EvaluationReport, tmp_path: Path) -> None:
    path = report.save(tmp_path / "new" / "folder")
    assert sorted(file.name for file in path.parent.iterdir()) == ["per_query.parquet", "recall.png", "report.json"]
    for given in (path, path.parent):
        loaded = EvaluationReport.load(given)
        assert loaded == report
        assert loaded.slices == report.slices
        assert loaded.intervals == report.intervals
        assert loaded.slices["country=DE"].intervals == report.slices["country=DE"].intervals
        assert (loaded.totals, loaded.settings) == (report.totals, report.settings)
        assert (loaded.fingerprint, loaded.rows.tolist()) == (report.fingerprint, report.rows.tolist())
        assert {name: values.tolist() for name, values in loaded.per_query.items()} == {
            name: values.tolist() for name, values in report.per_query.items()
        }
        assert str(loaded) == str(report)


def test_the_json_is_plain_and_says_its_version(report: EvaluationReport, tmp_path: Path) -> None:
    content = json.loads(report.save(tmp_path, picture=False).read_text(), parse_constant=pytest.fail)
    assert (content["format"], content["version"]) == ("tfdual.evaluation", 1)
    assert content["metrics"] == dict(report)
    assert content["settings"]["relevant"] == "relevant"
    assert content["settings"]["index"]["kind"] == "BruteForce"
    assert not (tmp_path / "recall.png").exists()


def test_a_figure_that_is_no_number_is_null(tmp_path: Path) -> None:
    report = EvaluationReport({"popularity_bias@3": math.nan, "queries": 2})
    path = report.save(tmp_path, picture=False)
    assert json.loads(path.read_text())["metrics"]["popularity_bias@3"] is None
    assert math.isnan(EvaluationReport.load(path)["popularity_bias@3"])


def test_the_values_of_the_queries_are_a_table_by_row(report: EvaluationReport, tmp_path: Path) -> None:
    report.save(tmp_path, picture=False)
    table = pq.read_table(tmp_path / "per_query.parquet")
    assert table.column("row").to_pylist() == [q for q in range(QUERIES) if q != 5]
    assert table.column("ndcg@10").to_pylist() == report.per_query["ndcg@10"].tolist()


def test_a_slice_may_be_called_by_what_else_is_a_formula(report: EvaluationReport, tmp_path: Path) -> None:
    draw_recall({"price=$5_$10": report, "price=$0-$10": report}, tmp_path / "recall.png")
    assert (tmp_path / "recall.png").stat().st_size


def test_a_failed_picture_leaves_an_earlier_report_as_it_was(
    report: EvaluationReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report.save(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("tfdual.evaluation.evaluation_report.draw_recall", fail)
    with pytest.raises(OSError, match="no space left"):
        made(3).save(tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_without_matplotlib_nothing_is_written_and_the_extra_named(
    report: EvaluationReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "tfdual\[demo\]"'):
        report.save(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_report_that_is_none(tmp_path: Path, report: EvaluationReport) -> None:
    with pytest.raises(FileNotFoundError, match="There is no report .*tfdual evaluate"):
        EvaluationReport.load(tmp_path)
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(ValueError, match="is no report"):
        EvaluationReport.load(tmp_path)
    (tmp_path / "report.json").write_text('{"metrics": {}}')
    with pytest.raises(ValueError, match="is not of format tfdual.evaluation, version 1"):
        EvaluationReport.load(tmp_path)
    report.save(tmp_path, picture=False)
    other = evaluate(model_of(), queries_of(2, relevant=[[100], [101]]), corpus_of(np.eye(2)), relevant="relevant")
    other.save(tmp_path / "other", picture=False)
    (tmp_path / "other" / "per_query.parquet").replace(tmp_path / "per_query.parquet")
    with pytest.raises(ValueError, match="is not of the queries of"):
        EvaluationReport.load(tmp_path)


def test_a_better_model_is_told_from_a_worse_one(report: EvaluationReport, tmp_path: Path) -> None:
    better = made(1, noise=0.3)
    better.save(tmp_path, picture=False)
    comparison = EvaluationReport.load(tmp_path).compare(report)
    assert set(comparison) == set(report.per_query)
    test = comparison["recall@3"]
    assert (test.first, test.second) == pytest.approx((better["recall@3"], report["recall@3"]))
    assert test.p_value < 0.01
    assert 0 < test.interval[0] < test.difference < test.interval[1]
    line = next(line for line in str(comparison).splitlines() if line.startswith("recall@3 "))
    assert f"{test.difference:+.4f}" in line


def test_two_alike_models_are_not_told_apart(report: EvaluationReport) -> None:
    assert sum(test.p_value < 0.05 for test in made(2).compare(report).values()) <= 3


def test_reports_of_other_queries_are_not_compared(report: EvaluationReport, tmp_path: Path) -> None:
    scores = np.eye(QUERIES, ITEMS)
    other = evaluate(
        model_of(), queries_of(QUERIES, relevant=[[FIRST_ID]] * QUERIES), corpus_of(scores), relevant="relevant"
    )
    with pytest.raises(ValueError, match="different queries, or different items were relevant: 59 queries and 60"):
        report.compare(other)
    path = report.save(tmp_path, picture=False)
    (tmp_path / "per_query.parquet").unlink()
    with pytest.raises(ValueError, match=r"without values a query can't be compared. Keep per_query.parquet"):
        report.compare(EvaluationReport.load(path))


def test_a_report_replaces_all_files_of_an_earlier_one(report: EvaluationReport, tmp_path: Path) -> None:
    report.save(tmp_path)
    slice_ = report.slices["country=DE"]
    slice_.save(tmp_path, picture=False)
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
    assert EvaluationReport.load(tmp_path) == slice_
