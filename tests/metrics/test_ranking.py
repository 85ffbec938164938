"""Ranked lists against hand-worked figures, scikit-learn, and a loop."""

import math

import numpy as np
import pytest
import pytrec_eval
from sklearn.metrics import ndcg_score

from tfdual.metrics import (
    average_precision,
    break_ties,
    hit_rate,
    ndcg,
    precision,
    ranking_metrics,
    recall,
    reciprocal_rank,
)

METRICS = ("recall", "precision", "hit_rate", "ndcg", "mrr", "map")
HITS = np.array(
    [
        [False, True, False, True],  # 2 of 3 relevant found, first at rank 2
        [False, False, False, False],  # none of 2
        [True, True, False, False],  # both of 2, at the top
        [False, False, False, True],  # the only one, at the last rank
    ]
)
RELEVANT = np.array([3, 2, 2, 1])


@pytest.mark.parametrize(
    "metric, k, expected",
    [
        (recall, 1, [0, 0, 1 / 2, 0]),
        (recall, 2, [1 / 3, 0, 1, 0]),
        (recall, 4, [2 / 3, 0, 1, 1]),
        (hit_rate, 1, [0, 0, 1, 0]),
        (hit_rate, 2, [1, 0, 1, 0]),
        (hit_rate, 4, [1, 0, 1, 1]),
        (reciprocal_rank, 1, [0, 0, 1, 0]),
        (reciprocal_rank, 3, [1 / 2, 0, 1, 0]),
        (reciprocal_rank, 4, [1 / 2, 0, 1, 1 / 4]),
        (precision, 2, [1 / 2, 0, 1, 0]),
        (precision, 4, [1 / 2, 0, 1 / 2, 1 / 4]),
        (average_precision, 2, [1 / 2 / 3, 0, 1, 0]),
        (average_precision, 4, [(1 / 2 + 2 / 4) / 3, 0, 1, 1 / 4]),
        (ndcg, 1, [0, 0, 1, 0]),
        (ndcg, 2, [0.6309298 / 1.6309298, 0, 1, 0]),
        (ndcg, 4, [(0.6309298 + 0.4306766) / (1 + 0.6309298 + 0.5), 0, 1, 0.4306766]),
    ],
)
def test_hand_worked_figures(metric, k: int, expected: list[float]) -> None:
    np.testing.assert_allclose(metric(HITS, RELEVANT, k), expected, rtol=1e-6)


def test_a_perfect_list_scores_one_even_with_more_relevant_items_than_places() -> None:
    hits = np.ones((1, 3), bool)
    assert ndcg(hits, np.array([7]), 3) == pytest.approx(1.0)
    assert recall(hits, np.array([7]), 3) == pytest.approx(3 / 7)


def test_a_list_shorter_than_k_is_the_whole_corpus() -> None:
    hits = np.array([[False, True]])
    values = ranking_metrics(hits, np.array([1]), [10])
    assert {name: float(value[0]) for name, value in values.items()} == pytest.approx(
        {
            "recall@10": 1.0,
            "precision@10": 0.1,
            "ndcg@10": 1 / math.log2(3),
            "mrr@10": 0.5,
            "map@10": 0.5,
            "hit_rate@10": 1.0,
        }
    )


def test_ndcg_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    relevance = (rng.random((40, 30)) < 0.2).astype(float)
    relevance[:, 0] = 1
    scores = rng.random((40, 30))
    ranked = np.take_along_axis(relevance, np.argsort(-scores, axis=1), axis=1).astype(bool)
    for k in (1, 3, 10, 30):
        ours = ndcg(ranked, relevance.sum(axis=1).astype(int), k)
        theirs = [ndcg_score(relevance[i : i + 1], scores[i : i + 1], k=k) for i in range(40)]
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_the_other_metrics_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(1)
    hits = rng.random((50, 12)) < 0.15
    relevant = hits.sum(axis=1) + rng.integers(1, 4, 50)
    values = ranking_metrics(hits, relevant, [1, 5, 12])
    for k in (1, 5, 12):
        for i, row in enumerate(hits.tolist()):
            ranks = [rank for rank, hit in enumerate(row[:k], start=1) if hit]
            assert values[f"recall@{k}"][i] == pytest.approx(len(ranks) / relevant[i])
            assert values[f"hit_rate@{k}"][i] == (1.0 if ranks else 0.0)
            assert values[f"mrr@{k}"][i] == pytest.approx(1 / ranks[0] if ranks else 0.0)


