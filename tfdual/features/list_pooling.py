"""The rows of a list -> one row."""

import numpy as np
from keras import ops

from tfdual._backend import is_ragged, require_one_shape, sum_in_order
from tfdual._typing import Tensor

COMBINERS = ("mean", "sum", "sqrtn", "max")
UNPOOLED = "none"
LOWEST = float(np.finfo(np.float32).min)


def pool_ragged(rows: Tensor, ids: Tensor, weights: Tensor | None, combiner: str) -> Tensor:
    """Pool the rows of ragged `ids`.

    Args:
        rows: `(ids, dim)`, a row for each of `ids.flat_values`.
        ids: ragged `(batch, None)`.
        weights: `(ids,)`, or None where all weigh the same.
        combiner: one of `COMBINERS`.
    """
    segments, batch = ids.value_rowids(), ids.nrows()
    lengths = ids.row_lengths()[:, None]
    if combiner == "max":
        return ops.where(lengths > 0, ops.segment_max(rows, segments, batch), 0.0)
    if weights is None:
        lengths = ops.cast(lengths, rows.dtype)
        return _divide(sum_in_order(rows, segments, batch), lengths, lengths, combiner)
    weights = weights[:, None]
    total, divisor, squares = (sum_in_order(x, segments, batch) for x in (rows * weights, weights, weights**2))
    return _divide(total, divisor, squares, combiner)


def pool_padded(rows: Tensor, present: Tensor, weights: Tensor | None, combiner: str) -> Tensor:
    """Pool the rows `(batch, length, dim)` that are `present`, a mask `(batch, length)`.

    Args:
        rows: `(batch, length, dim)`.
        present: bool `(batch, length)`.
        weights: `(batch, length)`, or None where all weigh the same.
        combiner: one of `COMBINERS`.
    """
    present = present[..., None]
    if combiner == "max":
        highest = ops.max(ops.where(present, rows, LOWEST), axis=1, initial=LOWEST)
        return ops.where(ops.any(present, axis=1), highest, 0.0)
    weights = ops.ones_like(rows[..., :1]) if weights is None else weights[..., None]
    weights = ops.where(present, weights, 0.0)  # (batch, length, 1)
    total, divisor, squares = (ops.sum(x, axis=1) for x in (rows * weights, weights, weights**2))
    return _divide(total, divisor, squares, combiner)


def _divide(total: Tensor, weights: Tensor, squares: Tensor, combiner: str) -> Tensor:
    """The weighted sum of rows over what the combiner divides by; zeros where that is 0."""
    if combiner == "sum":
        return total
    if combiner == "mean":
        return ops.divide_no_nan(total, weights)
    return total / ops.sqrt(ops.where(squares > 0, squares, 1.0))


def fitting_weights(ids: Tensor, weights: Tensor, combiner: str, column_name: str) -> Tensor:
    """The weights, in float32, if they fit the ids: told as the call is traced where shapes do, else as it runs.

    Raises:
        ValueError: the combiner takes none, the ids are no lists, or the shapes differ.
    """
    if combiner in ("max", UNPOOLED):
        raise ValueError(f"The combiner {combiner!r} takes no weights, and '{column_name}' has some. Use another one.")
    if len(ids.shape) == 1:
        raise ValueError(f"Weights weigh the ids of a list. '{column_name}' has one id a row; leave its weights out.")
    wanted = f"The weights of '{column_name}' must have the shape of its ids."
    if is_ragged(ids) != is_ragged(weights):
        kinds = ["ragged" if is_ragged(values) else "dense" for values in (ids, weights)]
        raise ValueError(f"{wanted} Received {kinds[0]} ids and {kinds[1]} weights.")
    message = f"{wanted} Their lists differ in number or length: {ids.shape}, {weights.shape}."
    return ops.cast(require_one_shape(ids, weights, message), "float32")
