"""Labels of lists of candidates, checked."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfdual._backend import is_ragged
from tfdual._typing import Tensor
from tfdual.models.candidate_pairs import NOTHING


def checked_labels(labels: Tensor, scores: Tensor, in_python: bool) -> tuple[Tensor, Tensor]:
    """Labels, once they are one number a candidate, and as wide as these the scores.

    Args:
        labels: `(batch, candidates)`, ragged as the lists of candidates, or dense and -1 where there is no candidate;
            then they may be wider than the longest list of the batch.
        scores: `(batch, candidates)`, minus infinity behind the end of a ragged list.
        in_python: bool. Whether a step may call Python to tell of what the graph doesn't know.

    Raises:
        ValueError: another shape. What only the values tell, a width, NaN, or a label without a candidate, comes inside
            TensorFlow's `InvalidArgumentError`; `told_plainly` takes it out.
    """
    lengths = labels.row_lengths() if is_ragged(labels) else None
    labels = labels.to_tensor(-1) if is_ragged(labels) else ops.convert_to_tensor(labels)
    if in_python:
        scores = _as_wide(scores, labels)
    shape, wanted = tf.TensorShape(labels.shape), tf.TensorShape(scores.shape)
    if shape.rank is not None and (shape.rank != 2 or not shape[1:].is_compatible_with(wanted[1:])):
        raise ValueError(_of_shape(tuple(shape), tuple(wanted)))
    if keras.backend.backend() != "tensorflow":
        return labels, scores
    return tf.ensure_shape(_sound(labels, scores, lengths) if in_python else labels, wanted), scores


def _as_wide(scores: Tensor, labels: Tensor) -> Tensor:
    """Scores with minus infinity up to the width of labels, unless a graph knows both widths."""
    widths = scores.shape[1:], tf.TensorShape(labels.shape)[1:2]
    if not tf.executing_eagerly() and all(width.is_fully_defined() for width in widths):
        return scores
    surplus = tf.maximum(tf.shape(labels)[-1] - tf.shape(scores)[1], 0)
    return tf.pad(scores, [[0, 0], [0, surplus]], constant_values=NOTHING)


def _sound(labels: Tensor, scores: Tensor, lengths: Tensor | None) -> Tensor:
    """The same labels, which wait until their shape and values are known to be right."""
    there = tf.not_equal(scores, NOTHING)
    counts = tf.math.count_nonzero(there, axis=1)
    lengths = counts if lengths is None else tf.cast(lengths, tf.int64)

    def right() -> Tensor:
        wrong = tf.logical_and(ops.greater_equal(labels, 0), tf.logical_not(there))
        if labels.dtype.is_floating:
            wrong = tf.logical_or(wrong, tf.math.is_nan(labels))
        return tf.logical_and(tf.logical_not(tf.reduce_any(wrong)), tf.reduce_all(tf.equal(lengths, counts)))

    of_one_shape = tf.reduce_all(tf.equal(tf.shape(labels), tf.shape(scores)))
    sound = tf.cond(of_one_shape, right, lambda: False)
    return tf.cond(sound, lambda: labels, lambda: tf.py_function(_stop, [labels, there, lengths], labels.dtype))


def _stop(labels: Tensor, there: Tensor, lengths: Tensor) -> Tensor:
    if labels.shape != there.shape:
        raise ValueError(_of_shape(tuple(labels.shape), tuple(there.shape)))
    labels, there = labels.numpy(), there.numpy()
    if uneven := np.flatnonzero(lengths.numpy() != there.sum(axis=1)).tolist():
        raise ValueError(
            "Ragged labels are one a candidate, as many as the list holds. There are more or fewer in the batch's rows "
            f"{uneven}. Where lists are filled up, fill the labels up too: labels.to_tensor(-1)."
        )
    if rows := np.flatnonzero(np.isnan(labels).any(axis=1)).tolist():
        raise ValueError(
            f"A label is a number, and -1 where there is no candidate. NaN stands in the batch's rows {rows}."
        )
    rows = np.flatnonzero(((labels >= 0) & ~there).any(axis=1)).tolist()
    raise ValueError(
        f"Where there is no candidate a label is -1. In the batch's rows {rows} others stand behind the list's end, "
        "where the score is minus infinity. If no list ends early, training diverges: lower the learning rate."
    )


def _of_shape(shape: tuple, wanted: tuple) -> str:
    return (
        f"Labels are one a candidate, -1 where there is none: {wanted}, as the scores. Received the shape {shape}. "
        "Fill shorter rows up with -1."
    )


def of_width_one(labels: Tensor) -> Tensor:
    """`(batch,)` -> `(batch, 1)`; Keras may call its step with labels whose rank is not known."""
    rank = tf.TensorShape(labels.shape).rank
    return ops.reshape(labels, (-1, 1)) if rank in (None, 1) else labels


def check_arguments(loss: Callable[..., Tensor], others: Mapping[str, Any]) -> None:
    """Refuse labels without what a loss takes besides.

    Raises:
        ValueError: something is missing.
    """
    plain = list(inspect.signature(loss).parameters.values())[2:]  # scores and labels stand before
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [one.name for one in plain if one.default is one.empty and one.kind not in kinds]
    if missing := [name for name in needed if name not in {"mask", "sample_weight", *others}]:
        given = ", ".join(f'"{name}": ...' for name in ("labels", *missing))
        raise ValueError(f"The ranking loss takes {missing} besides labels. Received none: give y={{{given}}}.")
