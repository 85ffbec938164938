"""Against a loop over rows, in float64."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.losses.loops import slopes
from tfdual.losses import neighbour_distillation

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(9, 4)).astype("float32")
TEACHER = RNG.normal(size=(9, 7)).astype("float32") + 0.6


def neighbours(vectors: np.ndarray, row: int, temperature: float) -> np.ndarray:
    """The softmax of a row's cosines to the others."""
    vectors = vectors.astype("float64")
    lengths = np.sqrt((vectors**2).sum(axis=1))
    cosines = [vectors[row] @ vectors[i] / lengths[row] / lengths[i] for i in range(len(vectors)) if i != row]
    powers = [math.exp(cosine / temperature) for cosine in cosines]
    return np.array(powers) / sum(powers)


def by_hand(vectors: np.ndarray, teacher: np.ndarray, temperature: float = 0.05) -> float:
    lost = 0.0
    for row in range(len(vectors)):
        p, q = (neighbours(given, row, temperature) for given in (teacher, vectors))
        lost += float((p * np.log(p / q)).sum())
    return lost / len(vectors)


@pytest.mark.parametrize("options", [{}, {"temperature": 0.1}, {"temperature": 1.0}], ids=str)
def test_loss_is_that_of_the_loop(options: dict) -> None:
    found = float(neighbour_distillation(VECTORS, TEACHER, **options))
    assert found == pytest.approx(by_hand(VECTORS, TEACHER, **options), rel=1e-4)


def test_gradient_is_the_slope_of_the_loop() -> None:
    vectors = tf.Variable(VECTORS[:4])
    with tf.GradientTape() as tape:
        loss = neighbour_distillation(vectors, TEACHER[:4], temperature=0.3)
    gradient = tape.gradient(loss, vectors).numpy()
    wanted = slopes(lambda moved: by_hand(moved, TEACHER[:4], temperature=0.3), VECTORS[:4])
    np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-6)
    assert np.abs(gradient).max() > 1e-3


def test_the_teachers_own_cosines_cost_nothing() -> None:
    turned, _ = np.linalg.qr(RNG.normal(size=(7, 7)))
    assert float(neighbour_distillation(3 * TEACHER @ turned, TEACHER)) == pytest.approx(0, abs=1e-5)


def test_the_nearest_count_and_how_near_the_far_ones_are_does_not() -> None:
    def on_a_circle(*degrees: float) -> np.ndarray:
        radians = np.radians(degrees)
        return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype("float32")

    teacher = on_a_circle(0, 10, 90, 100)
    far_moved = float(neighbour_distillation(on_a_circle(0, 10, 120, 130), teacher))
    near_moved = float(neighbour_distillation(on_a_circle(0, 60, 90, 150), teacher))
    assert far_moved < 1e-3 < 0.1 < near_moved


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_batch_without_an_order_costs_nothing(rows: int) -> None:
    assert float(neighbour_distillation(VECTORS[:rows], TEACHER[:rows])) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((VECTORS, TEACHER, 0.0), "temperature needs to be above 0. Received 0.0"),
        ((VECTORS, TEACHER[:5]), "Received 9 and 5"),
        ((VECTORS[0], TEACHER), r"shape \(batch, dim\). Received the shape \(4,\)"),
    ],
)
def test_bad_arguments_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        neighbour_distillation(*arguments)
