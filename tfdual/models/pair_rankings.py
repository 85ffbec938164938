"""Candidates of queries in the order of a model that scores pairs."""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor

LISTS = (list, tuple, np.ndarray)


class Rankings(NamedTuple):
    """Places in the lists of candidates and their scores, best first, `(queries, k)`; -1 and -inf behind the last."""

    positions: np.ndarray
    scores: np.ndarray


def rankings(
    score: Callable[[dict[str, Tensor]], Tensor],
    queries: Mapping[str, Any],
    items: Mapping[str, Any],
    texts: tuple[str, str],
    k: int | None,
    pairs_at_once: int,
) -> Rankings:
    """What `CrossEncoder.rank` gives.

    Args:
        score: from columns of pairs to scores `(pairs,)`.
        queries: name -> a value a query.
        items: name -> for each query a list with a value a candidate.
        texts: the columns of texts, that of queries and that of items, which says how many candidates there are.
        k: int or None.
        pairs_at_once: int.
    """
    queries = {name: _by_position(values, name) for name, values in queries.items()}
    items = {name: [_by_position(row, name) for row in _by_position(rows, name)] for name, rows in items.items()}
    counts = _checked_counts(queries, items, texts[1])
    for name in texts:
        _require_texts((queries | items).get(name, []), name)
    longest = max(counts, default=0)
    k = longest if k is None else k
    for name, number in {"k": k, "pairs_at_once": pairs_at_once}.items():
        if number < 1 and longest:
            raise ValueError(f"{name} is at least 1. Received {number}.")
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


def _by_position(values: Any, name: str) -> list:
    """A list of what an array, a tensor or a column of a table holds, whatever its rows are called.

    Raises:
        ValueError: one text, or columns by name.
    """
    if isinstance(values, str | bytes):
        raise ValueError(
            f"Each query has a value in each column, and a list of candidates. Received a text instead of a list, "
            f"{values!r} in '{name}': wrap it in one."
        )
    if isinstance(values, Mapping) or hasattr(values, "columns"):
        raise ValueError(f"'{name}' is one column. Received a {type(values).__name__}: give a dict of lists instead.")
    if isinstance(values, tf.RaggedTensor):
        return values.to_list()
    if hasattr(values, "to_pylist"):
        return values.to_pylist()
    return list(values.numpy() if tf.is_tensor(values) else values)


def _checked_counts(queries: Mapping[str, list], items: Mapping[str, list[list]], item: str) -> list[int]:
    """How many candidates each query has."""
    sizes = {name: len(values) for name, values in (*queries.items(), *items.items())}
    if len(set(sizes.values())) > 1 or item not in items:
        raise ValueError(
            f"Each query has a value in each column, and a list of candidates in '{item}'. Received {sizes} of them."
        )
    counts = [len(texts) for texts in items[item]]
    for name, lists in items.items():
        if (others := [len(values) for values in lists]) != counts:
            raise ValueError(f"'{item}' has {counts} candidates a query, and '{name}' {others}. Give one value each.")
    return counts


def _require_texts(values: Any, name: str, of: str = "") -> None:
    """Refuse what is no text among texts, or among the lists of them.

    Raises:
        TypeError: there is any.
    """
    if len({isinstance(value, LISTS) for value in values}) > 1:
        raise TypeError(
            f"Queries are texts or lists of turns. Received both in '{name}': make each text a list of one."
        )
    for place, value in enumerate(values):
        if isinstance(value, LISTS) and not of:
            _require_texts(value, name, f" of query {place}")
        elif not isinstance(value, str | bytes):
            raise TypeError(
                f"A text is a str, \"\" where there is none. Received {value!r} in '{name}' at place {place}{of}."
            )


def _tensor(values: list, column: list) -> Tensor | tf.RaggedTensor:
    """One value a row; lists become ragged, of strings where none in the whole column holds a value."""
    if not isinstance(values[0], LISTS) or _is_matrix(values):
        return tf.convert_to_tensor(values)
    dtype = None if any(map(len, values)) else tf.ragged.constant([next(filter(len, column), [""])]).dtype
    lists = [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
    return tf.ragged.constant(lists, dtype=dtype)


def _is_matrix(values: list) -> bool:
    """Whether they are vectors of one width."""
    return all(isinstance(value, np.ndarray) and value.dtype.kind != "O" for value in values) and (
        len({value.shape for value in values}) == 1
    )
