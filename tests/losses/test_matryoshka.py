import numpy as np
import pytest
import tensorflow as tf

from tfdual.losses import in_batch_softmax, matryoshka, similarity_distillation

RNG = np.random.default_rng(0)
QUERY, ITEM = RNG.normal(size=(2, 5, 6)).astype("float32")


def test_loss_is_the_weighted_mean_of_the_losses_of_prefixes() -> None:
    terms = [float(in_batch_softmax(QUERY[:, :width], ITEM[:, :width])) for width in (1, 4, 6)]
    found = matryoshka(in_batch_softmax, QUERY, ITEM, widths=[1, 4, 6], weights=[1.0, 0.5, 2.5])
    assert float(found) == pytest.approx((terms[0] + 0.5 * terms[1] + 2.5 * terms[2]) / 4, rel=1e-6)
    assert float(matryoshka(in_batch_softmax, QUERY, ITEM, widths=[1, 4, 6])) == pytest.approx(np.mean(terms), rel=1e-6)
    assert len({round(term, 3) for term in terms}) == 3


def test_what_is_passed_by_name_is_not_cut() -> None:
    found = matryoshka(similarity_distillation, QUERY, widths=[2], teacher_vectors=ITEM)
    assert float(found) == pytest.approx(float(similarity_distillation(QUERY[:, :2], ITEM)), rel=1e-6)


def test_numbers_behind_the_last_width_and_of_weight_zero_get_no_gradient() -> None:
    vectors = tf.Variable(QUERY)
    with tf.GradientTape() as tape:
        loss = matryoshka(similarity_distillation, vectors, widths=[2, 4, 5], weights=[1, 1, 0], teacher_vectors=ITEM)
    gradient = tape.gradient(loss, vectors).numpy()
    assert not gradient[:, 4:].any()
    assert gradient[:, :4].any(axis=0).all()


@pytest.mark.parametrize("widths", [[], [0, 2], [2, 2], [4, 2], [2, 7]])
def test_widths_that_are_not_nested_are_refused(widths: list[int]) -> None:
    with pytest.raises(ValueError, match="Nested widths rise, from 1 at least to 6 at most. Received"):
        matryoshka(in_batch_softmax, QUERY, ITEM, widths=widths)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_weights_that_are_not_one_a_width_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"Each of the widths \[2, 4\] needs a weight"):
        matryoshka(in_batch_softmax, QUERY, ITEM, widths=[2, 4], weights=weights)


def test_vectors_are_needed() -> None:
    with pytest.raises(ValueError, match="needs vectors to cut"):
        matryoshka(in_batch_softmax, widths=[2])
