"""Edges from the columns of rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfdual._backend import is_ragged
from tfdual.graph.edges import bad_weights
from tfdual.graph.relation import Relation
from tfdual.graph.unknown_ids import unknown_ids
from tfdual.schema import ColumnSchema, Schema, Tags

INTERACTS = "interacts"
Found = dict[Relation, list[np.ndarray]]


def edge_columns(
    rows: Iterable[Mapping[str, Any]] | Mapping[str, Any],
    schema: Schema,
    edges: Sequence[tuple[str, str, str]] | None,
    weights: str | None,
) -> tuple[list[ColumnSchema], Found]:
    """The columns that the edges join, and sources, targets and weights of each relation; see `Graph.from_rows`."""
    named = _default(schema) if edges is None else _checked(edges)
    columns = {name: _column(schema, name) for source, _, target in named for name in (source, target)}
    unknown = unknown_ids(schema)
    parts: dict[Relation, list[list[np.ndarray]]] = {}
    for batch in [rows] if isinstance(rows, Mapping) else rows:
        if not isinstance(batch, Mapping):
            raise TypeError(
                f"Rows come as batches, dicts of model-ready columns: rows.batch(4096).map(preprocessor). Received "
                f"{type(batch).__name__}."
            )
        weight = None if weights is None else _weights(_values(batch, weights), weights)
        for source, name, target in named:
            relation = Relation(columns[source].domain_name, name, columns[target].domain_name)
            found = _edges(_values(batch, source), _values(batch, target), weight, (source, target))
            found = _of_known(found, unknown[relation.source], unknown[relation.target])
            _check_weights(found[2], weights)
            parts.setdefault(relation, []).append(found)
    if not parts:
        raise ValueError("A graph needs at least one row. Received none.")
    joined = {key: [np.concatenate(arrays) for arrays in zip(*found, strict=True)] for key, found in parts.items()}
    return list(columns.values()), joined


def node_counts(schema: Schema, columns: Sequence[ColumnSchema]) -> dict[str, int]:
    """How many nodes each domain of the columns has."""
    return {column.domain_name: int(column.cardinality or 0) for column in columns}


def _default(schema: Schema) -> list[tuple[str, str, str]]:
    tagged = [schema.select_by_tag(tag) for tag in (Tags.USER_ID, Tags.ITEM_ID)]
    if any(len(columns) != 1 for columns in tagged):
        raise ValueError(
            "Edges go from the column tagged USER_ID to that tagged ITEM_ID, and the schema has "
            f"{[columns.column_names for columns in tagged]}. Tag one each, or pass edges=[(source, name, target)]."
        )
    return [(tagged[0].first.name, INTERACTS, tagged[1].first.name)]


def _checked(edges: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    if wrong := [each for each in edges if not isinstance(each, tuple | list) or len(each) != 3]:
        raise ValueError(
            f"Edges are (source column, name, target column) each, such as ('user', '{INTERACTS}', 'item'). Received "
            f"{wrong[0]!r}."
        )
    return list(edges)


def _column(schema: Schema, name: str) -> ColumnSchema:
    if name not in schema:
        raise ValueError(f"The schema has no column '{name}' for edges. It has {schema.column_names}.")
    column = schema[name]
    if column.cardinality is None:
        raise ValueError(
            f"The ids of '{name}' have no known largest value. Take a column of ids, of a `Preprocessor`'s schema."
        )
    return column


def _values(batch: Mapping[str, Any], name: str) -> Any:
    if name not in batch:
        raise ValueError(f"The rows lack the column '{name}'. They have {sorted(batch)}.")
    return batch[name]


def _weights(values: Any, name: str) -> np.ndarray:
    if _is_list(values):
        raise ValueError(f"weights names a column of one number a row. '{name}' holds lists.")
    return np.asarray(values, np.float32)


def _check_weights(weights: np.ndarray, name: str | None) -> None:
    if bad := bad_weights(weights):
        raise ValueError(
            f"The weights of edges are above 0. The column '{name}' holds {bad}. Leave such rows out; "
            "where these aren't the numbers of the rows, a `Preprocessor` standardised them: pass "
            f"Preprocessor(schema, {{'{name}': Passthrough()}}), or tag the column WEIGHT."
        )


def _edges(source: Any, target: Any, weight: np.ndarray | None, names: tuple[str, str]) -> list[np.ndarray]:
    """Sources, targets and weights of the pairs of two columns."""
    if _is_list(source) and _is_list(target):
        raise ValueError(f"Both columns {names} hold lists. Edges join single values, or a value and a list.")
    first, rows = _flat(source)
    last = np.asarray(target)[rows] if _is_list(source) else None
    if last is None:
        last, rows = _flat(target)
        first = first[rows]
    weights = np.ones(len(first), np.float32) if weight is None else weight[rows]
    return [first, last, weights]


def _of_known(found: list[np.ndarray], unknown_sources: int, unknown_targets: int) -> list[np.ndarray]:
    """The edges without those of the first ids, of unknown values."""
    sources, targets, _ = found
    unknown = _among_first(sources, unknown_sources) | _among_first(targets, unknown_targets)
    return [values[~unknown] for values in found]


def _among_first(ids: np.ndarray, count: int) -> np.ndarray:
    return (ids >= 0) & (ids < count)


def _is_list(values: Any) -> bool:
    return is_ragged(values) or np.ndim(values) == 2


def _flat(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """The values, and the row of each."""
    if is_ragged(values):
        return np.asarray(values.flat_values), np.asarray(values.value_rowids())
    array = np.asarray(values)
    width = array.shape[1] if array.ndim == 2 else 1
    return array.reshape(-1), np.repeat(np.arange(len(array)), width)
