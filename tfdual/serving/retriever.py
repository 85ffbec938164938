"""Raw query in, item ids and scores out."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfdual._optional import require
from tfdual._quiet import quiet_stderr
from tfdual._typing import Tensor
from tfdual.schema import Schema
from tfdual.serving.artefact import opened
from tfdual.serving.raw_input import to_dense
from tfdual.serving.served_graph import DEFAULT_K, ServedGraph
from tfdual.serving.versions import Versions
from tfdual.serving.warm_up import write_warm_up


class Retriever:
    """Preprocessing, query tower and index as one function; the same when it is loaded elsewhere.

    Made by `model.to_retriever(...)` or `Retriever.load(path)`.

    Args:
        search: from dense query columns and `k` to a dict of `(queries, k)`.
        embed_query: from dense query columns to `{"embedding": (queries, dim)}`.
        description: query schema, index and what else is known of the model, as plain JSON types.
        graph: ServedGraph. What `export` writes. Defaults to `None`: this retriever was loaded.
        saved_model: the loaded SavedModel, with its `signatures`. Defaults to `None`: it was not loaded.
    """

    def __init__(
        self,
        search: Callable[..., dict[str, Tensor]],
        embed_query: Callable[..., dict[str, Tensor]],
        description: dict[str, Any],
        graph: ServedGraph | None = None,
        saved_model: Any = None,
    ) -> None:
        self._search = search
        self._first, self._has_run = threading.Lock(), False
        self._embed_query = embed_query
        self._graph = graph
        self.saved_model = saved_model
        self.description = description
        self.query_schema = Schema.from_dict(description["query_schema"])

    @classmethod
    def from_graph(cls, graph: ServedGraph, description: dict[str, Any]) -> Self:
        """A retriever that can be exported."""
        return cls(
            lambda k, **features: graph.search(features, k), lambda **f: graph.embed_query(f), description, graph
        )

    def search(self, queries: Mapping[str, Any], k: int = DEFAULT_K) -> dict[str, np.ndarray]:
        """The best items of each query.

        Args:
            queries: raw values, column name -> list with one entry a query; e.g. `{"user_id": ["u17", "u18"]}`.
            k: int. Items a query; where the corpus is smaller, all of it. Defaults to 10.

        Returns:
            dict of NumPy arrays, each `(queries, k)`: `"id"`, `"score"`, and the item attributes asked for in
            `to_retriever`. Best first.

        Raises:
            ValueError: k below 1; a column is unknown, missing or of another type.
        """
        if k < 1:
            raise ValueError(f"k is at least 1. Received {k}.")
        found = self._quietly_at_first(k=tf.constant(k, tf.int32), **to_dense(queries, self.query_schema))
        return {name: _decoded(found[name]) for name in ("id", "score", *self.description["attributes"])}

    def _quietly_at_first(self, **inputs: Tensor) -> dict[str, Tensor]:
        """The search; when its graph runs for the first time, TensorFlow's optimiser writes to stderr which of its
        nodes it leaves as they are, at any log level.
        """
        if not self._has_run:
            with self._first:
                if not self._has_run:
                    with quiet_stderr():
                        found = self._search(**inputs)
                    self._has_run = True
                    return found
        return self._search(**inputs)

    def embed_query(self, queries: Mapping[str, Any]) -> np.ndarray:
        """The query tower's embeddings of raw queries, `(queries, dim)`."""
        return self._embed_query(**to_dense(queries, self.query_schema))["embedding"].numpy()

    def export(
        self,
        folder: str | Path,
        report: dict[str, Any] | None = None,
        warm_up: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a SavedModel as the next version in `folder`: `folder/1/`, `folder/2/`, ...

        Args:
            folder: path. What TensorFlow Serving is pointed at.
            report: plain JSON types to keep with the model, e.g. what `evaluate` gave. Defaults to none.
            warm_up: raw queries, as for `search`. TensorFlow Serving answers them, each alone and all together,
                before the version takes traffic (extra `serving`). Defaults to `None`: it starts cold.

        Returns:
            The folder of the new version.

        Raises:
            ImportError: `warm_up` without the extra `serving`.
            ValueError: this retriever was loaded: copy its folder instead. Or `warm_up` holds no query, too many, or
                a column that `search` would refuse.
            OSError, tf.errors.OpError: the folder can't be written, or the disk is full. Nothing is left behind.
        """
        if self._graph is None:
            raise ValueError("A loaded retriever is not exported again. Copy its folder instead.")
        graph = self._graph
        dense = None if warm_up is None else to_dense(warm_up, self.query_schema)

        def write(path: Path) -> None:
            options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
            tf.saved_model.save(graph, str(path), signatures=graph.signatures(), options=options)
            if dense is not None:
                write_warm_up(path, _alone_and_together(dense))

        return Versions(folder).publish(write, self.description | {"report": report or {}}).path

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
            if description["index"]["kind"] == "ScaNN":
                require("scann", advice="This model's index needs ScaNN's TensorFlow op: `pip install scann` on Linux.")
            try:
                loaded = tf.saved_model.load(str(folder))
                search, embed_query = loaded.signatures["serving_default"], loaded.signatures["embed_query"]
            except (OSError, ValueError, LookupError, tf.errors.OpError) as error:
                first = (str(error).splitlines() or [type(error).__name__])[0]
                raise ValueError(
                    f"The model {folder} is damaged and can't be loaded: {first}. Export it again."
                ) from error
        return cls(search, embed_query, description, saved_model=loaded)


def _alone_and_together(columns: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Each query as a request, and all of them as one."""
    rows = len(next(iter(columns.values())))
    requests = [{name: values[row : row + 1] for name, values in columns.items()} for row in range(rows)]
    return [request | {"k": tf.constant(DEFAULT_K)} for request in (*requests, columns)]


def _decoded(values: Tensor) -> np.ndarray:
    """NumPy values; strings as `str`."""
    array = values.numpy()
    return np.char.decode(array.astype(bytes), "utf-8") if values.dtype == tf.string else array
