"""The states of a text's tokens -> one vector."""

from keras import ops

from tfdual._typing import Tensor

POOLINGS = ("cls", "mean", "max", "weighted")


def pooled(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """One vector a text, float32 `(batch, dim)`.

    Args:
        states: `(batch, length, dim)`.
        mask: bool `(batch, length)`, true where there is a token; there is one in each row.
        pooling: `"cls"`: the first token's state; `"mean"`; `"max"`: the greatest of each number; `"weighted"`: the
            mean in which the i-th token weighs i, as of a model that reads from left to right.
    """
    states = ops.cast(states, "float32")
    if pooling == "cls":
        return states[:, 0]
    present = mask[..., None]
    if pooling == "max":
        return ops.max(ops.where(present, states, -float("inf")), axis=1)
    weights = ops.cast(mask, "float32")
    if pooling == "weighted":
        weights = ops.cumsum(weights, axis=1) * weights
    total = ops.matmul(weights[:, None], ops.where(present, states, 0.0))[:, 0]
    return total / ops.sum(weights, axis=1, keepdims=True)
