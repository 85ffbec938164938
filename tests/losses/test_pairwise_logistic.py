"""Pairs in the order of graded labels."""

import numpy as np
import pytest

from tests.losses.loops import example
from tfdual.losses import bpr, pairwise_logistic


def expected_loss(scores: np.ndarray, grades: np.ndarray, mask: np.ndarray, weight: np.ndarray) -> float:
    losses, weights = [], []
    for row in range(len(scores)):
        kept = np.flatnonzero(mask[row])
        terms = [
            np.logaddexp(0, float(scores[row, j]) - float(scores[row, i]))
            for i in kept
            for j in kept
            if grades[row, i] > grades[row, j]
        ]
        if terms:
            losses.append(np.mean(terms))
            weights.append(weight[row])
    return float(np.average(losses, weights=weights))


def test_grades_give_the_pairs_of_the_loop() -> None:
    scores, _, _, mask, weight = example()
    grades = np.random.default_rng(2).integers(-1, 4, scores.shape)
    grades[3] = 2
    loss = float(pairwise_logistic(scores, grades, mask, weight))
    assert loss == pytest.approx(expected_loss(scores, grades, mask, weight), rel=1e-5)
    assert abs(loss - float(bpr(scores, grades, mask, weight))) > 0.01


def test_grades_matter_by_their_order_only() -> None:
    scores, *_ = example()
    grades = np.random.default_rng(2).integers(0, 4, scores.shape)
    assert float(pairwise_logistic(scores, grades)) == float(pairwise_logistic(scores, np.exp(grades) - 9))


def test_three_grades_by_hand() -> None:
    terms = [np.log(1 + np.exp(-1)), np.log(1 + np.exp(1)), np.log(1 + np.exp(2))]
    assert float(pairwise_logistic([[1.0, 0.0, 2.0]], [[3, 2, 1]])) == pytest.approx(np.mean(terms), rel=1e-6)


def test_query_of_one_grade_does_not_count() -> None:
    alone = float(pairwise_logistic([[1.0, 0.0]], [[2, 1]]))
    assert float(pairwise_logistic([[1.0, 0.0], [5.0, 6.0]], [[2, 1], [4, 4]])) == pytest.approx(alone, rel=1e-6)
    assert float(pairwise_logistic([[5.0, 6.0]], [[4, 4]])) == 0


def test_two_grades_give_bpr() -> None:
    scores, labels, _, mask, weight = example()
    assert float(pairwise_logistic(scores, labels, mask, weight)) == pytest.approx(
        float(bpr(scores, labels, mask, weight)), rel=1e-6
    )
