"""Items drawn from the catalogue, all with the same probability."""

from typing import Any, Self

import keras
from keras import ops

from tfdual._items import Items
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.negatives.batch import Batch
from tfdual.negatives.catalogue import Catalogue
from tfdual.negatives.negatives import Negatives
from tfdual.negatives.stored_catalogue import CatalogueLike, StoredCatalogue


@register
class Uniform(Negatives):
    """In each step, `count` items drawn from the whole catalogue with replacement, and encoded.

    `log_count = log(count / items)` of every item.

    Items that nobody consumed are negatives too, which in-batch negatives never are. `adapt` reads the items; they
    are saved with the source.

    Args:
        count: int. Items a step.
        seed: int. Defaults to `None`: another one in each run. The state of the draws is saved.

    Raises:
        ValueError: a count below 1; used before `adapt`.

    Example:
        >>> from tfdual.negatives import Batch
        >>> source = Uniform(2, seed=0).adapt([{"item_id": ops.arange(1, 5)}])
        >>> encode_item = lambda columns: Items(ops.ones((2, 3)), columns["item_id"])
        >>> batch = Batch({}, ops.ones((1, 3)), Items(ops.ones((1, 3)), ops.array([1])), encode_item)
        >>> source.draw(batch).ids.shape[0]
        2
        >>> round(float(ops.exp(source.log_count(ops.array([3]), None, 1))[0]), 4)  # 2 of 4 items
        0.5

    Reference: Yang et al., 2020, "Mixed negative sampling for learning two-tower neural networks in recommendations"
    """

    def __init__(self, count: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if count < 1:
            raise ValueError(f"Uniform draws a count of at least 1. Received {count}.")
        self.count = count
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._catalogue = StoredCatalogue("Uniform")
        self.supports_jit = keras.backend.backend() != "tensorflow"  # the items stay in main memory

    def adapt(self, items: CatalogueLike, item_id: str = "item_id") -> Self:
        """Read the items; called again, draw from the new ones.

        Args:
            items: batches of model-ready items, or a `Catalogue`, which has its own `item_id`.
            item_id: str. The column of ids. Defaults to `"item_id"`.

        Raises:
            ValueError, TypeError: see `Catalogue`.
        """
        self._catalogue.replace(Catalogue.of(items, item_id))
        return self

    def draw(self, batch: Batch) -> Items:
        """`count` items, encoded."""
        positions = keras.random.randint((self.count,), 0, self._catalogue.size, seed=self.seed_generator)
        return batch.encode_item(self._catalogue.rows(positions))

    def log_count(self, ids: Tensor, log_probability: Tensor, batch_size: Tensor) -> Tensor:
        """The same of every item."""
        share = ops.log(self.count / ops.cast(self._catalogue.size, "float32"))
        return ops.zeros_like(ids, dtype="float32") + share

    def save_own_variables(self, store: Any) -> None:
        """The state of the draws, and the items."""
        store["seed"] = self.seed_generator.state
        self._catalogue.save(store)

    def load_own_variables(self, store: Any) -> None:
        """What `save_own_variables` wrote."""
        self.seed_generator.state.assign(store["seed"])
        self._catalogue.load(store)

    def get_config(self) -> dict:
        return super().get_config() | {"count": self.count, "seed": self.seed}
