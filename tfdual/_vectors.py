"""Vectors of length 1, and zeros for what is missing."""

from typing import Any

from keras import ops


def unit(vectors: Any) -> Any:
    """Vectors of any shape `(..., dim)` divided by their lengths, in float32; a length below 1e-6 counts as 1e-6."""
    exact = ops.cast(vectors, "float32")
    return exact * ops.rsqrt(ops.maximum(ops.sum(ops.square(exact), axis=-1, keepdims=True), 1e-12))


def zero_missing(vectors: Any, present: Any) -> Any:
    """Those `(..., dim)` where `present` `(...)` is true, else zeros: by choice, as a product would keep NaN.

    `None`: all are present.
    """
    return vectors if present is None else ops.where(present[..., None], vectors, ops.zeros_like(vectors))