def test_every_metric_stands_at_every_cut_off() -> None:
    names = set(ranking_metrics(HITS, RELEVANT, [1, 4]))
    assert names == {f"{name}@{k}" for name in METRICS for k in (1, 4)}


def test_graded_ndcg_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    grades = rng.integers(0, 4, (40, 30)).astype(float)
    scores = rng.random((40, 30))
    ranked = np.take_along_axis(grades, np.argsort(-scores, axis=1), axis=1)
    for k in (1, 3, 10, 30):
        theirs = [ndcg_score(grades[i : i + 1], scores[i : i + 1], k=k) for i in range(40)]
        np.testing.assert_allclose(ndcg(ranked, grades, k), theirs, rtol=1e-9)


def test_grades_matter_to_ndcg_alone() -> None:
    gains, relevant = np.array([[0, 3, 0, 1, 2]]), np.array([[2, 3, 1, 0, 0]])
    graded = ranking_metrics(gains, relevant, [1, 3, 5])
    binary = ranking_metrics(gains > 0, np.array([3]), [1, 3, 5])
    differing = {name for name in graded if not np.allclose(graded[name], binary[name])}
    assert differing == {"ndcg@3", "ndcg@5"}


def trec_eval(gains: np.ndarray, scores: np.ndarray, ks: list[int]) -> dict[str, np.ndarray]:
    """trec_eval's figures; it breaks ties by falling document id, so the ids rank low grades first."""
    qrels, run = {}, {}
    for i in range(len(gains)):
        names = [f"{9 - int(gain)}-{j:04d}" for j, gain in enumerate(gains[i])]
        qrels[str(i)] = {name: int(gain) for name, gain in zip(names, gains[i], strict=True)}
        run[str(i)] = {name: float(score) for name, score in zip(names, scores[i], strict=True)}
    cuts = ",".join(map(str, ks))
    measures = {f"{name}.{cuts}" for name in ("recall", "P", "success", "ndcg_cut", "map_cut")} | {"recip_rank"}
    found = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    theirs = {"recall": "recall", "precision": "P", "hit_rate": "success", "ndcg": "ndcg_cut", "map": "map_cut"}
    values = {
        f"{ours}@{k}": np.array([found[str(i)][f"{name}_{k}"] for i in range(len(gains))])
        for ours, name in theirs.items()
        for k in ks
    }
    rank = np.array([found[str(i)]["recip_rank"] for i in range(len(gains))])
    return values | {f"mrr@{k}": np.where(rank * k >= 1 - 1e-9, rank, 0.0) for k in ks}


@pytest.mark.parametrize("levels", [1, 2, 5, 1000])
def test_every_metric_is_that_of_trec_eval_also_with_ties(levels: int) -> None:
    rng = np.random.default_rng(levels)
    gains = np.maximum(rng.integers(-3, 4, (60, 40)), 0).astype(float)
    gains[:, 7] = 1
    scores = rng.integers(0, levels, (60, 40)) / 4
    ks = [1, 3, 10, 40, 50]
    ours = ranking_metrics(break_ties(gains, scores), gains, ks)
    theirs = trec_eval(gains, scores, ks)
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, atol=1e-6, err_msg=name)


def test_a_collapsed_model_hits_nothing() -> None:
    gains = np.zeros((3, 50))
    gains[:, :5] = 1
    values = ranking_metrics(break_ties(gains, np.full((3, 50), 0.3)), gains, [10])
    assert {float(value.sum()) for value in values.values()} == {0.0}


def test_breaking_ties_only_moves_gains_of_equal_scores() -> None:
    gains = np.array([[2, 1, 0, 3, 0], [1, 0, 1, 0, 1]])
    scores = np.array([[5, 4, 4, 4, 1], [3, 2, 1, -np.inf, -np.inf]])
    assert break_ties(gains, scores).tolist() == [[2, 0, 1, 3, 0], [1, 0, 1, 0, 1]]
    assert gains.tolist() == [[2, 1, 0, 3, 0], [1, 0, 1, 0, 1]]
