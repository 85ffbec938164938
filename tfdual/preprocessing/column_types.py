"""The types of column that several transforms take or give."""

from dataclasses import replace
from typing import Any

from tfdual.preprocessing.transform import Transform, refusal
from tfdual.schema import ColumnSchema, Tags
from tfdual.schema.properties import SHARED_IDS


def check_number(transform: Transform, column: ColumnSchema) -> None:
    """Refuse all but single numbers.

    Raises:
        TypeError: the column is a list, or holds strings.
    """
    if column.is_list or column.dtype == "string":
        raise refusal(transform, "a single number a row", column, "Give the column another transform.")


def check_text(transform: Transform, column: ColumnSchema) -> None:
    """Refuse all but single strings.

    Raises:
        TypeError: the column is a list, or holds no strings.
    """
    if column.is_list or column.dtype != "string":
        raise refusal(transform, "a single string a row", column, "Give the column another transform.")


def check_values(transform: Transform, column: ColumnSchema) -> None:
    """Refuse all but strings and integers, single or in lists.

    Raises:
        TypeError: the column holds floats.
    """
    if column.dtype.startswith("float"):
        raise refusal(transform, "strings or integers", column, "Bucket the numbers first, or change the dtype.")


def check_ids(transform: Transform, column: ColumnSchema) -> int:
    """The number of ids of a column that has been mapped to `0 .. n - 1`.

    Raises:
        TypeError: the column's ids are not counted yet.
    """
    if column.cardinality is None or column.dtype != "int64":
        raise refusal(transform, "ids 0 .. n - 1", column, "Put a Vocabulary, HashBuckets or Buckets before it.")
    return column.cardinality


def number(column: ColumnSchema, dtype: str) -> ColumnSchema:
    """The column as single numbers, none missing."""
    return replace(column, dtype=dtype, properties=_filled(column))


def vector(column: ColumnSchema, width: int) -> ColumnSchema:
    """The column as vectors of `width` float32, and no ids any more."""
    tags = column.tags - {Tags.CATEGORICAL, Tags.LIST, Tags.ID, Tags.USER_ID, Tags.ITEM_ID, Tags.SESSION_ID}
    properties = {name: value for name, value in _filled(column).items() if name not in ("domain", SHARED_IDS)}
    return ColumnSchema(column.name, tags, properties, "float32", dims=(None, width))


def ids(column: ColumnSchema, cardinality: int, shared: int = 1) -> ColumnSchema:
    """The column as int64 ids `0 .. cardinality - 1`; numbers and texts become categorical.

    Args:
        column: ColumnSchema.
        cardinality: int. How many ids there are.
        shared: int. How many of them, the first, may each be of several values. Defaults to 1: what is unknown.
    """
    tags = column.tags if column.is_list else (column.tags - {Tags.CONTINUOUS, Tags.EMBEDDING}) | {Tags.CATEGORICAL}
    domain = {"name": column.domain_name, "min": 0, "max": cardinality - 1}
    if SHARED_IDS in column.properties:
        shared = cardinality  # what is mapped here was shared before
    properties = _filled(column) | {"domain": domain} | ({SHARED_IDS: shared} if shared > 1 else {})
    return replace(column, tags=tags, properties=properties, dtype="int64")


def id_list(column: ColumnSchema, cardinality: int) -> ColumnSchema:
    """The column as ragged lists of int64 ids `0 .. cardinality - 1`."""
    return ids(replace(column, is_list=True, is_ragged=True), cardinality)


def _filled(column: ColumnSchema) -> dict[str, Any]:
    """The properties of a column that misses no value any more."""
    return {name: value for name, value in column.properties.items() if name != "nullable"}
