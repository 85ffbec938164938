"""The softmax, its correction and the ways around numbers that are too large."""

import numpy as np
import pytest
import tensorflow as tf

from tests.losses.loops import CASES, example
from tfdual.losses import mark_positives, sampled_softmax, supervised_contrastive


def test_two_queries_by_hand() -> None:
    scores = np.array([[3.0, 1.0, 1.0], [0.0, 2.0, 4.0]], "float32")
    labels = mark_positives([0, 1], 3)
    first, second = np.log(1 + 2 * np.exp(-2)), np.log(1 + np.exp(-2) + np.exp(2))
    assert float(sampled_softmax(scores, labels)) == pytest.approx((first + second) / 2, rel=1e-6)
    weighted = sampled_softmax(scores, labels, sample_weight=[3.0, 1.0])
    assert float(weighted) == pytest.approx((3 * first + second) / 4, rel=1e-6)


def test_one_positive_gives_keras_cross_entropy() -> None:
    scores, *_ = example(20, 9)
    index = np.random.default_rng(0).integers(0, 9, 20)
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(index, scores)
    assert float(sampled_softmax(scores, mark_positives(index, 9))) == pytest.approx(np.mean(expected), rel=1e-6)


def test_positives_of_a_query_do_not_compete() -> None:
    alone = float(sampled_softmax([[1.0, 0.0]], [[1, 0]]))
    assert float(sampled_softmax([[1.0, 1.0, 0.0]], [[1, 1, 0]])) == pytest.approx(alone, rel=1e-6)
    assert float(supervised_contrastive([[1.0, 1.0, 0.0]], [[1, 1, 0]])) > alone + 0.3


@pytest.mark.parametrize("shared", [True, False], ids=["candidates", "matrix"])
def test_correction_is_subtracted_from_every_score(shared: bool) -> None:
    scores, labels, teacher, mask, weight = example()
    log_probability = np.log(np.random.default_rng(1).uniform(1e-9, 1, scores.shape)).astype("float32")
    log_probability = log_probability[0] if shared else log_probability
    loss = sampled_softmax(scores, labels, mask, weight, log_probability)
    expected = CASES["sampled_softmax"].expected(scores - log_probability, labels, teacher, mask, weight)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    assert abs(float(loss) - float(sampled_softmax(scores, labels, mask, weight))) > 0.1


def test_one_log_probability_for_all_candidates_changes_nothing() -> None:
    scores, labels, *_ = example()
    same = sampled_softmax(scores, labels, log_probability=np.full(scores.shape[1], -7.0))
    assert float(same) == pytest.approx(float(sampled_softmax(scores, labels)), rel=1e-5)


def test_masked_candidate_may_have_probability_zero() -> None:
    scores, labels, _, mask, _ = example()
    log_probability = np.where(mask, -1.0, -np.inf)
    expected = float(sampled_softmax(scores, labels, mask))
    assert float(sampled_softmax(scores, labels, mask, None, log_probability)) == pytest.approx(expected, rel=1e-5)


def test_correction_gets_no_gradient() -> None:
    scores, labels, *_ = example()
    log_probability = tf.Variable(np.linspace(-3, -1, scores.shape[1]), dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = sampled_softmax(scores, labels, log_probability=log_probability)
    assert tape.gradient(loss, log_probability) is None


def test_correction_of_the_queries_is_refused() -> None:
    with pytest.raises(ValueError, match=r"log_probability needs the shape \(3,\)\. Received the shape \(4,\)"):
        sampled_softmax(np.ones((4, 3)), np.ones((4, 3)), log_probability=np.ones(4))


def test_large_lead_keeps_its_small_loss() -> None:
    assert float(sampled_softmax([[30.0, 0.0]], [[1, 0]])) == pytest.approx(np.exp(-30), rel=1e-4)
