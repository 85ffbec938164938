"""Arguments of a search, checked where they come in."""

import itertools
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.item_ids import PADDING
from tfdual.index.live_items import LiveItems

Shape = tuple[int, int]  # of the queries of an index: their rank, and the width of a vector
_ID_LISTS = "Ids are (batch, n): a list for each query"
_ID_TYPES: dict[str, tuple[type, ...]] = {"int64": (int, np.integer), "string": (str, bytes)}


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
        ValueError: queries or `allow` of another width; outside a graph, a query that is not finite; k below 1, or over
            int32; an `exclude` or `allow` of neither one row nor one a query.
        TypeError: a k or positions that are no integers; an `allow` that is not bool.
    """
    checked = {"queries": _queries(queries, wanted), "k": checked_k(k)}
    if exclude is not None:
        checked["exclude"] = _positions(exclude, checked["queries"])
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
    if not tf.executing_eagerly():
        return tf.ensure_shape(queries, _shape(wanted))
    is_finite = np.isfinite(queries.numpy())
    if not is_finite.all():
        raise ValueError(
            f"Query {np.argwhere(~is_finite)[0, 0]} holds NaN or infinity, which has no score with any item. "
            "Leave it out, or look for what made it."
        )
    return queries


def checked_k(k: Any) -> Tensor:
    """An int32 scalar. In a graph, a k out of range is an `InvalidArgumentError` when it runs.

    Args:
        k: int, integer of NumPy, or integer scalar tensor.

    Raises:
        ValueError: k below 1, or over int32.
        TypeError: k is no integer.
    """
    known = k
    if tf.is_tensor(k):
        k = tf.convert_to_tensor(k)
        known = tf.get_static_value(k)
        if known is None:
            return _k_in_graph(k)
    try:
        number = operator.index(known)
    except TypeError as error:
        raise TypeError(f"k is an integer. Received {known!r}.") from error
    if isinstance(known, bool):
        raise TypeError(f"k is an integer. Received {known}.")
    if number < 1:
        raise ValueError(f"k is at least 1. Received {number}.")
    if number > tf.int32.max:
        raise ValueError(f"k is at most {tf.int32.max}. Received {number}.")
    return tf.constant(number, tf.int32)


def _k_in_graph(k: Tensor) -> Tensor:
    if not k.dtype.is_integer or not k.shape.is_compatible_with([]):
        raise TypeError(f"k is an integer scalar. Received a tensor of {k.dtype.name}, of the shape {k.shape}.")
    wide = tf.cast(k, tf.int64)
    fits = (wide >= 1) & (wide <= tf.int32.max)
    with tf.control_dependencies([tf.debugging.Assert(fits, ["k is at least 1, and within int32. Received", k])]):
        return tf.cast(k, tf.int32)


def checked_ids(ids: Any, kind: str) -> Tensor:
    """Ids of int64 or string, `(batch, n)`, dense.

    Args:
        ids: `(batch, n)`, padded, or ragged; lists may be of different lengths.
        kind: `"int64"` or `"string"`.

    Raises:
        ValueError: no list of ids a query; an integer over int64.
        TypeError: ids of another type.
    """
    if not tf.is_tensor(ids):  # a ragged tensor is one
        ids = _id_tensor(ids, kind)
    if ids.shape.rank not in (None, 2):
        raise ValueError(f"{_ID_LISTS}. Received the shape {ids.shape}.")
    if _is_empty(ids):  # of any type: nothing tells which
        return tf.zeros([tf.shape(ids)[0], 0], kind)
    if not (ids.dtype == tf.string if kind == "string" else ids.dtype.is_integer):
        raise TypeError(f"The ids of this index are {kind}. Received ids to exclude of {ids.dtype.name}.")
    if kind == "int64":
        ids = tf.cast(ids, tf.int64)
    return ids.to_tensor(PADDING[kind]) if isinstance(ids, tf.RaggedTensor) else ids


def _id_tensor(ids: Any, kind: str) -> Tensor:
    """What is no tensor yet as a dense one; lists may differ in their lengths, arrays are of any type."""
    if not isinstance(ids, list | tuple):
        ids = np.asarray(ids)
        if ids.dtype != object:
            return tf.convert_to_tensor(ids)
        ids = ids.tolist()
    if not isinstance(ids, list | tuple) or not all(_is_list(row) for row in ids):
        raise ValueError(f"{_ID_LISTS}. Received {ids!r}.")
    if any(tf.is_tensor(part) for row in ids for part in ([row] if tf.is_tensor(row) else row)):
        return tf.convert_to_tensor(ids)
    rows = [list(row) for row in ids]
    for item in itertools.chain.from_iterable(rows):
        if not isinstance(item, _ID_TYPES[kind]) or isinstance(item, bool):
            raise TypeError(f"The ids of this index are {kind}. Received {item!r} among ids to exclude.")
        if kind == "int64" and not tf.int64.min <= item <= tf.int64.max:
            raise ValueError(f"The ids of this index are int64. Received {item}, which is over it.")
    width = max(map(len, rows), default=0)
    padded = [[*row, *[PADDING[kind]] * (width - len(row))] for row in rows]
    return tf.reshape(tf.constant(padded, kind), [len(rows), width])


def _is_list(row: Any) -> bool:
    return tf.is_tensor(row) or (np.iterable(row) and not isinstance(row, str | bytes))


def _is_empty(ids: Tensor) -> bool:
    values = ids.flat_values if isinstance(ids, tf.RaggedTensor) else ids
    return values.shape.num_elements() == 0


def _positions(positions: Any, queries: Tensor) -> Tensor:
    """Positions of int32, `(batch, n)`, dense."""
    positions = positions.to_tensor(-1) if isinstance(positions, tf.RaggedTensor) else tf.convert_to_tensor(positions)
    if not positions.dtype.is_integer and not _is_empty(positions):
        raise TypeError(f"Positions to exclude are integers. Received {positions.dtype.name}.")
    if positions.shape.rank not in (None, 2):
        raise ValueError(f"Positions to exclude are (batch, n). Received the shape {positions.shape}.")
    rows, batch = positions.shape[0], queries.shape[0]
    if rows != 1 and None not in (rows, batch) and rows != batch:
        raise ValueError(
            f"`exclude` has one row for all queries, or one a query. Received {rows} rows with {batch} queries."
        )
    positions = tf.cast(positions, tf.int32)
    if rows is not None and rows == batch:
        return positions
    return tf.broadcast_to(positions, [tf.shape(queries)[0], tf.shape(positions)[1]])


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
