"""Whole evaluations against trec_eval: ties, grades, several positives, exclusion, candidates, slices."""

import numpy as np
import pytest
import pytrec_eval

from tests.evaluation.score_model import FIRST_ID, corpus_of, model_of, queries_of
from tfdual import evaluate
from tfdual.evaluation import EvaluationOptions, EvaluationReport, evaluate_rankings

QUERIES, ITEMS = 70, 40
KS = (1, 3, 10, 25, 60)
MEASURES = {"recall": "recall", "precision": "P", "hit_rate": "success", "ndcg": "ndcg_cut", "map": "map_cut"}


class Case:
    """Random judgements and scores, with few different scores so that many tie."""

    def __init__(self, levels: int) -> None:
        rng = np.random.default_rng(levels)
        self.scores = rng.integers(0, levels, (QUERIES, ITEMS)) / 4
        self.grades = np.maximum(rng.integers(-5, 4, (QUERIES, ITEMS)), 0) * (rng.random((QUERIES, 1)) < 0.9)
        self.seen = rng.random((QUERIES, ITEMS)) < 0.1
        self.candidates = rng.random((QUERIES, ITEMS)) < 0.6
        rated = [np.flatnonzero(row).tolist() for row in self.grades]
        self.queries = queries_of(
            QUERIES,
            relevant=[[FIRST_ID + i for i in row] for row in rated],
            grades=[[float(self.grades[q, i]) for i in row] for q, row in enumerate(rated)],
            seen=[[FIRST_ID + int(i) for i in np.flatnonzero(row)] for row in self.seen],
            candidates=[[FIRST_ID + int(i) for i in np.flatnonzero(row)] for row in self.candidates],
            even=[q % 2 == 0 for q in range(QUERIES)],
        )

    def expected(self, shown: np.ndarray, relevant: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """trec_eval's values of the queries with a relevant item that is shown; ids rank low grades first in ties."""
        grades = self.grades * shown * (1 if relevant is None else relevant)
        qrels, run = {}, {}
        for q in np.flatnonzero(grades.any(axis=1)):
            names = [f"{9 - grades[q, i]}-{i:04d}" for i in range(ITEMS)]
            qrels[str(q)] = {names[i]: int(grades[q, i]) for i in range(ITEMS)}
            run[str(q)] = {names[i]: float(self.scores[q, i]) for i in np.flatnonzero(shown[q])}
        cuts = ",".join(map(str, KS))
        wanted = {f"{name}.{cuts}" for name in MEASURES.values()} | {"recip_rank"}
        found = pytrec_eval.RelevanceEvaluator(qrels, wanted).evaluate(run)
        values = {
            f"{ours}@{k}": np.array([found[q][f"{name}_{k}"] for q in qrels])
            for ours, name in MEASURES.items()
            for k in KS
        }
        ranks = np.array([found[q]["recip_rank"] for q in qrels])
        return values | {f"mrr@{k}": np.where(ranks * k >= 1 - 1e-9, ranks, 0.0) for k in KS}


def check(report: EvaluationReport, expected: dict[str, np.ndarray]) -> None:
    for name, values in expected.items():
        np.testing.assert_allclose(report.per_query[name], values, atol=1e-6, err_msg=name)
        assert report[name] == pytest.approx(values.mean(), abs=1e-6)


@pytest.fixture(scope="module", params=[1, 3, 8, 10_000])
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


@pytest.mark.parametrize("seen", [None, "seen"])
@pytest.mark.parametrize("candidates", [None, "candidates"])
def test_every_value_of_every_query_is_that_of_trec_eval(case: Case, seen: str | None, candidates: str | None) -> None:
    options = EvaluationOptions(relevance="grades", candidates=candidates, bootstrap=0)
    report = evaluate(
        model_of(), case.queries, corpus_of(case.scores), KS, relevant="relevant", seen=seen, options=options
    )
    shown = np.ones((QUERIES, ITEMS), bool)
    shown &= ~case.seen if seen else True
    shown &= case.candidates if candidates else True
    check(report, case.expected(shown))


def test_few_scores_make_a_difference_to_the_figures(case: Case) -> None:
    """So the cases of this file hold ties across the cut: an order kind to the model gives higher figures."""
    report = evaluate(model_of(), case.queries, corpus_of(case.scores), KS, relevant="relevant")
    order = np.lexsort((-case.grades, -case.scores), axis=1)[:, :10]
    best = evaluate_rankings(FIRST_ID + order, case.queries, np.arange(FIRST_ID, FIRST_ID + ITEMS), "relevant", (3, 10))
    tied = len(np.unique(case.scores)) < 100
    assert all((best[name] > report[name] + 0.01) == tied for name in ("recall@3", "ndcg@10"))


def test_slices_of_items_are_trec_evals_with_their_judgements_alone(case: Case) -> None:
    counts = {FIRST_ID + i: max(0, 60 - 2 * i) for i in range(ITEMS)}
    options = EvaluationOptions(relevance="grades", bootstrap=0)
    report = evaluate(
        model_of(), case.queries, corpus_of(case.scores), KS, relevant="relevant", train=counts, options=options
    )
    trained = np.arange(ITEMS) < 30
    everything = np.ones((QUERIES, ITEMS), bool)
    for name, items in {"new items": ~trained, "old items": trained}.items():
        expected = case.expected(everything, items[None])
        assert report.slices[name]["queries"] == len(expected["recall@1"])
        for figure, values in expected.items():
            assert report.slices[name][figure] == pytest.approx(values.mean(), abs=1e-6), (name, figure)


def test_slices_of_queries_are_means_over_them(case: Case) -> None:
    options = EvaluationOptions(relevance="grades", slices=["even"], bootstrap=0)
    report = evaluate(model_of(), case.queries, corpus_of(case.scores), KS, relevant="relevant", options=options)
    even = report.rows % 2 == 0
    assert set(report.slices) == {"even=True", "even=False"}
    for name, values in report.per_query.items():
        assert report.slices["even=True"][name] == pytest.approx(values[even].mean())
        assert report.slices["even=False"][name] == pytest.approx(values[~even].mean())
    assert report.slices["even=True"]["queries"] == even.sum()


def test_rankings_made_elsewhere_get_the_figures_of_the_model(case: Case) -> None:
    options = EvaluationOptions(relevance="grades", bootstrap=0)
    order = np.argsort(-case.scores, axis=1, kind="stable")
    ids = np.arange(FIRST_ID, FIRST_ID + ITEMS)
    scores = np.take_along_axis(case.scores, order, axis=1)
    given = evaluate_rankings(
        ids[order], case.queries, ids, "relevant", KS, seen="seen", scores=scores, options=options
    )
    check(given, case.expected(~case.seen))
    model = evaluate(
        model_of(), case.queries, corpus_of(case.scores), KS, relevant="relevant", seen="seen", options=options
    )
    assert given.fingerprint == model.fingerprint
    assert all(test.difference == 0 and test.p_value == 1 for test in model.compare(given, samples=10).values())


def test_equal_scores_of_the_whole_corpus_hit_nothing() -> None:
    case = Case(1)
    report = evaluate(model_of(), case.queries, corpus_of(case.scores), (5,), relevant="relevant")
    assert {name for name, value in report.items() if value} == {"queries", "coverage@5"}
    assert report["coverage@5"] == 5 / ITEMS


def test_batches_and_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(3)
    arguments = {"relevant": "relevant", "seen": "seen", "options": EvaluationOptions(relevance="grades", bootstrap=9)}
    whole = evaluate(model_of(), case.queries.unbatch().batch(100), corpus_of(case.scores), KS, **arguments)
    monkeypatch.setattr("tfdual.evaluation.item_search.BLOCK_SCORES", 3 * ITEMS)
    single = evaluate(model_of(), case.queries.unbatch().batch(1), corpus_of(case.scores, 7), KS, **arguments)
    blocks = evaluate(model_of(), case.queries, corpus_of(case.scores), KS, **arguments)
    assert whole == single == blocks
    assert whole.intervals == single.intervals == blocks.intervals
    assert whole.fingerprint == single.fingerprint == blocks.fingerprint


def test_reports_of_the_same_grades_are_compared_and_of_others_are_not() -> None:
    def report(items: list[int], grades: list[float]) -> EvaluationReport:
        query = queries_of(1, relevant=[[1, 2]], grades=[grades])
        found, options = np.array([[1, 2, 3]]), EvaluationOptions(relevance="grades", bootstrap=0)
        return evaluate_rankings(found, query, np.array(items), "relevant", ks=(2,), options=options)

    first = report([1, 2, 3], [3.0, 1.0])
    assert first.compare(report([2, 1, 3], [3.0, 1.0]))["ndcg@2"].difference == 0
    with pytest.raises(ValueError, match="different queries"):
        first.compare(report([2, 1, 3], [1.0, 3.0]))
