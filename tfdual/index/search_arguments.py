"""Arguments of a search, checked where they come in."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.item_ids import PADDING
from tfdual.index.live_items import LiveItems

Shape = tuple[int, int]  # of the queries of an index: their rank, and the width of a vector


def search_specs(names: Iterable[str], queries: Shape) -> dict[str, tf.TensorSpec]:
    """Shapes and types of checked arguments, by name."""
    specs = {
        "queries": tf.TensorSpec(_shape(queries), tf.float32),
        "k": tf.TensorSpec([], tf.int32),
        "exclude": tf.TensorSpec([None, None], tf.int32),
        "allow": tf.TensorSpec([None, None], tf.bool),
    }
    return {name: specs[name] for name in names}


def _shape(queries: Shape) -> list[int | None]:
    rank, dim = queries
    return [None] * (rank - 1) + [dim]


def checked_arguments(
    queries: Any, k: Any, exclude: Any, allow: Any, live: LiveItems, wanted: Shape
) -> dict[str, Tensor]:
    """The arguments that there are, as `search_specs` says.

    Raises:
        ValueError: queries or `allow` of another width, k below 1.
        TypeError: an `allow` that is not bool.
    """
    checked = {"queries": _queries(queries, wanted), "k": _k(k)}
    if exclude is not None:
        checked["exclude"] = _positions(exclude)
    if allow is not None:
        checked["allow"] = _allow(allow, checked["queries"], live)
    return checked


def _queries(queries: Any, wanted: Shape) -> Tensor:
    queries = tf.convert_to_tensor(queries)
    rank, dim = wanted
    if not queries.shape.is_compatible_with(_shape(wanted)):
        shape = f"(batch, {dim})" if rank == 2 else f"(batch, vectors, {dim})"
        raise ValueError(
            f"The index holds embeddings of width {dim}, and takes queries of shape {shape}. "
            f"Received {tuple(queries.shape)}."
        )
    queries = tf.cast(queries, tf.float32)
    return queries if tf.executing_eagerly() else tf.ensure_shape(queries, _shape(wanted))


def _k(k: Any) -> Tensor:
    """In a graph, a k below 1 is an `InvalidArgumentError` when it runs."""
    k = tf.constant(k, tf.int32) if isinstance(k, int) else tf.cast(tf.convert_to_tensor(k), tf.int32)
    known = tf.get_static_value(k)
    if known is not None and known < 1:
        raise ValueError(f"k is at least 1. Received {known}.")
    if known is None:
        with tf.control_dependencies([tf.debugging.Assert(k >= 1, ["k is at least 1. Received", k])]):
            k = tf.identity(k)
    return k


def checked_ids(ids: Any, kind: str) -> Tensor:
    """Ids of int64 or string, `(batch, n)`, dense."""
    if not tf.is_tensor(ids):  # a ragged tensor is one
        ids = tf.convert_to_tensor(np.asarray(ids) if not isinstance(ids, list) else ids)
    if (ids.dtype == tf.string) != (kind == "string"):
        raise TypeError(f"The ids of this index are {kind}. Received ids to exclude of {ids.dtype.name}.")
    if kind == "int64":
        ids = tf.cast(ids, tf.int64)
    return ids.to_tensor(PADDING[kind]) if isinstance(ids, tf.RaggedTensor) else ids


def _positions(positions: Any) -> Tensor:
    """Positions of int32, `(batch, n)`, dense."""
    return tf.cast(positions.to_tensor(-1) if isinstance(positions, tf.RaggedTensor) else positions, tf.int32)


def _allow(allow: Any, queries: Tensor, live: LiveItems) -> Tensor:
    """Bool `(1, positions)` or `(batch, positions)`."""
    count = live.position_count
    allow = tf.convert_to_tensor(allow)
    if allow.dtype != tf.bool:
        raise TypeError(f"`allow` is bool, true for what may be found. Received {allow.dtype.name}.")
    if allow.shape.rank not in (1, 2):
        raise ValueError(f"`allow` is (positions,) or (batch, positions). Received the shape {allow.shape}.")
    if allow.shape.rank == 1:
        allow = allow[None]
    wanted = f"`allow` has one value for each of the {count} positions, and one row, or one a query"
    eager = tf.executing_eagerly()
    rows, batch = allow.shape[0], queries.shape[0]
    if (eager and allow.shape[1] != count) or (rows != 1 and None not in (rows, batch) and rows != batch):
        raise ValueError(f"{wanted}. Received the shape {tuple(allow.shape)} with {batch} queries.")
    if eager:
        return allow
    same = tf.equal(tf.shape(allow)[1], live.positions_in_graph)
    with tf.control_dependencies([tf.debugging.Assert(same, ["`allow` has one value for each position"])]):
        return tf.identity(allow)
