"""Items that queries are scored against."""

from dataclasses import dataclass

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
