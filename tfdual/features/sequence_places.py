"""Lists as sequences: dense, their entries in front, the last of them kept."""

from keras import ops

from tfdual._backend import is_ragged
from tfdual._typing import Tensor
from tfdual._vectors import zero_missing


def dense_weights(ids: Tensor, weights: Tensor, max_length: int | None = None) -> Tensor:
    """Weights `(batch, length)` that stand where `Table.sequence(ids, max_length)` puts the rows of `ids`.

    Args:
        ids: ragged `(batch, None)`, or `(batch, length)` padded with 0.
        weights: of the same shape.
        max_length: int. As given to `Table.sequence`. Defaults to `None`.
    """
    if is_ragged(ids):
        return last_of_ragged(weights, max_length).to_tensor()
    mask = ops.not_equal(ids, 0)
    weights = ops.where(mask, weights, 0)
    return weights if max_length is None else take_places(weights[..., None], *last_places(mask, max_length))[..., 0]


def last_of_ragged(values: Tensor, max_length: int | None) -> Tensor:
    """The last `max_length` values of each row of a ragged tensor."""
    return values if max_length is None else values[:, -max_length:]


def last_places(mask: Tensor, max_length: int | None = None) -> tuple[Tensor, Tensor]:
    """Where the last `max_length` entries of each row stand, in order, and which of these places are entries.

    Returns:
        Places `(batch, kept)` and a mask of that shape with every entry in front; `kept` is at least 1, and a place
        of no entry may lie one behind the end.
    """
    length = ops.shape(mask)[1]
    kept = _kept(length, max_length)
    columns = ops.arange(length + 1, dtype="int32")
    mask = ops.pad(mask, [[0, 0], [0, 1]])  # (batch, length + 1)
    order = ops.argsort(ops.where(mask, columns, columns + length + 1), axis=1)  # entries first, each in its order
    count = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)  # (batch, 1)
    first = ops.maximum(count - kept, 0)
    ranks = first + ops.arange(kept, dtype="int32")  # (batch, kept)
    return _take(order[..., None], ranks)[..., 0], ranks < count


def take_places(rows: Tensor, places: Tensor, mask: Tensor) -> Tensor:
    """The rows, of `(batch, length, dim)`, at places, `(batch, kept, dim)`; zeros where the mask is false."""
    taken = _take(ops.pad(rows, [[0, 0], [0, 1], [0, 0]]), places)
    return zero_missing(taken, mask)


def _take(values: Tensor, places: Tensor) -> Tensor:
    batch, length, dim = ops.shape(values)[0], ops.shape(values)[1], values.shape[-1]
    starts = ops.arange(batch, dtype=places.dtype)[:, None] * length
    return ops.take(ops.reshape(values, (-1, dim)), starts + places, axis=0)


def _kept(length: int | Tensor, max_length: int | None) -> int | Tensor:
    if isinstance(length, int):
        return max(1, length if max_length is None else min(length, max_length))
    return ops.maximum(1, length if max_length is None else ops.minimum(length, max_length))
