"""Candidates of queries in the order of a model that scores pairs."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor


class Rankings(NamedTuple):
    """Places in the lists of candidates and their scores, best first, `(queries, k)`; -1 and -inf behind the last."""

    positions: np.ndarray
    scores: np.ndarray


def rankings(
    score: Callable[[dict[str, Tensor]], Tensor],
    queries: Mapping[str, Sequence],
    items: Mapping[str, Sequence[Sequence]],
    item: str,
    k: int | None,
    pairs_at_once: int,
) -> Rankings:
    """What `CrossEncoder.rank` gives.

    Args:
        score: from columns of pairs to scores `(pairs,)`.
        queries: name -> a value a query.
        items: name -> for each query a list with a value a candidate.
        item: str. The column of items that says how many candidates there are.
        k: int or None.
        pairs_at_once: int.
    """
    counts = _checked_counts(queries, items, item)
    longest = max(counts, default=0)
    k = longest if k is None else k
    if k < 1 and longest:
        raise ValueError(f"k is at least 1. Received {k}.")
    rows = np.repeat(np.arange(len(counts)), counts)
    flat = {name: list(chain.from_iterable(lists)) for name, lists in items.items()}
    found = np.full((len(counts), longest), -np.inf, np.float32)
    places = np.arange(len(rows)) - np.repeat(np.cumsum([0, *counts])[:-1], counts)
    for start in range(0, len(rows), pairs_at_once):
        part = slice(start, start + pairs_at_once)
        pairs = {name: _tensor([values[row] for row in rows[part]], values) for name, values in queries.items()}
        pairs |= {name: _tensor(values[part], values) for name, values in flat.items()}
        found[rows[part], places[part]] = np.asarray(score(pairs), np.float32)
    order = np.argsort(-found, axis=1, kind="stable")[:, :k]
    scores = np.take_along_axis(found, order, axis=1)
    return Rankings(np.where(order < np.array(counts, np.int64)[:, None], order, -1), scores)


def _checked_counts(queries: Mapping[str, Sequence], items: Mapping[str, Sequence[Sequence]], item: str) -> list[int]:
    """How many candidates each query has."""
    sizes = {name: len(values) for name, values in (*queries.items(), *items.items())}
    if len(set(sizes.values())) > 1 or item not in items:
        raise ValueError(
            f"Each query has a value in each column, and a list of candidates in '{item}'. Received {sizes} of them."
        )
    if any(isinstance(texts, str | bytes) for texts in items[item]):
        raise ValueError("Each query has a list of candidates. Received a text instead of a list: wrap it in one.")
    counts = [len(texts) for texts in items[item]]
    for name, lists in items.items():
        if (others := [len(values) for values in lists]) != counts:
            raise ValueError(f"'{item}' has {counts} candidates a query, and '{name}' {others}. Give one value each.")
    return counts


def _tensor(values: list, column: Sequence) -> Tensor | tf.RaggedTensor:
    """One value a row; lists become ragged, of strings where none in the whole column holds a value."""
    if not isinstance(values[0], list | tuple):
        return tf.convert_to_tensor(values)
    dtype = None if any(map(len, values)) else tf.ragged.constant([next(filter(len, column), [""])]).dtype
    return tf.ragged.constant(values, dtype=dtype)
