"""Labels of lists of candidates: as many as there are scores, each a number, with what the loss takes besides."""

import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.test_cross_encoder import tiny
from tfdual.losses import kl_distillation, margin_mse
from tfdual.models import CrossEncoder
from tfdual.tailoring import DeepReranker

PAIRS = {"query": tf.constant(["tea", "milk", "green", "a"]), "item": tf.constant(["tea", "b", "green", "b"])}
LISTS = {"query": tf.constant(["tea", "b"]), "item": tf.constant([["tea", "milk", "a"], ["a", "b", "green"]])}
RAGGED = {"query": LISTS["query"], "item": tf.ragged.constant([["tea", "milk"], ["a", "b", "green"]])}


def compiled(**options: Any) -> CrossEncoder:
    model = tiny(**options)
    model.compile(keras.optimizers.SGD(0.1))
    return model


@pytest.mark.parametrize("labels", [np.array([1, 0, 0, 1]), np.array([1.0, 0, 0, 1])], ids=["int", "float"])
def test_labels_of_pairs_are_flat_or_of_width_one(labels: np.ndarray) -> None:
    model = compiled()
    scores = model(PAIRS).numpy()
    wanted = np.mean(np.log1p(np.exp(np.where(labels > 0, -scores, scores))))
    for given in (labels, labels[:, None]):
        assert model.evaluate(PAIRS, given, verbose=0) == pytest.approx(wanted, rel=1e-5)
        assert float(model.compute_loss({}, tf.constant(given), model(PAIRS))) == pytest.approx(wanted, rel=1e-5)
    assert model.fit(PAIRS, labels[:, None], verbose=0).history["loss"] == [pytest.approx(wanted, rel=1e-5)]


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (PAIRS, np.ones((4, 2)), r"\(None, 1\), as the scores. Received the shape \(None, 2\)"),
        (LISTS, np.ones((2, 2)), r"\(None, 3\), as the scores. Received the shape \(None, 2\)"),
        (LISTS, np.ones((2, 1)), r"\(None, 3\), as the scores. Received the shape \(None, 1\)"),
        (LISTS, np.ones(2), r"\(None, 3\), as the scores. Received the shape \(None,\)"),
        (
            RAGGED,
            np.ones((2, 1)),
            r"\(2, 3\), as the scores. Received the shape \(2, 1\). Fill shorter rows up with -1",
        ),
        (RAGGED, tf.ragged.constant([[1.0], [0.0]]), r"\(2, 3\), as the scores. Received the shape \(2, 1\)"),
    ],
)
def test_labels_of_another_width_are_refused(inputs: dict, labels: Any, message: str) -> None:
    for what in (compiled().fit, compiled().evaluate):
        with pytest.raises(ValueError, match=f"Labels are one a candidate, -1 where there is none: {message}"):
            what(inputs, labels, verbose=0)


def test_a_label_that_is_nan_is_refused_and_changes_no_weight() -> None:
    model = compiled()
    labels = np.array([[1.0, 0.0, -1.0], [0.0, np.nan, 1.0]])
    model.build()
    before = model.get_weights()
    for what in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"^A label is a number, and -1 .* NaN stands in the batch's rows \[1\]"):
            what(tf.data.Dataset.from_tensors((LISTS, labels)), verbose=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"NaN stands in the batch's rows \[1\]"):
        model.compute_loss({}, tf.constant(labels), model(LISTS))
    for found, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


ENDED = np.log1p(np.exp(np.array([1.0, 3.0])))  # of scores 1 and 3 with the label 0
SCORES = np.array([[2.0, 1.0], [3.0, -np.inf]], "float32")  # lists of two candidates and of one


@pytest.mark.parametrize(
    "labels",
    [
        [[1.0, 0.0], [0.0, -1.0]],
        np.array([[1, 0], [0, -1]]),
        [[1.0, 0.0, -1.0, -1.0], [0.0, -1.0, -1.0, -1.0]],  # as wide as the longest list of the data set
        tf.ragged.constant([[1.0, 0.0], [0.0]]),
    ],
)
@pytest.mark.parametrize("in_graph", [False, True])
def test_labels_end_where_lists_do_or_go_on_as_minus_one(labels: Any, in_graph: bool) -> None:
    model, given = tiny(), labels if isinstance(labels, tf.RaggedTensor) else tf.constant(labels)

    def loss(scores: tf.Tensor) -> tf.Tensor:
        return model.compute_loss({}, given, scores)

    if in_graph:
        loss = tf.function(loss, input_signature=[tf.TensorSpec([None, None])], autograph=False)
    wanted = np.mean([(np.log1p(np.exp(-2.0)) + ENDED[0]) / 2, ENDED[1]])
    assert float(loss(tf.constant(SCORES))) == pytest.approx(wanted, rel=1e-5)


