"""A search among the items of a build and those that came since."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found, either, joined, without
from tfdual.index.live_items import LiveItems

Changed = tuple[Any, Any]  # whether rows are dead, and fresh, as bools or tensors


def live_search(
    live: LiveItems,
    search: Callable[..., Found],
    queries: Tensor,
    k: Tensor,
    exclude: Tensor | None,
    allow: Tensor | None,
    changed: Changed,
) -> Found:
    """What `Index.search_positions` gives.

    Args:
        live: LiveItems.
        search: from queries, k, and which items of the build are allowed and how many, or None, to the best of them.
        queries: prepared, `(batch, ...)`.
        k: int32 scalar.
        exclude: int32 `(batch, n)`, or None.
        allow: bool `(1, positions)` or `(batch, positions)`, or None.
        changed: Changed.
    """
    most = live.built if (as_built := changed[0] is changed[1] is False) else live.live_in_graph
    k = tf.minimum(k, most)
    wider = k if exclude is None else tf.minimum(k + tf.shape(exclude)[1], most)
    built_k = wider if as_built else tf.minimum(wider, live.built)
    if allow is not None:
        found = search(queries, built_k, tf.logical_and(allow[:, : live.built], live.alive), None)
    else:
        found = either(
            changed[0],
            lambda: search(queries, built_k, live.alive, live.alive_count),
            lambda: search(queries, built_k, None, None),
        )
    found = either(changed[1], lambda: joined(found, live.fresh.search(queries, wider, allow), wider), lambda: found)
    return found if exclude is None else without(found, exclude, k)
