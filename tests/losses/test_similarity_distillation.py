"""Against a loop over pairs, in float64."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from tests.losses.loops import slopes
from tfdual.losses import similarity_distillation

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(9, 4)).astype("float32")
TEACHER = RNG.normal(size=(9, 7)).astype("float32") + 0.6


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(x @ y) / math.sqrt(float(x @ x) * float(y @ y))


def by_hand(
    vectors: np.ndarray,
    teacher: np.ndarray,
    margin: float = 0.5,
    temperature: float = 0.1,
    positive_weight: float = 1.0,
    negative_weight: float = 1.0,
) -> float:
    vectors, teacher = vectors.astype("float64"), teacher.astype("float64")
    lost = total = 0.0
    for i, j in itertools.permutations(range(len(vectors)), 2):
        p, q = (1 / (1 + math.exp(-(cosine(x[i], x[j]) - margin) / temperature)) for x in (teacher, vectors))
        weight = positive_weight * p + negative_weight * (1 - p)
        lost += weight * (p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)))
        total += weight
    return lost / total


@pytest.mark.parametrize(
    "options",
    [{}, {"margin": 0.1}, {"temperature": 0.5}, {"positive_weight": 5.0}, {"negative_weight": 0.0, "margin": 0.2}],
    ids=str,
)
def test_loss_is_that_of_the_loop(options: dict) -> None:
    found = float(similarity_distillation(VECTORS, TEACHER, **options))
    assert found == pytest.approx(by_hand(VECTORS, TEACHER, **options), rel=1e-4)


def test_gradient_is_the_slope_of_the_loop() -> None:
    vectors = tf.Variable(VECTORS[:4])
    with tf.GradientTape() as tape:
        loss = similarity_distillation(vectors, TEACHER[:4], temperature=0.3)
    gradient = tape.gradient(loss, vectors).numpy()
    wanted = slopes(lambda moved: by_hand(moved, TEACHER[:4], temperature=0.3), VECTORS[:4])
    np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-6)
    assert np.abs(gradient).max() > 1e-3


def test_the_teachers_own_cosines_cost_nothing_whatever_the_weights() -> None:
    turned, _ = np.linalg.qr(RNG.normal(size=(7, 7)))
    for weights in ((1, 1), (9, 1), (0, 1)):
        loss = similarity_distillation(3 * TEACHER @ turned, TEACHER, 0.3, 0.2, *weights)
        assert float(loss) == pytest.approx(0, abs=1e-7)


def test_a_high_temperature_asks_for_the_squared_difference() -> None:
    squares = [
        (cosine(VECTORS[i], VECTORS[j]) - cosine(TEACHER[i], TEACHER[j])) ** 2
        for i, j in itertools.permutations(range(9), 2)
    ]
    loss = float(similarity_distillation(VECTORS, TEACHER, temperature=5.0))
    assert loss == pytest.approx(np.mean(squares) / (8 * 5.0**2), rel=0.02)


def test_cosines_far_below_the_margin_may_differ_and_near_it_not() -> None:
    def pair(angle: float) -> np.ndarray:
        return np.array([[1.0, 0.0], [math.cos(angle), math.sin(angle)]], "float32")

    far = float(similarity_distillation(pair(math.acos(-0.8)), pair(math.acos(-0.4)), margin=0.5, temperature=0.05))
    near = float(similarity_distillation(pair(math.acos(0.3)), pair(math.acos(0.7)), margin=0.5, temperature=0.05))
    assert far < 1e-6 < 0.1 < near


@pytest.mark.parametrize("rows", [0, 1])
def test_a_batch_without_a_pair_costs_nothing(rows: int) -> None:
    assert float(similarity_distillation(VECTORS[:rows], TEACHER[:rows])) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((VECTORS, TEACHER, 0.5, 0.0), "temperature needs to be above 0. Received 0.0"),
        ((VECTORS, TEACHER, 0.5, 0.1, -1.0), "weights of pairs are at least 0.*Received positive_weight=-1.0"),
        ((VECTORS, TEACHER, 0.5, 0.1, 0.0, 0.0), "one is above. Received positive_weight=0.0"),
        ((VECTORS, TEACHER[:5]), "Received 9 and 5"),
        ((VECTORS[0], TEACHER), r"shape \(batch, dim\). Received the shape \(4,\)"),
    ],
)
def test_bad_arguments_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        similarity_distillation(*arguments)
