"""A loss that is no number stops the training before it reaches a weight."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfdual._backend import is_ragged
from tfdual._typing import Tensor

ROWS_SHOWN = 5
DIVERGED = "Training diverges: lower the learning rate, or raise the temperature."
ADVICE = {
    "column": "`tfdual validate` finds such rows in a file; `Preprocessor` can fill what is missing.",
    "embedding": DIVERGED,
    "weight": DIVERGED,
}


def finite_or_stop(
    loss: Tensor,
    step: Tensor,
    columns: Mapping[str, Tensor],
    embeddings: Mapping[str, Tensor],
    weights: Sequence[keras.Variable],
    sample_weight: Tensor | None = None,
) -> Tensor:
    """The loss, whose gradient waits until it and the columns are known to be finite.

    A NaN in a column need not show in the loss: a fused `relu` of TensorFlow makes it 0, and the gradient is NaN.
    On backends other than TensorFlow nothing is checked.

    Args:
        loss: scalar.
        step: int scalar, steps taken before this one.
        columns: what the step read; those of floats are looked at.
        embeddings: what the encoders gave, `(rows, dim)`.
        weights: what trains.
        sample_weight: `(rows,)`, or None. Below 0 it is refused as well: the loss is divided by its sum.

    Raises:
        ValueError: eagerly; in a graph the step fails with TensorFlow's `InvalidArgumentError`. It names the step, and
            the rows of sample weights below 0; or else the columns and rows that hold no number; or else the weights,
            or else the embeddings.
    """
    if keras.backend.backend() != "tensorflow":
        return loss
    floats = {name: values for name, values in sorted(columns.items()) if _is_float(values)}
    given_weight = tf.ones([0]) if sample_weight is None else tf.cast(sample_weight, tf.float32)

    def stop(loss: Tensor, step: Tensor, sample_weight: Tensor, *values: Tensor) -> bool:
        if (bad := np.flatnonzero(sample_weight.numpy() < 0)).size:
            raise ValueError(
                f"Stopped before step {int(step)} (the first is 0) changed a weight: sample weights are at least 0. "
                f"They are below in {_count(bad)}."
            )
        given = [(value.to_tensor() if is_ragged(value) else value).numpy() for value in values]
        kinds = {
            "column": dict(zip(floats, given, strict=False)),
            "weight": {weight.path: keras.ops.convert_to_numpy(weight) for weight in weights},
            "embedding": dict(zip(embeddings, given[len(floats) :], strict=True)),
        }
        raise ValueError(_message(float(loss), int(step), kinds))

    given = [loss, step, given_weight, *floats.values(), *embeddings.values()]
    finite = [tf.reduce_all(tf.math.is_finite(_values(each))) for each in (loss, *floats.values())]
    sound = tf.stack([*finite, tf.reduce_all(given_weight >= 0)])
    is_finite = tf.cond(tf.reduce_all(sound), lambda: True, lambda: tf.py_function(stop, given, tf.bool))

    @tf.custom_gradient
    def waiting(loss: Tensor) -> tuple:
        def gradient(upstream: Tensor) -> Tensor:
            with tf.control_dependencies([is_finite]):
                return tf.identity(upstream)

        return tf.identity(loss), gradient

    return waiting(loss)


def _message(loss: float, step: int, kinds: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """What is no number: the first kind of thing that holds any."""
    start = f"Stopped before step {step} (the first is 0) changed a weight: the loss is {loss}."
    for kind, named in kinds.items():
        bad = {name: rows for name, values in named.items() if (rows := _bad_rows(values)).size}
        if bad:
            listed = "; ".join(f"'{name}' in {_count(rows)}" for name, rows in bad.items())
            return f"{start} Not finite: the {kind} {listed}. {ADVICE[kind]}"
    return f"{start} {DIVERGED}"


def _bad_rows(values: np.ndarray) -> np.ndarray:
    return np.flatnonzero(~np.isfinite(values.reshape(len(values) if values.ndim else 1, -1)).all(axis=1))


def _count(rows: np.ndarray) -> str:
    more = len(rows) - ROWS_SHOWN
    return f"rows {', '.join(map(str, rows[:ROWS_SHOWN]))}" + (f" and {more} more" if more > 0 else "")


def _is_float(values: Tensor) -> bool:
    return "float" in str(keras.backend.standardize_dtype(values.dtype))


def _values(values: Tensor) -> Tensor:
    return values.flat_values if is_ragged(values) else values
