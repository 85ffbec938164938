"""Ranked lists against hand-worked figures, scikit-learn, and a loop."""

import math

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from tfdual.metrics import hit_rate, ndcg, ranking_metrics, recall, reciprocal_rank

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
        {"recall@10": 1.0, "ndcg@10": 1 / math.log2(3), "mrr@10": 0.5, "hit_rate@10": 1.0}
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
    assert names == {f"{name}@{k}" for name in ("recall", "ndcg", "mrr", "hit_rate") for k in (1, 4)}
