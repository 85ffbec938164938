"""Raw query in, item ids and scores out."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfdual._quiet import quiet_stderr
from tfdual._typing import Tensor
from tfdual.schema import Schema
from tfdual.serving.artefact import opened
from tfdual.serving.canary import Canary, shown
from tfdual.serving.filter_expression import compile_filter
from tfdual.serving.found_attributes import decoded
from tfdual.serving.raw_input import to_dense
from tfdual.serving.saved_graph import Functions, load_functions, save_graph
from tfdual.serving.search_options import DEFAULT_K, given_options
from tfdual.serving.served_graph import DEFAULT_TOWER, ServedGraph, signature_name
from tfdual.serving.served_tower import ServedTower, pair_schema
from tfdual.serving.versions import Versions
from tfdual.serving.warm_up import requests_of, write_warm_up


class Retriever:
    """Preprocessing, query tower and index as one function; the same when it is loaded elsewhere.

    Made by `model.to_retriever(...)` or `Retriever.load(path)`.

    Args:
        functions: mapping of signature name -> function of dense inputs by name, to a dict of tensors.
        description: schemas, index and what else is known of the model, as plain JSON types.
        graph: ServedGraph. What `export` writes. Defaults to `None`: this retriever was loaded.
        saved_model: the loaded SavedModel, with its `signatures`. Defaults to `None`: it was not loaded.
    """

    def __init__(
        self,
        functions: Functions,
        description: dict[str, Any],
        graph: ServedGraph | None = None,
        saved_model: Any = None,
    ) -> None:
        self._functions = functions
        self._first, self._have_run = threading.Lock(), set[Any]()
        self._graph = graph
        self.saved_model = saved_model
        self._description = description
        schemas = {DEFAULT_TOWER: description["query_schema"], **description.get("other_towers", {})}
        self.query_schemas = {name: Schema.from_dict(schema) for name, schema in schemas.items()}

    @classmethod
    def from_graph(cls, graph: ServedGraph, description: dict[str, Any]) -> Self:
        """A retriever that can be exported.

        Args:
            graph: ServedGraph.
            description: plain JSON types to keep with it, beside what the graph itself tells.
        """
        functions = {name: lambda name=name, **inputs: graph.functions[name](inputs) for name in graph.functions}
        return cls(functions, {**description, **graph.describe()}, graph)

    @property
    def description(self) -> dict[str, Any]:
        """Schemas, the index as it is now, and what else is known of the model, as plain JSON types."""
        if self._graph is None:
            return self._description
        return self._description | {"index": self._graph.items.index.describe()}

    @property
    def changes(self) -> int:
        """How often the items were changed since they were indexed, here or by a retriever of other query towers."""
        return 0 if self._graph is None else self._graph.items.index.items.changes

    @property
    def query_schema(self) -> Schema:
        """The raw columns of a query of the default tower."""
        return self.query_schemas[DEFAULT_TOWER]

    @property
    def item_schema(self) -> Schema:
        """The raw columns of an item."""
        return Schema.from_dict(self.description["item_schema"])

    def search(
        self,
        queries: Mapping[str, Any],
        k: int = DEFAULT_K,
        exclude: Any = None,
        filter: str | Sequence[str] | None = None,
        tower: str = DEFAULT_TOWER,
    ) -> dict[str, np.ndarray]:
        """The best items of each query.

        Args:
            queries: raw values, column name -> list with one entry a query; e.g. `{"user_id": ["u17", "u18"]}`.
                Nullable columns may be left out.
            k: int. Items a query; where the corpus is smaller, all of it. Defaults to 10.
            exclude: a list of item ids for each query, not to be found: what its user has seen. Unknown ids do
                nothing. Defaults to `None`.
            filter: an expression over the columns of `to_retriever(..., filters=[...])`, such as
                `"year >= 1990 and 'Drama' in genres"`, or one for each query. Defaults to `None`: all items.
            tower: str. Name of the query tower. Defaults to the first.

        Returns:
            dict of NumPy arrays, each `(queries, k)`: `"id"`, `"score"`, and the item attributes asked for in
            `to_retriever`. Best first. Where fewer than `k` items are left, the places behind them have the id -1 or
            `""` and the score -inf. Ids that are strings are of one width (`<U`), such attributes objects (`str`).

        Raises:
            ValueError: k below 1; a column is unknown, missing or of another type; an unknown tower; a filter that
                can't be read, or names a column that items can't be filtered by.
        """
        described = self._description
        inputs = to_dense(queries, self._schema_of(tower))
        inputs |= given_options(k, exclude, filter, described["id_dtype"], described["filters"], inputs)
        found = self._quietly_at_first(signature_name("serving_default", tower), inputs)
        values = {name: decoded(found[name]) for name in ("id", "score", *described["attributes"])}
        return values | ({"id": values["id"].astype(str)} if described["id_dtype"] == "string" else {})

    def item_ids(self, filter: str | None = None) -> np.ndarray:
        """The ids of all items that can be found, or of those that a filter lets through, `(items,)`; strings as bytes.

        Raises ValueError for a filter as `search` does.
        """
        held = self._graph or self.saved_model
        if filter is None:
            return held.item_ids().numpy()
        terms = tf.constant(compile_filter(filter, self.description["filters"]))
        return held.filtered_ids(terms).numpy()

    def item_attributes(self) -> dict[str, np.ndarray]:
        """The attributes of all items that can be found, each `(items,)`, in the order of `item_ids()`."""
        held = (self._graph or self.saved_model).item_attributes()
        return {name: decoded(held[name]) for name in self.description["attributes"]}

    def _schema_of(self, tower: str) -> Schema:
        if tower not in self.query_schemas:
            raise ValueError(f"There is no query tower {tower!r}. There are {sorted(self.query_schemas)}.")
        return self.query_schemas[tower]

    def _quietly_at_first(self, name: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The search; when its graph runs for the first time, TensorFlow's optimiser writes to stderr which of its
        nodes it leaves as they are, at any log level.
        """
        run = name, self._graph and self._graph.items.index.items.changed
        if run not in self._have_run:
            with self._first, quiet_stderr():
                found = self._functions[name](**inputs)
                self._have_run.add(run)
                return found
        return self._functions[name](**inputs)

    def embed_query(self, queries: Mapping[str, Any], tower: str = DEFAULT_TOWER) -> np.ndarray:
        """The query tower's embeddings of raw queries, `(queries, dim)`."""
        inputs = to_dense(queries, self._schema_of(tower))
        return self._functions[signature_name("embed_query", tower)](**inputs)["embedding"].numpy()

    def embed_item(self, items: Mapping[str, Any]) -> np.ndarray:
        """The item tower's embeddings of raw items, `(items, dim)`.

        Raises ValueError where the retriever was made with `item_tower=False`, and as for `search`.
        """
        schema = self._require_item_tower()
        return self._functions["embed_item"](**to_dense(items, schema))["embedding"].numpy()

    def score(self, queries: Mapping[str, Any], items: Mapping[str, Any], tower: str = DEFAULT_TOWER) -> np.ndarray:
        """The scores of pairs, exactly: the first query with the first item, and so on, `(pairs,)`.

        Args:
            queries: raw query columns, as for `search`.
            items: raw item columns, as for `embed_item`; they need not be in the index.
            tower: str. Name of the query tower.

        Raises:
            ValueError: the retriever was made with `item_tower=False`; not as many items as queries; and as for
                `search`.
        """
        dense = to_dense({**items, **queries}, pair_schema(self._schema_of(tower), self._require_item_tower()))
        return self._functions[signature_name("score", tower)](**dense)["score"].numpy()

    def _require_item_tower(self) -> Schema:
        if not self.description["item_tower"]:
            raise ValueError("This retriever holds no item tower, as one of a compressor or with `item_tower=False`.")
        return Schema.from_dict(self.description["item_tower"])

    def upsert(self, items: Mapping[str, Any]) -> None:
        """Add items, or change those that are there; the next search and the next export find them.

        Args:
            items: raw values, column name -> list with one entry an item: the item tower's columns, the id, the
                attributes and the columns to filter by.

        Raises:
            ValueError: this retriever was loaded, or has no item tower; the model's item side was trained since; a
                column is missing or of another type; an id stands twice or is negative. Then nothing is changed.
        """
        self._require_item_tower()
        self._changeable().items.upsert(to_dense(items, self.item_schema), self.description["item_id"])

    def delete(self, ids: Sequence[Any]) -> None:
        """Take items out; the next search and the next export don't find them.

        Raises:
            ValueError: this retriever was loaded; or an id that it doesn't hold. Then nothing is deleted.
        """
        self._changeable().items.index.delete(ids)

    def _changeable(self) -> ServedGraph:
        if self._graph is None:
            raise ValueError(
                "A loaded retriever is not changed. Change the one that was exported, and export it again."
            )
        return self._graph

    def with_query_tower(self, name: str, tower: ServedTower) -> Self:
        """A retriever with one more query tower over the same index; no item is embedded again.

        Args:
            name: str. A name for `search(..., tower=name)`; TensorFlow Serving finds the signature `serving_<name>`.
            tower: ServedTower. What `model.to_query_tower(preprocessor)` gives.

        Raises:
            ValueError: this retriever was loaded; the name is taken, no identifier, or begins with `examples`, as
                signatures do; the tower's embeddings are of another space than the index, or have become so.
        """
        graph = self._changeable()
        if not name.isidentifier() or name in graph.towers or name.startswith("examples"):
            raise ValueError(f"A new query tower needs a name of its own, such as 'b'. Received {name!r}.")
        tower.require_space(graph.items.index.space)
        graph = ServedGraph(graph.towers | {name: tower}, graph.items)
        return type(self).from_graph(graph, self.description)

    def export(
        self,
        folder: str | Path,
        report: dict[str, Any] | None = None,
        warm_up: Mapping[str, Any] | None = None,
        canary: Canary | None = None,
    ) -> Path:
        """Write a SavedModel as the next version in `folder`: `folder/1/`, `folder/2/`, ...

        Before it gets its number it is loaded, and must answer as this retriever does.

        Args:
            folder: path. What TensorFlow Serving is pointed at.
            report: plain JSON types to keep with the model, e.g. what `evaluate` gave. Defaults to none.
            warm_up: raw queries, as for `search`. TensorFlow Serving answers them by every signature that takes
                queries, before the version takes traffic (extra `serving`). Defaults to `None`: it starts cold.
            canary: Canary. Queries that the loaded model must answer so, and the least recall and longest latency.
                Defaults to `None`: one query of missing or empty values.

        Returns:
            The folder of the new version.

        Raises:
            ImportError: `warm_up` without the extra `serving`.
            CanaryError: the loaded model answers otherwise, or is below what the canary asks. Nothing is published.
            ValueError: this retriever was loaded: copy its folder instead. Or the model's item side was trained since
                it was made; or `warm_up` holds no query, too many, or a column that `search` would refuse.
            OSError, tf.errors.OpError: the folder can't be written, or the disk is full. Nothing is left behind.
        """
        if self._graph is None:
            raise ValueError("A loaded retriever is not exported again. Copy its folder instead.")
        graph = self._graph
        for tower in graph.towers.values():
            tower.require_space(graph.items.index.space)
        dense = None if warm_up is None else to_dense(warm_up, self.query_schema)
        description = self.description | {"report": report or {}}

        def write(path: Path) -> None:
            save_graph(graph, path)
            if dense is not None:
                write_warm_up(path, requests_of(dense, graph))
            loaded, functions = load_functions(path, description["index"])
            saved = type(self)(functions, description, saved_model=loaded)
            description["canary"] = shown(saved, self, graph.items.index, canary)

        return Versions(folder).publish(write, description).path

    @classmethod
    def load(cls, path: str | Path, version: str | int | None = None) -> Self:
        """Load what `export` wrote; no training code is needed.

        Args:
            path: a version (`models/movies/1`), or the folder of versions.
            version: `"stable"`, `"canary"`, `"latest"` or a number, of a folder of versions. Defaults to `None`: the
                newest.

        Raises:
            FileNotFoundError: there is nothing at `path`.
            ValueError: it is no model of ours, or has no such version, or it is damaged.
            ImportError: the index is ScaNN's, and scann is not installed.
        """
        with opened(path, version) as (folder, description):
            loaded, functions = load_functions(folder, description["index"])
        return cls(functions, description, saved_model=loaded)
