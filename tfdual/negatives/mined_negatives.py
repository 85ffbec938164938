"""Items that a search takes for the query's best."""

from collections.abc import Callable
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from tfdual._backend import outside_graph
from tfdual._items import Items, keep_items
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.negatives.batch import Batch
from tfdual.negatives.catalogue import Catalogue
from tfdual.negatives.negatives import Negatives
from tfdual.negatives.stored_catalogue import CatalogueLike, StoredCatalogue

Search = Callable[[Tensor, int], tuple[Tensor, Tensor]]


@register
class MinedNegatives(Negatives):
    """For each query, `count` items at random from those that a search ranks high: hard negatives.

    The items of all queries are negatives of every query of the batch: `batch * count` items are encoded in a step.
    They follow no distribution, and are there for certain. The query's own item is never taken.

    An index grows old while the model trains. Adapt again to an index of the new embeddings, e.g. after each epoch in a
    Keras callback; a training function that is traced already takes it. Make a `Catalogue` once and give it each time.
    A search isn't saved: a loaded model is adapted before it trains on.

    Args:
        count: int. Items a query and step.
        ranks: pair of int, first and last + 1. Rank 0 is the best. Leave the first ones out where many positives are
            not known. Defaults to `(0, 100)`.
        margin: float. Take items alone whose score is at most that of the query's own item less `margin`, against
            false negatives. The scores are those of the search. Defaults to `None`: all.
        seed: int. Defaults to `None`: another one in each run. The state of the draws is saved.

    Raises:
        ValueError: a count below 1, ranks that hold fewer, a margin that is no number; used before `adapt`.

    Example:
        >>> from tfdual.negatives import Batch
        >>> search = lambda query, k: (ops.array([[2, 0, 1]]), ops.array([[3.0, 2.0, 1.0]]))
        >>> source = MinedNegatives(1, ranks=(0, 2)).adapt([{"item_id": ops.array([7, 8, 9])}], search)
        >>> encode_item = lambda columns: Items(ops.ones((1, 3)), columns["item_id"])
        >>> batch = Batch({}, ops.ones((1, 3)), Items(ops.ones((1, 3)), ops.array([9])), encode_item)
        >>> source.draw(batch).ids.numpy().tolist()  # 9 is the query's own
        [7]

    Reference: Xiong et al., 2021, "Approximate nearest neighbor negative contrastive learning for dense text
    retrieval", arXiv:2007.00808; Moreira et al., 2024, "NV-Retriever", arXiv:2407.15831
    """

    named_by_rows = True

    def __init__(
        self,
        count: int,
        ranks: tuple[int, int] = (0, 100),
        margin: float | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(ranks) != 2 or not 0 <= ranks[0] < ranks[1] or not 1 <= count <= ranks[1] - ranks[0]:
            raise ValueError(
                f"MinedNegatives takes at least 1 of the ranks first .. last - 1. Received count {count}, ranks "
                f"{ranks}. Lower count, or widen ranks."
            )
        if margin is not None and not np.isfinite(margin):
            raise ValueError(f"margin is a number, or None for no bound. Received {margin}.")
        self.count = count
        self.ranks = (int(ranks[0]), int(ranks[1]))
        self.margin = margin
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._catalogue = StoredCatalogue("MinedNegatives")
        self._search: Search | None = None
        self.supports_jit = keras.backend.backend() != "tensorflow"  # the search isn't part of the graph

    def adapt(self, items: CatalogueLike, search: Search, item_id: str = "item_id") -> Self:
        """Read the items; called again, search the new ones.

        Args:
            items: batches of model-ready items, or a `Catalogue`, which has its own `item_id`.
            search: function of queries, as the model encodes them, in float32, and `k` to positions in `items`, best
                first, and their scores, both `(batch, at most k)`; -1 where there is none. `index.search_positions` is
                one. With a `margin`, an own item that is not among the best `k` has the score that the model gives it,
                an inner product for most. So give a search whose scores are the model's, not cosines or distances.
            item_id: str. The column of ids. Defaults to `"item_id"`.

        Raises:
            ValueError, TypeError: see `Catalogue`.
        """
        catalogue = Catalogue.of(items, item_id)
        self._catalogue.replace(catalogue)
        self._search = search
        return self

    def draw(self, batch: Batch) -> Items:
        """`batch * count` items, query by query, encoded; masked where a query has fewer."""
        arrays = self._catalogue.arrays
        query = ops.stop_gradient(ops.cast(batch.query, "float32"))
        positions, scores = outside_graph(self._ranked, [query], ["int32", "float32"])
        first, last = self.ranks
        shape = (ops.shape(query)[0], last)
        scores, positions = ops.reshape(scores, shape), ops.reshape(positions, shape)
        ids, there = arrays.take("ids", ops.maximum(positions, 0)), positions >= 0
        own = ops.logical_and(there, ops.equal(ids, ops.cast(batch.item.ids, "int64")[:, None]))
        kept = ops.logical_and(there, ops.logical_not(own))
        if self.margin is not None:
            kept = ops.logical_and(kept, scores <= _score_of_own(batch, query, scores, own) - self.margin)
        positions, kept = positions[:, first:], kept[:, first:]
        keys = keras.random.uniform((shape[0], last - first), dtype="float32", seed=self.seed_generator)
        keys, places = ops.top_k(ops.where(kept, keys, -1.0), self.count)  # those that are kept come first
        chosen = ops.reshape(ops.take_along_axis(ops.maximum(positions, 0), places, axis=1), (-1,))
        items = batch.encode_item(self._catalogue.rows(chosen))
        return keep_items(items, ops.reshape(keys >= 0, (-1,)))

    def _ranked(self, query: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Positions and scores of the best, `(batch, last)`; position -1 where there is none."""
        if self._search is None:
            raise ValueError("MinedNegatives has no search. Call `adapt(items, search)` before training.")
        last = self.ranks[1]
        query = np.nan_to_num(query)  # what is no number has no loss either, where more is known of it
        positions, scores = (ops.convert_to_numpy(found)[:, :last] for found in self._search(query, last))
        missing = [(0, 0), (0, last - positions.shape[1])]
        scores = np.pad(scores.astype(np.float32), missing, constant_values=-np.inf)
        return np.pad(positions.astype(np.int32), missing, constant_values=-1), scores

    def save_own_variables(self, store: Any) -> None:
        """The state of the draws."""
        store["seed"] = self.seed_generator.state

    def load_own_variables(self, store: Any) -> None:
        """What `save_own_variables` wrote."""
        self.seed_generator.state.assign(store["seed"])

    def get_config(self) -> dict:
        return super().get_config() | {
            "count": self.count,
            "ranks": list(self.ranks),
            "margin": self.margin,
            "seed": self.seed,
        }


def _score_of_own(batch: Batch, query: Tensor, scores: Tensor, own: Tensor) -> Tensor:
    """The score of each query's own item, `(batch, 1)`: as it was found, or else as the model has it."""
    item = ops.stop_gradient(ops.cast(batch.item.embedding, "float32"))
    found = ops.max(ops.where(own, scores, -float("inf")), axis=1, keepdims=True, initial=-float("inf"))
    return ops.where(ops.any(own, axis=1, keepdims=True), found, batch.score(query, item[:, None]))
