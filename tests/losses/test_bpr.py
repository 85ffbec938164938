"""Pairs of positives and negatives, all or the hardest."""

import numpy as np
import pytest
import tensorflow as tf

from tests.losses.loops import CASES, example
from tfdual.losses import bpr, hinge, semi_hard_triplet

PAIRED = {"bpr": bpr, "hinge": hinge, "semi_hard_triplet": semi_hard_triplet}


def test_two_positives_by_hand() -> None:
    pairs = [np.log(1 + np.exp(-1)), np.log(1 + np.exp(-3)), np.log(1 + np.exp(1)), np.log(1 + np.exp(-1))]
    loss = bpr([[2.0, 1.0, -1.0, 0.0]], [[1, 0, 0, 1]])
    assert float(loss) == pytest.approx(np.mean(pairs), rel=1e-6)


def test_one_score_for_all_gives_log_two() -> None:
    assert float(bpr(np.full((3, 4), 5.0), np.eye(3, 4))) == pytest.approx(np.log(2), rel=1e-6)


@pytest.mark.parametrize("name", PAIRED)
def test_room_for_all_positives_gives_what_no_limit_gives(name: str) -> None:
    scores, labels, _, mask, weight = example()
    most = int((labels & mask).sum(axis=1).max())
    assert 1 < most < scores.shape[1]
    every = float(PAIRED[name](scores, labels, mask, weight))
    for limit in (most, scores.shape[1], 100):
        limited = PAIRED[name](scores, labels, mask, weight, max_positives=limit)
        assert float(limited) == pytest.approx(every, rel=1e-6)


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("name", PAIRED)
def test_limit_takes_the_positives_of_the_lowest_score(name: str, limit: int) -> None:
    scores, labels, teacher, mask, weight = example()
    hardest = mask.copy()
    for row in range(len(scores)):
        places = np.flatnonzero(labels[row] & mask[row])
        hardest[row, places[np.argsort(scores[row, places])][limit:]] = False
    assert (hardest != mask).any()
    limited = PAIRED[name](scores, labels, mask, weight, max_positives=limit)
    expected = CASES[name].expected(scores, labels, teacher, hardest, weight)
    assert float(limited) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("name", PAIRED)
def test_limit_works_in_a_graph_and_keeps_junk_out(name: str, compiled: bool) -> None:
    scores, labels, _, mask, weight = example()
    scores[~mask] = np.nan

    @tf.function(jit_compile=compiled, input_signature=[tf.TensorSpec([None, scores.shape[1]])])
    def gradient(scores: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = PAIRED[name](scores, labels, mask, weight, max_positives=3)
        return tape.gradient(loss, scores)

    found = gradient(scores).numpy()
    assert np.isfinite(found).all()
    assert not found[~mask].any()
    with tf.GradientTape() as tape:
        tape.watch(eager := tf.constant(scores))
        loss = PAIRED[name](eager, labels, mask, weight, max_positives=3)
    np.testing.assert_allclose(found, tape.gradient(loss, eager), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("name", PAIRED)
def test_limit_above_a_number_of_candidates_that_a_graph_does_not_know_is_no_limit(name: str, compiled: bool) -> None:
    scores, labels, *_ = example()

    @tf.function(jit_compile=compiled, input_signature=[tf.TensorSpec([None, None])] * 2)
    def loss(scores: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return PAIRED[name](scores, labels, max_positives=100)

    assert float(loss(scores, labels.astype("float32"))) == pytest.approx(float(PAIRED[name](scores, labels)), rel=1e-5)


@pytest.mark.parametrize("limit", [0, -1])
@pytest.mark.parametrize("name", PAIRED)
def test_limit_below_one_is_refused(name: str, limit: int) -> None:
    with pytest.raises(ValueError, match=f"max_positives needs to be 1 or more.*Received {limit}"):
        PAIRED[name](*example()[:2], max_positives=limit)
