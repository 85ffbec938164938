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


def checked_labels(labels: Tensor, scores: Tensor, in_python: bool) -> Tensor:
    """Labels, once they are one number a candidate.

    Args:
        labels: `(batch, candidates)`, dense or ragged; -1 where there is no candidate.
        scores: `(batch, candidates)`.
        in_python: bool. Whether a step may call Python to tell of NaN and of widths that the graph doesn't know.

    Raises:
        ValueError: another shape. What only the values tell, a width or NaN, comes inside TensorFlow's
            `InvalidArgumentError`; `told_plainly` takes it out.
    """
    labels = labels.to_tensor(-1) if is_ragged(labels) else ops.convert_to_tensor(labels)
    shape, wanted = tf.TensorShape(labels.shape), tf.TensorShape(scores.shape)
    if shape.rank is not None and (shape.rank != 2 or not shape[1:].is_compatible_with(wanted[1:])):
        raise ValueError(_of_shape(tuple(shape), tuple(wanted)))
    if keras.backend.backend() != "tensorflow":
        return labels
    return tf.ensure_shape(_sound(labels, scores) if in_python else labels, wanted)


def _sound(labels: Tensor, scores: Tensor) -> Tensor:
    """The same labels, which wait until their shape and values are known to be right."""
    given = [labels, tf.shape(scores)]
    sound = tf.reduce_all(tf.equal(tf.shape(labels), given[1]))
    if labels.dtype.is_floating:
        sound = tf.logical_and(sound, tf.logical_not(tf.reduce_any(tf.math.is_nan(labels))))
    return tf.cond(sound, lambda: labels, lambda: tf.py_function(_stop, given, labels.dtype))


def _stop(labels: Tensor, wanted: Tensor) -> Tensor:
    if labels.shape != tf.TensorShape(wanted):
        raise ValueError(_of_shape(tuple(labels.shape), tuple(wanted.numpy().tolist())))
    rows = np.flatnonzero(np.isnan(labels.numpy()).any(axis=1)).tolist()
    raise ValueError(f"A label is a number, and -1 where there is no candidate. NaN stands in the batch's rows {rows}.")


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
