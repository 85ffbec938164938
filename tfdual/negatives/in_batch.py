"""The other items of the batch as negatives."""

from typing import Any

from keras import ops

from tfdual._items import Items
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.negatives.batch import Batch
from tfdual.negatives.negatives import Negatives


@register
class InBatch(Negatives):
    """Every other item of the batch is a negative of a query. They cost nothing, since they are encoded anyway.

    `log_count = log(batch_size) + log_probability`

    Args:
        hardest: int. A query is scored against so many of them alone, those of its highest scores. Defaults to `None`:
            all.

    Raises:
        ValueError: `hardest` below 1.

    Example:
        >>> source = InBatch()
        >>> source.includes_batch, source.hardest
        (True, None)
        >>> count = source.log_count(ops.array([7]), ops.log([0.01]), 100)  # of 100 examples one holds the item
        >>> round(float(ops.exp(count[0])), 4)
        1.0

    Reference: Yi et al., 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations"
    """

    includes_batch = True

    def __init__(self, hardest: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if hardest is not None and hardest < 1:
            raise ValueError(f"hardest is at least 1, or None for all items of the batch. Received {hardest}.")
        self.hardest = hardest

    def draw(self, batch: Batch) -> Items | None:
        """Nothing: the model has the batch's items."""
        return None

    def log_count(self, ids: Tensor, log_probability: Tensor, batch_size: Tensor) -> Tensor | None:
        """Logarithm of how often each item is expected in the batch."""
        return ops.cast(log_probability, "float32") + ops.log(ops.cast(batch_size, "float32"))

    def get_config(self) -> dict:
        return super().get_config() | {"hardest": self.hardest}
