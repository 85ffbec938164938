"""Items drawn from the catalogue by their popularity."""

from collections.abc import Mapping
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from tfdual._items import Items
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.negatives.alias_table import alias_table
from tfdual.negatives.batch import Batch
from tfdual.negatives.catalogue import Catalogue
from tfdual.negatives.negatives import Negatives
from tfdual.negatives.stored_arrays import on_host
from tfdual.negatives.stored_catalogue import CatalogueLike, StoredCatalogue

Counts = Mapping[int, float] | np.ndarray


@register
class Popularity(Negatives):
    """In each step, `count` items drawn with replacement by how often they occur, and encoded.

    `p(item) = occurrences(item) ** power / sum(occurrences ** power)`, `log_count = log(count * p(item))`

    `power=1` is the distribution of in-batch negatives, for a model without them, or for more of them. 0.75 is
    word2vec's. 0 is `Uniform`. An item that never occurred is never drawn; `Uniform` beside it draws it. A draw takes
    the same time however many items there are.

    Args:
        count: int. Items a step.
        power: float, at least 0. Defaults to 1.
        seed: int. Defaults to `None`: another one in each run. The state of the draws is saved.

    Raises:
        ValueError: a count below 1, a negative power; used before `adapt`.

    Example:
        >>> source = Popularity(10).adapt([{"item_id": ops.arange(1, 4)}], counts={1: 3, 2: 1, 3: 0})
        >>> np.round(ops.exp(source.log_count(ops.array([1, 2, 3]), None, 1)), 4).tolist()
        [7.5, 2.5, 0.0]

    Reference: Walker, 1977, "An efficient method for generating discrete random variables with general distributions";
    Mikolov et al., 2013, arXiv:1310.4546
    """

    def __init__(self, count: int, power: float = 1.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if count < 1:
            raise ValueError(f"Popularity draws a count of at least 1. Received {count}.")
        if not 0 <= power < float("inf"):
            raise ValueError(f"power is 0 or more. Received {power}.")
        self.count = count
        self.power = power
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._catalogue = StoredCatalogue("Popularity")
        self.supports_jit = keras.backend.backend() != "tensorflow"  # the items stay in main memory

    def adapt(
        self,
        items: CatalogueLike,
        counts: Counts | None = None,
        item_id: str = "item_id",
        log_probability: str | None = None,
    ) -> Self:
        """Read the items and how often they occur; called again, draw from the new ones.

        Args:
            items: batches of model-ready items, or a `Catalogue`, which has its own `item_id`.
            counts: mapping of model-ready id -> occurrences, or an array that has them at the place of the id, of any
                scale. Defaults to `None`: from the column `log_probability`.
            item_id: str. The column of ids. Defaults to `"item_id"`.
            log_probability: str. The column of natural logarithms that `Preprocessor` gives. Defaults to `None`:
                `<item_id>_log_probability`.

        Raises:
            ValueError: an item has no count, or a negative or infinite one or NaN; no item has any; no such column.
                See `Catalogue`.
        """
        catalogue = Catalogue.of(items, item_id)
        found = _logged(catalogue, log_probability) if counts is None else _counted(catalogue.ids, counts)
        _check(found, catalogue.ids)
        weights = (found / found.max()) ** self.power
        accept, alias = alias_table(weights)
        with np.errstate(divide="ignore"):
            log_share = np.log(weights / weights.sum()).astype(np.float32)
        tables = {"accept": accept, "alias": alias, "log_share": log_share}
        self._catalogue.replace(catalogue, {name: on_host(table) for name, table in tables.items()})
        return self

    def draw(self, batch: Batch) -> Items:
        """`count` items, encoded."""
        arrays = self._catalogue.arrays
        places = keras.random.randint((self.count,), 0, self._catalogue.size, seed=self.seed_generator)
        chance = keras.random.uniform((self.count,), dtype="float32", seed=self.seed_generator)
        kept = chance < arrays.take("accept", places)
        return batch.encode_item(self._catalogue.rows(ops.where(kept, places, arrays.take("alias", places))))

    def log_count(self, ids: Tensor, log_probability: Tensor, batch_size: Tensor) -> Tensor:
        """Logarithm of `count` times the item's share; -inf of an item that isn't in the catalogue."""
        positions, known = self._catalogue.positions(ids)
        share = self._catalogue.arrays.take("log_share", positions)
        return ops.where(known, share + float(np.log(self.count)), float("-inf"))

    def save_own_variables(self, store: Any) -> None:
        """The state of the draws, the items and their shares."""
        store["seed"] = self.seed_generator.state
        self._catalogue.save(store)

    def load_own_variables(self, store: Any) -> None:
        """What `save_own_variables` wrote."""
        self.seed_generator.state.assign(store["seed"])
        self._catalogue.load(store)

    def get_config(self) -> dict:
        return super().get_config() | {"count": self.count, "power": self.power, "seed": self.seed}


def _logged(catalogue: Catalogue, column: str | None) -> np.ndarray:
    column = f"{catalogue.item_id}_log_probability" if column is None else column
    if f"dense:{column}" not in catalogue.arrays:
        raise ValueError(
            f"The items lack the column '{column}', which `Preprocessor` gives for the column tagged ITEM_ID. Name "
            "another by log_probability=..., or give counts=..."
        )
    return np.exp(ops.convert_to_numpy(catalogue.arrays[f"dense:{column}"]).astype(np.float64))


def _counted(ids: np.ndarray, counts: Counts) -> np.ndarray:
    if isinstance(counts, Mapping):
        known = np.fromiter(counts.keys(), np.int64, len(counts))
        values = np.fromiter(counts.values(), np.float64, len(counts))
        known, values = known[order := np.argsort(known)], values[order]
    else:
        values = np.asarray(counts, np.float64)
        if values.ndim != 1:
            raise ValueError(f"counts holds one number an id, (ids,). Received the shape {values.shape}.")
        known = np.arange(len(values))
    places = np.minimum(np.searchsorted(known, ids), max(len(known) - 1, 0))
    missing = ids if not len(known) else ids[known[places] != ids]
    if len(missing):
        raise ValueError(
            f"Each item needs a count. {len(missing)} have none, such as the ids {missing[:5].tolist()}. Give 0 for an "
            "item that never occurred."
        )
    return values[places]


def _check(counts: np.ndarray, ids: np.ndarray) -> None:
    wrong = ~(np.isfinite(counts) & (counts >= 0))
    if wrong.any():
        raise ValueError(
            f"Counts are numbers of at least 0. Received {counts[wrong][:5].tolist()} for the ids "
            f"{ids[wrong][:5].tolist()}. Correct them, or leave these items out."
        )
    if not counts.any():
        raise ValueError("All counts are 0, so that no item can be drawn. Give counts of the training rows.")
