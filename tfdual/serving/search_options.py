"""What a request says beside its query: how many items, which not, and which at all."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.item_ids import PADDING
from tfdual.index.search_arguments import checked_k
from tfdual.serving.filter_expression import compile_filter

DEFAULT_K = 10
OWN_NAMES = ("k", "exclude", "filter")
_ROWS = {"exclude": "list of ids", "filter": "expression"}  # what a row of each is


def option_specs(id_kind: str, filtered: bool) -> dict[str, tf.TensorSpec]:
    """The optional inputs, each with one row a query, or one for all of them.

    `k`, int32 `(batch,)`; `exclude`, ids `(batch, n)`, padded with -1 or `""`; `filter`, strings `(batch, terms)` of
    `compile_filter`, padded with `""` at the end: only where the items have columns to filter by.
    """
    specs = {
        "k": tf.TensorSpec([None], tf.int32, name="k"),
        "exclude": tf.TensorSpec([None, None], id_kind, name="exclude"),
    }
    return specs | ({"filter": tf.TensorSpec([None, None], tf.string, name="filter")} if filtered else {})


def option_defaults(id_kind: str, filtered: bool) -> dict[str, Tensor]:
    """What a request means that leaves them out: 10 items of all."""
    defaults = {"k": tf.constant([DEFAULT_K], tf.int32), "exclude": tf.constant([[]], id_kind)}
    return defaults | ({"filter": tf.constant([[]], tf.string)} if filtered else {})


def given_options(
    k: int,
    exclude: Any,
    item_filter: str | Sequence[str] | None,
    id_kind: str,
    columns: Mapping[str, str],
    inputs: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """The optional inputs of a search in Python.

    Args:
        k: int.
        exclude: one list of ids a query, or one for all. None: none.
        item_filter: an expression for all queries, or one for each. None: none.
        id_kind: `"int64"` or `"string"`.
        columns: those that can be filtered by -> their dtype.
        inputs: the query's columns, with one row a query, or one row in all where they are left out.

    Raises:
        ValueError: k below 1, over int32 or no integer; ids of another type; a filter that can't be read or names
            another column; lists or filters that are neither one nor one a query.
    """
    options = option_defaults(id_kind, bool(columns)) | {"k": _k(k)}
    if exclude is not None:
        options["exclude"] = _excluded(exclude, id_kind)
    if item_filter is not None:
        several = isinstance(item_filter, Iterable) and not isinstance(item_filter, str | bytes)
        expressions: list[Any] = list(item_filter) if several else [item_filter]
        terms = [compile_filter(expression, columns) for expression in expressions]
        options["filter"] = tf.ragged.constant(terms, ragged_rank=1, dtype=tf.string).to_tensor()
    _require_rows({name: options[name].shape[0] for name in _ROWS if name in options}, _query_count(inputs))
    return options


def _query_count(inputs: Mapping[str, Tensor]) -> int:
    return next((rows for rows in (tensor.shape[0] for tensor in inputs.values()) if rows != 1), 1)


def _require_rows(rows: Mapping[str, int], queries: int) -> None:
    """ValueError, unless each has one row, or one a query."""
    for name, given in rows.items():
        if given not in (1, queries):
            raise ValueError(
                f"`{name}` takes one {_ROWS[name]} for all queries, or one for each query. "
                f"Received {given}, and the number of queries is {queries}."
            )


def _k(k: Any) -> Tensor:
    try:
        return checked_k(k)[None]
    except TypeError as error:
        raise ValueError(str(error)) from error


def _excluded(exclude: Any, id_kind: str) -> Tensor:
    wanted = f"`exclude` takes a list of {id_kind} ids for each query"
    if isinstance(exclude, str | bytes):
        raise ValueError(f"{wanted}. Received {exclude!r}.")
    try:
        if tf.is_tensor(exclude):
            ids = exclude
        else:
            lists = [list(ids) for ids in exclude]
            ids = tf.ragged.constant(lists, ragged_rank=1, inner_shape=(), dtype=id_kind)
        if ids.dtype.name != id_kind:
            raise TypeError(f"they are {ids.dtype.name}")
        return ids.to_tensor(PADDING[id_kind]) if isinstance(ids, tf.RaggedTensor) else tf.ensure_shape(ids, [None] * 2)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{wanted}: {error}. Received {exclude!r}.") from error
