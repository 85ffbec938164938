"""The mean of the rows that are there."""

from keras import ops

from tfdual._typing import Tensor


def masked_mean(rows: Tensor, mask: Tensor) -> Tensor:
    """Mean of the rows `(batch, length, dim)` where the mask `(batch, length)` is true; zeros where it is nowhere.

    The sum is in float32, the result of the rows' type.
    """
    mask = mask[..., None]
    total = ops.sum(ops.where(mask, ops.cast(rows, "float32"), 0.0), axis=1)
    return ops.cast(ops.divide_no_nan(total, ops.sum(ops.cast(mask, "float32"), axis=1)), rows.dtype)
