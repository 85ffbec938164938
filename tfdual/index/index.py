"""What every index is."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfdual._aside import write_folder
from tfdual._typing import Tensor
from tfdual.index.best_places import Found
from tfdual.index.distances import check_distance, pair_scores, prepared_queries, scores_among
from tfdual.index.embedding_blocks import EmbeddingBlocks
from tfdual.index.fresh_items import FreshItems
from tfdual.index.id_positions import IdPositions
from tfdual.index.item_ids import id_array
from tfdual.index.live_items import LiveItems
from tfdual.index.live_search import Changed, live_search
from tfdual.index.neighbours import Neighbours
from tfdual.index.recall import exact_positions
from tfdual.index.saved_index import KIND, read_index
from tfdual.index.search_arguments import checked_arguments, checked_ids
from tfdual.index.traced_searches import TracedSearches
from tfdual.interactions import InnerProduct, Interaction


class Index(ABC):
    """Item embeddings -> the nearest of a query, by dot product, cosine or squared L2.

    Scores are such that the highest is the best: the dot product, the cosine, or minus the squared distance.

    `search` is a TensorFlow function of its arguments and of `resources`, so that it can be saved in a served graph. A
    graph traced before knows of items added or deleted later. Don't change an index while another thread uses it.

    Args:
        distance: `"dot"`, `"cosine"` or `"l2"`. Defaults to `"dot"`.

    Raises:
        ValueError: another distance.
    """

    interaction: Interaction = InnerProduct()  # what a query and an item become a score by

    def __init__(self, distance: str = "dot") -> None:
        check_distance(distance)
        self.distance = distance
        self._live: LiveItems | None = None
        self._traced = TracedSearches(self._find)
        self.dim, self.space = 0, ""  # the width, and the name of the embedding space

    def build(self, embeddings: Any, ids: Any = None, space: str = "") -> Self:
        """Index these items, and return the index itself.

        Args:
            embeddings: `(items, dim)`, or an iterable of such blocks, which need not fit in memory together.
            ids: int64 or strings, `(items,)`, all different, none of them -1 or empty. Defaults to `None`: the
                positions 0, 1, 2, ...
            space: str. The embedding space that the items lie in, as `model.embedding_space(preprocessor)` names it;
                only towers of the same one are served with the index. Defaults to `""`: not known.

        Raises:
            ValueError: no matrix, no item; embeddings of NaN or infinity, or of zeros for the cosine; ids that are
                missing, stand twice, or are not as many as the items.
            TypeError: ids that are neither integers nor strings.
        """
        given = None if ids is None else id_array(ids)
        blocks = self._blocks(embeddings, None if given is None else len(given))
        if given is not None:
            IdPositions(given)  # refuses them before the embeddings are read
        self._build(blocks)
        self.dim, self.space = blocks.dim, space
        self._live = LiveItems(np.arange(blocks.read) if given is None else given, self._fresh())
        self._traced = TracedSearches(self._find)
        return self

    @tf.autograph.experimental.do_not_convert
    def search(self, queries: Tensor, k: int | Tensor, exclude: Any = None, allow: Any = None) -> Neighbours:
        """The best `k` items of each query, best first.

        Args:
            queries: `(batch, dim)`.
            k: int or integer scalar, at least 1. Where the index holds fewer items, all are given.
            exclude: ids `(batch, n)`, padded with -1 or `""`, or ragged; unknown ones do nothing. Not to be found.
                Defaults to `None`.
            allow: bool `(positions,)` or `(batch, positions)`. What may be found, in the order of `build`, items added
                since at the end. Defaults to `None`: all.

        Returns:
            `Neighbours(ids, scores)`, both `(batch, k)`. Each query has `k` items as long as so many are left; where
            fewer are, the places behind them have the id -1 or `""`, and the score -inf.

        Raises:
            ValueError: not built; k below 1; queries or `allow` of another width; NaN or infinity outside a graph.
            TypeError: ids of another type; an `allow` that is not bool.
        """
        live = self.items
        if exclude is not None:
            exclude = live.positions(checked_ids(exclude, live.kind))
        positions, scores = self.search_positions(queries, k, exclude, allow)
        return Neighbours(live.ids(positions), scores)

    @tf.autograph.experimental.do_not_convert
    def search_positions(self, queries: Tensor, k: int | Tensor, exclude: Any = None, allow: Any = None) -> Found:
        """What `search` gives, by positions in the order of `build`, items added since at the end.

        Args:
            exclude: int `(batch, n)`, positions padded with -1, or ragged. Defaults to `None`.

        Returns:
            Positions, int32, and scores, float32, both `(batch, k)`; position -1 where nothing is left.
        """
        live = self.items
        arguments = checked_arguments(queries, k, exclude, allow, live, (self.interaction.rank, self.dim))
        if not tf.executing_eagerly():
            return self._find(**arguments, changed=live.changed_in_graph)
        if not self._in_one_graph:
            if len(arguments) == 2 and live.changed == (False, False):
                queries, k = prepared_queries(arguments["queries"], self.distance), arguments["k"]
                return self._search(queries, min(int(k), live.live), None, None)
            return self._find(**arguments, changed=live.changed)
        return self._traced(arguments, live.changed, (self.interaction.rank, self.dim))

    def search_now(self, queries: Tensor, k: Tensor, exclude: Any = None, allow: Any = None) -> Found:
        """`search_positions` of checked arguments, in a graph that fits as long as `items.changed` stays as it is."""
        return self._find(queries, k, exclude, allow, self.items.changed)

    def _find(
        self, queries: Tensor, k: Tensor, exclude: Any = None, allow: Any = None, changed: Changed = (True, True)
    ) -> Found:
        """What `search_positions` gives of checked arguments."""
        queries = prepared_queries(queries, self.distance)
        return live_search(self.items, self._search, queries, k, exclude, allow, changed)

    def upsert(self, embeddings: Any, ids: Any) -> None:
        """Add items, or give those that are there another embedding; the next search finds them, by exact scores.
        `compact` makes one index of them and the build when they are many.

        Args:
            embeddings: as for `build`.
            ids: `(items,)`, all different.

        Raises:
            ValueError, TypeError: as for `build`; another width.
        """
        live, blocks = self.items, self._blocks(embeddings, None)
        if blocks.dim != self.dim:
            raise ValueError(f"The index holds embeddings of width {self.dim}. Received {blocks.dim}.")
        live.put(blocks.matrix(), ids)

    def delete(self, ids: Any) -> None:
        """Take items out; the next search doesn't find them.

        Raises:
            ValueError: an id that the index doesn't hold; then nothing is deleted.
        """
        self.items.delete(ids)

    def compact(self) -> Self:
        """A new index of the items that this one holds, built anew, with positions 0, 1, 2, ...; this one stays.

        What was traced or exported before goes on with this one: make retrievers anew from the new one.

        Raises:
            ValueError: no item is left; or the index doesn't keep the embeddings as they came.
        """
        if not (live := self.items).live:
            raise ValueError("The index holds no item any more, and none is not an index. Add items first.")
        return self.unbuilt().build(self.rows(), live.all_ids()[live.is_live()], self.space)

    def save(self, folder: str | Path) -> Path:
        """Write the index, as JSON and NumPy's files, for `Index.load`.

        Raises:
            FileExistsError: something stands there.
            OSError: it can't be written. Nothing is left behind.
        """

        def write(aside: Path) -> None:
            self.items.save(aside)
            self._save(aside)

        kind = {"kind": type(self).__name__, "dim": self.dim, "space": self.space}
        return write_folder(folder, KIND, kind | {"config": self._config(), "about": self.describe()}, write)

    @staticmethod
    def load(folder: str | Path) -> "Index":
        """What `save` wrote: an index of the same class, which gives the same results.

        Raises:
            FileNotFoundError: there is no such folder.
            ValueError: it holds no index, or a damaged one.
        """
        return read_index(Path(folder), {kind.__name__: kind for kind in Index.__subclasses__()})

    def _restore(self, folder: Path, content: dict[str, Any]) -> Self:
        """Take in what `save` wrote."""
        self.dim, self.space = content["dim"], content["space"]
        self._load(folder, content["about"])
        self._live = LiveItems.load(folder, self._fresh())
        return self

    @property
    def size(self) -> int:
        """How many items can be found; 0 before `build`."""
        return self._live.live if self._live else 0

    @property
    def ids(self) -> np.ndarray:
        """The ids of all positions, int64 or bytes, deleted ones included."""
        return self.items.all_ids()

    @property
    def items(self) -> LiveItems:
        """Ids and positions, of the build and since.

        Raises:
            ValueError: the index is not built.
        """
        if self._live is None:
            raise ValueError("The index holds no item yet. Call `build(embeddings)` first.")
        return self._live

    def rows(self) -> Iterator[np.ndarray]:
        """The embeddings of the items that can be found, prepared for the distance, block by block, by position."""
        return self.items.rows(self._rows())

    def pair_scores(self, queries: Tensor, items: Tensor) -> Tensor:
        """Scores of each query with its item, as the towers embed them, `(batch,)`."""
        return pair_scores(queries, items, self.distance)

    def exact_positions(self, queries: Any, k: int) -> np.ndarray:
        """Positions of the best `k` items of each query by exact scores, `(queries, k)`, to measure a recall by."""
        return exact_positions(self, queries, k)

    @property
    @abstractmethod
    def is_exact(self) -> bool:
        """Whether it always finds the best items."""

    @property
    def resources(self) -> list[Any]:
        """TensorFlow objects that a SavedModel must keep."""
        return [*self.items.variables, *self._resources()]

    def describe(self) -> dict[str, Any]:
        """Kind, sizes, changes and settings, as plain JSON types."""
        settings = {"dim": self.dim, "distance": self.distance, "exact": self.is_exact}
        return {"kind": type(self).__name__} | self.items.counts() | settings | self._about()

    @property
    def _in_one_graph(self) -> bool:
        """Whether a search in Python is faster as one function of TensorFlow."""
        return True

    def _blocks(self, embeddings: Any, count: int | None) -> EmbeddingBlocks:
        """What `build` takes, checked, block by block; `count`: how many items are expected, None: unknown."""
        return EmbeddingBlocks(embeddings, self.distance, count)

    def _fresh(self) -> FreshItems:
        """What takes the items that come later; it holds none."""
        return FreshItems((self.dim,), lambda queries, rows: scores_among(queries, rows, self.distance))

    @abstractmethod
    def _build(self, blocks: EmbeddingBlocks) -> None: ...

    @abstractmethod
    def _search(self, queries: Tensor, k: Tensor, allowed: Tensor | None, count: Tensor | None) -> Found:
        """Positions and scores of prepared queries, `(batch, k)`, k at most all, -1 and -inf where nothing is left.

        Args:
            allowed: bool `(1, items)` or `(batch, items)`, of the items of the build; None: all.
            count: how many are allowed, an int32 scalar; None: not counted yet.
        """

    @abstractmethod
    def _resources(self) -> list[Any]: ...

    @abstractmethod
    def _rows(self) -> Iterator[np.ndarray]:
        """The built items, prepared for the distance, block by block."""

    @abstractmethod
    def _config(self) -> dict[str, Any]:
        """The arguments, as plain JSON types."""

    @abstractmethod
    def _about(self) -> dict[str, Any]:
        """What `describe` says beside."""

    @abstractmethod
    def unbuilt(self) -> Self:
        """An index of the same settings, not built."""

    @abstractmethod
    def _save(self, folder: Path) -> None: ...

    @abstractmethod
    def _load(self, folder: Path, about: dict[str, Any]) -> None: ...
