"""The positive outside the denominator."""

import numpy as np
import pytest
import tensorflow as tf

from tfdual.losses import decoupled_info_nce, sampled_softmax


def test_two_positives_by_hand() -> None:
    total = np.log(np.exp(1) + np.exp(-1))
    loss = decoupled_info_nce([[2.0, 1.0, -1.0, 5.0]], [[1, 0, 0, 1]])
    assert float(loss) == pytest.approx(((total - 2) + (total - 5)) / 2, rel=1e-6)


def test_gradient_stays_whole_where_the_positive_already_leads() -> None:
    found = []
    for loss in (decoupled_info_nce, sampled_softmax):
        scores = tf.constant([[9.0, 0.0, 0.0]])
        with tf.GradientTape() as tape:
            tape.watch(scores)
            value = loss(scores, [[1, 0, 0]])
        found.append(tape.gradient(value, scores).numpy())
    np.testing.assert_allclose(found[0], [[-1.0, 0.5, 0.5]], rtol=1e-6)
    assert np.abs(found[1]).max() < 0.001
