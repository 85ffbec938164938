"""Several sources of negatives as one."""

from collections.abc import Sequence
from typing import Any

from tfdual._build import build_once, deserialized, serialized
from tfdual._items import Items, join_items
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.negatives.batch import Batch
from tfdual.negatives.expected_counts import log_of_sum
from tfdual.negatives.in_batch import InBatch
from tfdual.negatives.negatives import Negatives


@register
class SumOfNegatives(Negatives):
    """The items of all sources, in their order: what `a + b` gives.

    `log_count = log(sum_s exp(log_count_s))` over the sources that have a distribution: in-batch and uniform negatives
    together are mixed negative sampling, with `batch_size * q(item) + count / items` of each item.

    Args:
        parts: list of sources. Sums among them are taken apart.

    Raises:
        ValueError: no source, one that stands twice, several `InBatch`.
        TypeError: a part that is no source.

    Example:
        >>> from keras import ops
        >>> from tfdual.negatives import Uniform
        >>> both = InBatch() + Uniform(2).adapt([{"item_id": ops.arange(1, 5)}])
        >>> count = both.log_count(ops.array([3]), ops.log([0.01]), 100)  # 100 * 0.01 + 2 / 4
        >>> round(float(ops.exp(count[0])), 4)
        1.5

    Reference: Yang et al., 2020, "Mixed negative sampling for learning two-tower neural networks in recommendations"
    """

    def __init__(self, parts: Sequence[Negatives], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if wrong := [part for part in parts if not isinstance(part, Negatives)]:
            raise TypeError(f"SumOfNegatives takes sources, such as `InBatch()`. Received {wrong}.")
        flat = [source for part in parts for source in part.sources()]
        if not flat or len({id(source) for source in flat}) < len(flat):
            raise ValueError(
                f"SumOfNegatives takes at least one source, and none twice. Received {[part.name for part in flat]}. "
                "For more items of one source, raise its count."
            )
        in_batch = [source for source in flat if isinstance(source, InBatch)]
        if len(in_batch) > 1:
            raise ValueError(f"The batch's items are negatives once. Received {len(in_batch)} InBatch; leave one.")
        self.parts = flat
        self.includes_batch = bool(in_batch)
        self.hardest = in_batch[0].hardest if in_batch else None
        self.supports_jit = all(part.supports_jit for part in flat)

    def build(self, query_shape: Shape) -> None:
        for part in self.parts:
            build_once(part, query_shape)
        self.built = True

    def sources(self) -> Sequence[Negatives]:
        """The sources, in their order."""
        return list(self.parts)

    def draw(self, batch: Batch) -> Items | None:
        """The items of all sources."""
        every = [part.draw(batch) for part in self.parts]
        return join_items([items for items in every if items is not None])

    def log_count(self, ids: Tensor, log_probability: Tensor, batch_size: Tensor) -> Tensor | None:
        """Logarithm of how often each item is expected from all sources that have a distribution."""
        counts = [part.log_count(ids, log_probability, batch_size) for part in self.parts]
        known = [count for count in counts if count is not None]
        return log_of_sum(known) if known else None

    def update(self, batch: Batch) -> None:
        """Each source takes the batch in."""
        for part in self.parts:
            part.update(batch)

    def get_config(self) -> dict:
        return super().get_config() | {"parts": serialized(list(self.parts))}

    @classmethod
    def from_config(cls, config: dict) -> "SumOfNegatives":
        return cls(**deserialized(config))
