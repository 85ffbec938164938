"""Items of past batches as negatives."""

from typing import Any

from keras import ops

from tfdual._backend import set_rows
from tfdual._build import build_once
from tfdual._items import Items
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.negatives._state import zeros_of
from tfdual.negatives.batch import Batch
from tfdual.negatives.negatives import Negatives


@register
class CrossBatchMemory(Negatives):
    """The last `size` item embeddings of past batches, as they were then.

    `log_count = log(filled) + log_probability`

    Many negatives for the price of a product: nothing is encoded again, and no gradient goes to them. An embedding is
    up to `size / batch` steps old. In the first steps embeddings move fast: `warm_up` holds the memory back. Its
    content is saved with the model.

    Args:
        size: int. Embeddings that it holds.
        warm_up: int. So many updates come before it gives any item. Defaults to 0: from the second step.

    Raises:
        ValueError: a size below 1, a negative warm-up; items of several vectors each.

    Example:
        >>> from tfdual.negatives import Batch
        >>> memory = CrossBatchMemory(4)
        >>> batch = Batch({}, ops.ones((3, 2)), Items(ops.ones((3, 2)), ops.array([7, 8, 9])), None)
        >>> memory.update(batch)
        >>> memory.draw(batch).mask.numpy().tolist()
        [True, True, True, False]

    Reference: Wang et al., 2020, "Cross-batch memory for embedding learning", arXiv:1912.06798; Wang et al., 2021,
    "Cross-batch negative sampling for training two-tower recommenders"; He et al., 2020, "Momentum contrast"
    """

    def __init__(self, size: int, warm_up: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if size < 1 or warm_up < 0:
            raise ValueError(f"A memory has size >= 1 and warm_up >= 0. Received {size} and {warm_up}.")
        self.size = size
        self.warm_up = warm_up

    def build(self, query_shape: Shape) -> None:
        self.embeddings = zeros_of(self, "embeddings", (self.size, query_shape[-1]), "float32")
        self.ids = zeros_of(self, "ids", (self.size,), "int64")
        self.log_probabilities = zeros_of(self, "log_probabilities", (self.size,), "float32")
        self.filled = zeros_of(self, "filled", (self.size,), "float32")  # 1: the place holds an item
        self.place = zeros_of(self, "place", (), "int64")  # the next to be written
        self.updates = zeros_of(self, "updates", (), "int64")
        self.built = True

    def draw(self, batch: Batch) -> Items:
        """All places, masked where nothing stands yet, and all of them during the warm-up."""
        if len(batch.item.embedding.shape) > 2:
            raise ValueError(
                "CrossBatchMemory holds one vector an item. Received items of several, of the shape "
                f"{tuple(batch.item.embedding.shape)}. Leave it out: larger batches give more negatives, see `parts`."
            )
        build_once(self, batch.query.shape)
        return Items(
            ops.stop_gradient(ops.cast(self.embeddings, batch.item.embedding.dtype)),
            ops.convert_to_tensor(self.ids),
            ops.convert_to_tensor(self.log_probabilities),
            ops.logical_and(self.filled > 0, self._ready()),
        )

    def log_count(self, ids: Tensor, log_probability: Tensor, batch_size: Tensor) -> Tensor:
        """Logarithm of how often each item is expected in the memory; -inf while it is empty or held back."""
        held = ops.where(self._ready(), ops.sum(self.filled), 0.0)
        return ops.cast(log_probability, "float32") + ops.log(held)

    def update(self, batch: Batch) -> None:
        """Write the batch's items over the oldest; of a batch that is larger than the memory, the last ones.

        Places that the batch's mask leaves out are kept out here too.
        """
        build_once(self, batch.query.shape)
        items = batch.item
        ids = ops.cast(items.ids[-self.size :], "int64")
        count = ops.shape(ids)[0]
        rows = ops.mod(self.place + ops.cast(ops.arange(count), "int64"), self.size)
        mask = ops.ones_like(ids) if items.mask is None else items.mask[-self.size :]
        embedding = items.embedding[-self.size :]
        probability = ops.zeros_like(ids) if items.log_probability is None else items.log_probability[-self.size :]
        set_rows(self.embeddings, rows, ops.stop_gradient(embedding))
        set_rows(self.ids, rows, ids)
        set_rows(self.log_probabilities, rows, probability)
        set_rows(self.filled, rows, mask)
        self.place.assign(ops.mod(self.place + ops.cast(count, "int64"), self.size))
        self.updates.assign_add(1)

    def _ready(self) -> Tensor:
        return self.updates >= self.warm_up

    def get_config(self) -> dict:
        return super().get_config() | {"size": self.size, "warm_up": self.warm_up}
