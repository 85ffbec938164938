"""Gradients that hold single rows of a table: sums of repeated rows, and functions of their values."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from keras import ops

from tfdual._backend import replicas
from tfdual._typing import Tensor

NO_ROW = -1


def sum_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    """The same gradient with each row once."""
    rows, places = tf.unique(gradient.indices)
    sums = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
    return tf.IndexedSlices(sums, rows, gradient.dense_shape)


def if_sparse(change: Callable[[tf.IndexedSlices], Any], gradient: Any) -> Any:
    """What `change` gives for a sparse gradient; another one, or None, as it is."""
    return change(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient


def over_replicas(add_up: Callable[[list], list], gradients: list) -> list:
    """What `add_up` gives for the gradients of this replica. None among them is passed over.

    Each sparse one goes there with one row more, which is dropped afterwards: a sum in which no replica has a row kills
    TensorFlow's process (2.20).
    """
    if replicas() == 1:
        return add_up(gradients)
    return [if_sparse(_without_the_more, each) for each in add_up([if_sparse(_one_more, each) for each in gradients])]


def _values(gradient: tf.IndexedSlices) -> Tensor:
    return gradient.values


def _one_more(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    values = tf.pad(gradient.values, [[0, 1], *[[0, 0]] * (len(gradient.values.shape) - 1)])
    return tf.IndexedSlices(values, tf.pad(gradient.indices, [[0, 1]], constant_values=NO_ROW), gradient.dense_shape)


def _without_the_more(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    places = tf.where(gradient.indices != NO_ROW)[:, 0]
    values, rows = (tf.gather(each, places) for each in (gradient.values, gradient.indices))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def nonzero_rows(gradient: Tensor) -> tf.IndexedSlices:
    """The rows of a dense gradient that hold anything but zeros."""
    others = tf.range(1, tf.rank(gradient))
    rows = tf.where(tf.reduce_any(tf.not_equal(gradient, 0), axis=others))[:, 0]
    return tf.IndexedSlices(tf.gather(gradient, rows), rows, tf.shape(gradient, tf.int64))


def all_finite(gradients: Sequence[Any]) -> Tensor:
    """Whether no gradient holds NaN or infinity; a bool scalar. None among them is passed over.

    Keras's own check writes the rows of a sparse gradient over one another, so that a finite one can hide another.
    """
    given = [one for one in gradients if one is not None]
    values = [if_sparse(_values, one) for one in given]
    return ops.all(ops.stack([ops.all(ops.isfinite(value)) for value in values]))


def on_summed_rows(function: Callable[[list], list], gradients: list) -> list:
    """What `function` gives for the values of all gradients, sparse ones with each row once."""
    summed = [if_sparse(sum_rows, gradient) for gradient in gradients]
    values = function([if_sparse(_values, gradient) for gradient in summed])
    return [
        tf.IndexedSlices(value, gradient.indices, gradient.dense_shape)
        if isinstance(gradient, tf.IndexedSlices)
        else value
        for value, gradient in zip(values, summed, strict=True)
    ]
