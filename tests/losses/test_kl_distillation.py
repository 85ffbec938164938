"""The teacher's distribution."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.losses.loops import CASES, example
from tfdual.losses import kl_distillation


def test_by_hand() -> None:
    # the teacher says 3/4 and 1/4, the student 1/2 and 1/2
    loss = kl_distillation([[1.0, 1.0]], [[np.log(3), 0.0]])
    assert float(loss) == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5), rel=1e-5)


def test_loss_is_keras_divergence() -> None:
    scores, _, teacher, *_ = example()
    expected = keras.losses.KLDivergence()(tf.nn.softmax(teacher), tf.nn.softmax(scores))
    assert float(kl_distillation(scores, teacher)) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("temperature", [0.1, 2.0, 20.0])
def test_temperature_is_that_of_the_loop(temperature: float) -> None:
    given = example()
    expected = CASES["kl_distillation"].expected(*given, temperature=temperature)
    loss = CASES["kl_distillation"](*given, temperature=temperature)
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_high_temperature_matches_centred_scores() -> None:
    scores, _, teacher, *_ = example()
    centred = [values - values.mean(axis=1, keepdims=True) for values in (scores, teacher)]
    expected = np.mean((centred[0] - centred[1]) ** 2) / 2  # section 2.1 of the paper
    assert float(kl_distillation(scores, teacher, temperature=100.0)) == pytest.approx(expected, rel=0.05)


def test_candidate_that_the_teacher_rules_out_is_no_nan() -> None:
    loss = kl_distillation([[0.0, 0.0]], [[1e4, -1e4]])
    assert float(loss) == pytest.approx(np.log(2), rel=1e-6)


def test_masked_candidate_is_no_nan_beside_very_low_scores() -> None:
    scores, mask = tf.constant([[-1e4, -1e4, 0.0]]), [[True, True, False]]
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = kl_distillation(scores, scores + [[np.log(3), 0.0, 0.0]], mask)
    np.testing.assert_allclose(tape.gradient(loss, scores), [[-0.25, 0.25, 0.0]], atol=1e-3)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_that_is_not_above_zero_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature needs to be above 0"):
        kl_distillation([[1.0, 0.0]], [[1.0, 0.0]], temperature=temperature)
