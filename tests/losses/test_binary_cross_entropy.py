"""Each candidate by itself."""

import numpy as np
import pytest
import tensorflow as tf

from tests.losses.loops import CASES, example
from tfdual.losses import binary_cross_entropy


def test_by_hand() -> None:
    terms = [np.log(1 + np.exp(-2)), np.log(1 + np.exp(1)), np.log(2)]
    assert float(binary_cross_entropy([[2.0, 1.0, 0.0]], [[1, 0, 0]])) == pytest.approx(np.mean(terms), rel=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.5, 20.0])
def test_positive_weight_is_that_of_tensorflow_and_of_the_loop(weight: float) -> None:
    scores, labels, *rest = example()
    terms = tf.nn.weighted_cross_entropy_with_logits(labels.astype("float32"), scores, weight)
    loss = binary_cross_entropy(scores, labels, positive_weight=weight)
    assert float(loss) == pytest.approx(np.mean(terms), rel=1e-5)
    expected = CASES["binary_cross_entropy"].expected(scores, labels, *rest, positive_weight=weight)
    masked = CASES["binary_cross_entropy"](scores, labels, *rest, positive_weight=weight)
    assert float(masked) == pytest.approx(expected, rel=1e-5)


def test_queries_count_alike_however_many_candidates_they_have() -> None:
    scores, labels = [[1.0, 1.0, 1.0], [-1.0, 0.0, 0.0]], [[1, 1, 1], [1, 0, 0]]
    mask = [[True, True, True], [True, False, False]]
    expected = (np.log(1 + np.exp(-1)) + np.log(1 + np.exp(1))) / 2
    assert float(binary_cross_entropy(scores, labels, mask)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weight", [-1.0, float("nan")])
def test_weight_below_zero_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="positive_weight needs to be 0 or more"):
        binary_cross_entropy([[1.0, 0.0]], [[1, 0]], positive_weight=weight)
