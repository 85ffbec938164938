"""Items that queries are scored against."""

from dataclasses import dataclass

from keras import ops

from tfdual._typing import Tensor


@dataclass(frozen=True)
class Items:
    """Embedded items, which item each is, and how they came to be there.

    Args:
        embedding: `(items, dim)`.
        ids: int `(items,)`. Equal where two are the same item.
        log_probability: `(items,)` float32, natural logarithm of how often the item is expected here, up to a constant.
            Defaults to `None`: unknown.
        mask: bool `(items,)`. False: nothing stands at this place. Defaults to `None`: all are there.
    """

    embedding: Tensor
    ids: Tensor
    log_probability: Tensor | None = None
    mask: Tensor | None = None


def joined(first: Items, second: Items | None) -> Items:
    """The items of both, one after the other."""
    if second is None:
        return first
    log_probability, mask = None, None
    if first.log_probability is not None and second.log_probability is not None:
        log_probability = ops.concatenate([first.log_probability, second.log_probability], axis=0)
    if first.mask is not None or second.mask is not None:
        mask = ops.concatenate([_mask(first), _mask(second)], axis=0)
    embedding = ops.concatenate([first.embedding, ops.cast(second.embedding, first.embedding.dtype)], axis=0)
    ids = ops.concatenate([first.ids, ops.cast(second.ids, first.ids.dtype)], axis=0)
    return Items(embedding, ids, log_probability, mask)


def _mask(items: Items) -> Tensor:
    return ops.ones_like(items.ids, dtype="bool") if items.mask is None else items.mask