BEHIND = r"^Where there is no candidate a label is -1. In the batch's rows \[0\] others stand behind the list's end"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), BEHIND),  # filled up with 0
        (np.array([[1, 0, 1], [1, 0, 0]]), BEHIND),
        (np.array([[1.0, 0, -1, 0], [1.0, 0, 0, -1]]), BEHIND),
        (tf.ragged.constant([[1.0], [1.0, 0.0, 0.0]]), r"^Ragged labels are one a candidate.* rows \[0\]"),
        (tf.ragged.constant([[1.0, 0.0, 1.0], [1.0, 0.0]]), r"^Ragged labels are one a candidate.* rows \[0, 1\]"),
        (tf.ragged.constant([[1.0, 0.0], [1.0, 0.0, 0.0, 1.0]]), r"^Ragged labels are one a candidate.* rows \[1\]"),
    ],
)
def test_a_label_without_a_candidate_is_refused(labels: Any, message: str) -> None:
    for what in (compiled().fit, compiled().evaluate):
        with pytest.raises(ValueError, match=message):
            what(tf.data.Dataset.from_tensors((RAGGED, labels)).repeat(2), verbose=0)


def test_batches_of_lists_that_end_early_take_labels_of_the_widest() -> None:
    model = compiled(ranking_loss=margin_mse)
    labels = np.array([[1.0, 0.0, -1.0, -1.0], [0.0, 1.0, 0.0, -1.0]])
    teacher = np.array([[2.0, 0.0, 0.0, 0.0], [1.0, 4.0, -1.0, 0.0]])
    scores = model(RAGGED).numpy()
    pairs = [[(0, 0, 1)], [(1, 1, 0), (1, 1, 2)]]
    ahead = scores - teacher[:, :3]
    margin = [[ahead[row, one] - ahead[row, two] for row, one, two in some] for some in pairs]
    wanted = np.mean([np.mean(np.square(some)) for some in margin])
    data = tf.data.Dataset.from_generator(
        lambda: [(RAGGED, {"labels": labels, "teacher_scores": teacher})],
        output_signature=(
            {"query": tf.TensorSpec([None], tf.string), "item": tf.RaggedTensorSpec([None, None], tf.string)},
            dict.fromkeys(["labels", "teacher_scores"], tf.TensorSpec([None, None])),
        ),
    )
    assert model.evaluate(data, verbose=0) == pytest.approx(wanted, rel=1e-4)
    assert model.fit(data, verbose=0).history["loss"] == [pytest.approx(wanted, rel=1e-4)]


def test_under_xla_a_label_that_is_nan_is_a_loss_that_is_nan_and_changes_no_weight() -> None:
    chance = np.random.default_rng(5)
    model = DeepReranker(hidden=(4,))
    model.compile(keras.optimizers.SGD(0.1), jit_compile=True)
    data = {"query_vector": chance.normal(size=(2, 3)), "vector": chance.normal(size=(2, 2, 3))}
    assert np.isfinite(model.fit(data, np.eye(2), verbose=0).history["loss"]).all()
    before = model.get_weights()
    assert np.isnan(model.fit(data, np.array([[1.0, np.nan], [0.0, 1.0]]), verbose=0).history["loss"]).all()
    for found, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_what_a_loss_takes_besides_labels_is_asked_for() -> None:
    labels, message = np.array([[1.0, 0.0, -1.0], [0.0, 0.0, 1.0]]), r'give y={"labels": ..., "teacher_scores": ...}'
    with pytest.raises(ValueError, match=message):
        compiled(ranking_loss=margin_mse).fit(LISTS, labels, verbose=0)
    with pytest.raises(ValueError, match=message):
        compiled(ranking_loss=functools.partial(margin_mse)).fit(LISTS, {"labels": labels, "other": labels}, verbose=0)
    history = compiled(ranking_loss=kl_distillation).fit(LISTS, labels, verbose=0).history
    assert np.isfinite(history["loss"]).all()
