"""A dense retriever and a search of words, whose lists are made one."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from tfdual._aside import read_content, write_folder
from tfdual.index import Neighbours
from tfdual.ranking import BM25, ListFusion, ReciprocalRank
from tfdual.ranking.ranked_ids import ranked_ids
from tfdual.schema import ColumnSchema, Schema
from tfdual.serving.artefact import opened
from tfdual.serving.column_texts import column_texts
from tfdual.serving.found_attributes import FoundAttributes
from tfdual.serving.retriever import Retriever
from tfdual.serving.search_options import DEFAULT_K
from tfdual.serving.served_graph import DEFAULT_TOWER
from tfdual.serving.shared_items import shared_items

KIND, DENSE, LEXICAL = "hybrid", "dense", "lexical"
BY_RANK = ReciprocalRank()
KEPT_FILTERS = 32


class HybridRetriever:
    """Ask a dense retriever and BM25 the same query, and make one list of both.

    It runs in Python: what `Retriever.export` writes for TensorFlow Serving holds the dense half alone. It stands for
    a retriever in `evaluate_retriever`.

    Both halves are taken as they are: where items are added to one, changed or deleted, build BM25 of the items that
    there are now, and make the hybrid anew.

    Args:
        dense: Retriever.
        lexical: BM25. Built with the ids of the same items.
        text: str, or sequence of str. The query's columns whose words are searched for: strings, or lists of strings.
            They may be columns that the dense retriever knows, or others.
        fusion: ListFusion. The dense list comes first, BM25's second. Defaults to `ReciprocalRank()`.
        depth: int. How many items of each list are fused, or as many as a search asks for, where that is more.
            Defaults to 100.
        same_items: bool. Refuse halves of which one holds an item that the other doesn't. Where that is false, an item
            that BM25 alone knows is not found, and one that the dense retriever alone knows is found by it alone.
            Defaults to `True`.

    Raises:
        ValueError: no text column; depth below 1; a BM25 that isn't built, or has ids of another type, or none in
            common; not the same items; a fusion that doesn't take two lists.

    Reference: Bruch et al., 2023, arXiv:2210.11934
    """

    def __init__(
        self,
        dense: Retriever,
        lexical: BM25,
        text: str | Sequence[str],
        fusion: ListFusion = BY_RANK,
        depth: int = 100,
        same_items: bool = True,
    ) -> None:
        self.text = (text,) if isinstance(text, str) else tuple(text)
        if not self.text or depth < 1:
            raise ValueError(
                f"A hybrid reads one text column at least, to a depth of 1 or more. Received {text=}, {depth=}."
            )
        self.dense, self.lexical, self.fusion, self.depth, self.same_items = dense, lexical, fusion, depth, same_items
        self._made_after = dense.changes
        known = ranked_ids(dense.item_ids())
        self._size = len(known)
        self._shared = shared_items(known, lexical, same_items)
        nothing = Neighbours(lexical.ids[None, :0], np.zeros((1, 0)))
        fusion.fuse([nothing, nothing])
        self._attributes = FoundAttributes(known, dense.item_attributes())
        self._masks: dict[str, np.ndarray] = {}

    @property
    def query_schema(self) -> Schema:
        """The raw columns of a query of the default tower, and the text columns."""
        return self._schema_of(DEFAULT_TOWER)

    @property
    def query_schemas(self) -> dict[str, Schema]:
        """The same of each query tower, by its name."""
        return {tower: self._schema_of(tower) for tower in self.dense.query_schemas}

    @property
    def description(self) -> dict[str, Any]:
        """What the dense retriever says of itself, and `"hybrid"`: the settings here, as plain JSON types."""
        settings = {"text": list(self.text), "fusion": self.fusion.describe(), "depth": self.depth}
        settings |= {"same_items": self.same_items, "lexical": self.lexical.describe()}
        return self.dense.description | {"hybrid": settings | self._unshared()}

    def item_ids(self, filter: str | None = None) -> np.ndarray:
        """As `Retriever.item_ids`."""
        return self.dense.item_ids(filter)

    def search(
        self,
        queries: Mapping[str, Any],
        k: int = DEFAULT_K,
        exclude: Any = None,
        filter: str | Sequence[str] | None = None,
        tower: str = DEFAULT_TOWER,
    ) -> dict[str, np.ndarray]:
        """The best items of each query, as `Retriever.search` gives them.

        Neither what is excluded nor what a filter leaves out takes a place in either list. For BM25, a
        filter that wasn't asked for lately is evaluated once more, for all items.

        Args:
            queries: raw values, column name -> list with one entry a query: the tower's columns, and the text columns.
            k: int. Items a query; where there are fewer, all of them. Defaults to 10.
            exclude: as for `Retriever.search`. Defaults to `None`.
            filter: as for `Retriever.search`. Defaults to `None`.
            tower: str. Name of the dense retriever's query tower. Defaults to the first.

        Returns:
            dict of NumPy arrays, each `(queries, k)`: `"id"`, `"score"`, which is the fused one, and the attributes.
            The scores of a query fall from place to place: where fused ones are equal, the later is less by the last
            digit, so that the order is told by them.

        Raises:
            ValueError: as for `Retriever.search`; a text column that isn't text; the dense retriever was changed.
        """
        if isinstance(k, bool) or k < 1:
            raise ValueError(f"k is at least 1. Received {k}.")
        lists = self.lists(queries, max(self.depth, k), exclude, filter, tower)
        fused = self.fusion.fuse(lists, min(k, self._size))
        scores = _falling(fused.scores)
        return {"id": fused.ids, "score": scores, **self._attributes.of(fused.ids)}

    def lists(
        self,
        queries: Mapping[str, Any],
        depth: int | None = None,
        exclude: Any = None,
        filter: str | Sequence[str] | None = None,
        tower: str = DEFAULT_TOWER,
    ) -> tuple[Neighbours, Neighbours]:
        """The dense list and BM25's, before they are fused; `choose_weight(*hybrid.lists(queries), relevant)`.

        Args:
            depth: int. Defaults to `None`: that of the hybrid.

        Other arguments and errors as for `search`.
        """
        self._require_unchanged()
        depth = depth or self.depth
        own = {name: values for name, values in queries.items() if name not in self._extra(tower)}
        exclude = list(exclude) if isinstance(exclude, Sequence) and not isinstance(exclude, str) else exclude
        found = self.dense.search(own, depth, exclude, filter, tower)
        count = len(found["id"])
        texts = [self._column(queries, name, count, tower) for name in self.text]
        words = [" ".join(parts) for parts in zip(*texts, strict=True)]
        by_word = self.lexical.search(words, depth, exclude, self._allowed(filter, count))
        return Neighbours(found["id"], found["score"]), by_word

    def with_fusion(self, fusion: ListFusion) -> Self:
        """The same halves, fused otherwise."""
        return type(self)(self.dense, self.lexical, self.text, fusion, self.depth, self.same_items)

    def save(self, folder: str | Path, dense: str | Path | None = None) -> Path:
        """Write both halves into one folder, for `HybridRetriever.load`; the dense one is a folder of versions.

        Args:
            folder: path, of nothing yet.
            dense: path. The version that the dense retriever was loaded from, to be copied. Defaults to `None`: the
                dense retriever was not loaded, and is exported.

        Raises:
            FileExistsError: something stands there.
            ValueError: the dense retriever was loaded, and `dense` isn't given or is another model; or it was changed.
            CanaryError: what is exported answers otherwise.
            OSError, tf.errors.OpError: it can't be written. Nothing is left behind.
        """
        self._require_unchanged()
        if dense is None and self.dense.saved_model is not None:
            raise ValueError("A loaded retriever is not exported again. Pass dense=..., the folder that it comes from.")

        def write(aside: Path) -> None:
            if dense is None:
                self.dense.export(aside / DENSE)
            else:
                with opened(dense) as (version, description):
                    if description != self.dense.description:
                        raise ValueError(f"{dense} holds another model than this dense retriever. Name its own folder.")
                    shutil.copytree(version, aside / DENSE / version.name)
            self.lexical.save(aside / LEXICAL)

        settings = {"text": list(self.text), "fusion": self.fusion.describe(), "depth": self.depth}
        return write_folder(folder, KIND, {"config": settings | {"same_items": self.same_items}}, write)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """What `save` wrote.

        Raises:
            FileNotFoundError: there is no such folder.
            ValueError: it holds no hybrid, or a damaged one.
            ImportError: bm25s is not installed, or what the dense half needs.
        """
        content, folder = read_content(folder, KIND), Path(folder)
        try:
            config = content["config"]
            config = config | {"fusion": ListFusion.from_dict(config["fusion"])}
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(f"The hybrid in {folder} is damaged: {error}. Save it again.") from error
        return cls(Retriever.load(folder / DENSE), BM25.load(folder / LEXICAL), **config)

    def _schema_of(self, tower: str) -> Schema:
        others = [ColumnSchema(name, dtype="string") for name in self.text if name in self._extra(tower)]
        return self.dense.query_schemas[tower] + Schema(others)

    def _extra(self, tower: str) -> set[str]:
        """Text columns that the dense retriever doesn't take; an unknown tower is refused by its search."""
        return set(self.text) - set(self.dense.query_schemas.get(tower, self.dense.query_schema).column_names)

    def _column(self, queries: Mapping[str, Any], name: str, count: int, tower: str) -> list[str]:
        if name not in queries:
            if name not in self._extra(tower):  # nullable there, or the dense search had refused
                return [""] * count
            raise ValueError(
                f"The query lacks the text column '{name}'. It needs {self._schema_of(tower).column_names}."
            )
        texts = column_texts(queries[name], name)
        if len(texts) != count:
            raise ValueError(
                f"The text column '{name}' holds {len(texts)} texts for {count} queries. Give one a query."
            )
        return texts

    def _allowed(self, filter: str | Sequence[str] | None, queries: int) -> np.ndarray | None:
        """What BM25 may find: items that the dense half holds, and that a filter lets through."""
        if filter is None:
            return self._shared
        expressions = [filter] if isinstance(filter, str) else list(filter)
        return np.stack([self._passing(expression) for expression in expressions])

    def _passing(self, expression: str) -> np.ndarray:
        """Bool by BM25's positions; those of the filters asked for last are kept."""
        passing = self._masks.pop(expression, None)
        if passing is None:
            passing = np.isin(self.lexical.ids, ranked_ids(self.dense.item_ids(expression)))
        self._masks[expression] = passing
        for oldest in list(self._masks)[:-KEPT_FILTERS]:
            self._masks.pop(oldest, None)
        return passing

    def _unshared(self) -> dict[str, int]:
        shared = self.lexical.size if self._shared is None else int(self._shared.sum())
        return {"only_dense": self._size - shared, "only_lexical": self.lexical.size - shared}

    def _require_unchanged(self) -> None:
        if self.dense.changes != self._made_after:
            raise ValueError(
                "The dense retriever was changed since this hybrid was made of it. Build BM25 of the items that there "
                "are now, and make the hybrid anew."
            )


def _falling(scores: np.ndarray) -> np.ndarray:
    """The same scores, each below the one before."""
    falling = scores.copy()
    for place in range(1, scores.shape[1]):
        below = np.nextafter(falling[:, place - 1], np.float32(-np.inf))
        falling[:, place] = np.minimum(falling[:, place], below)
    return falling
