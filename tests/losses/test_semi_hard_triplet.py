"""Which negative is taken."""

import numpy as np
import pytest
import tensorflow as tf

from tests.losses.loops import CASES, example
from tfdual.losses import semi_hard_triplet


def gradient(scores: list[list[float]], labels: list[list[int]], margin: float) -> np.ndarray:
    watched = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        loss = semi_hard_triplet(watched, labels, margin=margin)
    return tape.gradient(loss, watched).numpy()


def test_negative_next_below_the_positive_is_taken() -> None:
    scores, labels = [[0.5, 0.9, 0.4, 0.1]], [[1, 0, 0, 0]]
    assert float(semi_hard_triplet(scores, labels, margin=0.3)) == pytest.approx(0.3 - 0.5 + 0.4, rel=1e-5)
    np.testing.assert_array_equal(gradient(scores, labels, 0.3), [[-1, 0, 1, 0]])


def test_without_one_below_the_lowest_is_taken() -> None:
    scores, labels = [[0.5, 0.9, 0.6, 0.7]], [[1, 0, 0, 0]]
    assert float(semi_hard_triplet(scores, labels, margin=0.3)) == pytest.approx(0.3 - 0.5 + 0.6, rel=1e-5)
    np.testing.assert_array_equal(gradient(scores, labels, 0.3), [[-1, 0, 1, 0]])


def test_negative_of_the_same_score_is_not_below() -> None:
    np.testing.assert_array_equal(gradient([[0.5, 0.5, 0.4]], [[1, 0, 0]], 0.3), [[-1, 0, 1]])


def test_each_positive_has_its_own_negative() -> None:
    scores, labels = [[0.8, 0.3, 0.7, 0.2]], [[1, 1, 0, 0]]
    assert float(semi_hard_triplet(scores, labels, margin=0.5)) == pytest.approx((0.4 + 0.4) / 2, rel=1e-5)
    np.testing.assert_array_equal(gradient(scores, labels, 0.5), [[-0.5, -0.5, 0.5, 0.5]])


def test_margin_is_facenets_of_squared_distances_halved() -> None:
    rng = np.random.default_rng(0)
    anchor, *others = (vector / np.linalg.norm(vector) for vector in rng.normal(size=(6, 3)))
    distances = [float(((anchor - other) ** 2).sum()) for other in others]
    farther = [distance for distance in distances[1:] if distance > distances[0]]
    expected = max(0, distances[0] - min(farther) + 2.0)
    loss = semi_hard_triplet([[float(anchor @ other) for other in others]], [[1, 0, 0, 0, 0]], margin=1.0)
    assert farther
    assert expected > 0
    assert 2 * float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("margin", [0.0, 0.5, 2.0])
def test_margin_is_that_of_the_loop(margin: float) -> None:
    given = example(30, 12)
    expected = CASES["semi_hard_triplet"].expected(*given, margin=margin)
    assert float(CASES["semi_hard_triplet"](*given, margin=margin)) == pytest.approx(expected, rel=1e-5)
