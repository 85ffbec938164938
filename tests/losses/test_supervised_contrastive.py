"""Several positives that compete."""

import numpy as np
import pytest
import tensorflow as tf

from tests.losses.loops import example
from tfdual.losses import sampled_softmax, supervised_contrastive


def test_two_positives_by_hand() -> None:
    total = np.log(np.exp(2) + np.exp(1) + np.exp(0))
    loss = supervised_contrastive([[2.0, 1.0, 0.0]], [[1, 1, 0]])
    assert float(loss) == pytest.approx(((total - 2) + (total - 1)) / 2, rel=1e-6)


def test_loss_is_cross_entropy_with_equal_shares_for_the_positives() -> None:
    scores, labels, *_ = example()
    shares = labels / labels.sum(axis=1, keepdims=True)
    expected = tf.nn.softmax_cross_entropy_with_logits(shares.astype("float32"), scores)
    assert float(supervised_contrastive(scores, labels)) == pytest.approx(np.mean(expected), rel=1e-5)


def test_one_positive_gives_the_softmax() -> None:
    scores, *_ = example()
    labels = np.eye(*scores.shape)
    assert float(supervised_contrastive(scores, labels)) == pytest.approx(
        float(sampled_softmax(scores, labels)), rel=1e-6
    )


def test_positives_of_one_score_have_the_lowest_loss() -> None:
    labels = [[1, 1, 0]]
    assert float(supervised_contrastive([[2.0, 2.0, 0.0]], labels)) < float(
        supervised_contrastive([[3.0, 1.0, 0.0]], labels)
    )
