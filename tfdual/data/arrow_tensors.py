"""Arrow columns to NumPy arrays that TensorFlow takes without a copy of its own."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfdual.schema import ColumnSchema, Schema

Ragged: TypeAlias = tuple[np.ndarray, np.ndarray]
ARROW_TYPES = {
    "int64": pa.int64(),
    "int32": pa.int32(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
}


def arrow_type(column: ColumnSchema) -> pa.DataType:
    """The Arrow type that holds `column`."""
    value = ARROW_TYPES[column.dtype]
    if column.width is not None:
        return pa.list_(value, column.width)
    return pa.list_(value) if column.is_list else value


def check_columns(found: pa.Schema, schema: Schema, source: str) -> None:
    """Compare what a file holds with what the schema names.

    Raises:
        ValueError: the file lacks a column.
        TypeError: a column's type can't become the schema's type.
    """
    if missing := [name for name in schema.column_names if name not in found.names]:
        raise ValueError(
            f"{source} lacks the columns {missing} that the schema names. It has {found.names}. "
            "Correct the schema or add the columns."
        )
    for column in schema:
        if not _fits(found.field(column.name).type, column):
            wanted = arrow_type(column)
            raise TypeError(
                f"Column '{column.name}' of {source} has the type {found.field(column.name).type}; the schema wants "
                f"{wanted}. Change the column's dtype in the schema, or cast it in the file."
            )


def widest(found: Sequence[pa.Schema], names: Sequence[str]) -> pa.Schema:
    """The first file's schema, with the columns `names` wide enough for all files.

    Raises:
        TypeError: the types of a column have nothing in common.
    """
    fields = {field.name: field for field in found[0]}
    for name in names:
        types = {schema.field(name).type for schema in found}
        if len(types) > 1:
            parts = [pa.schema([(name, _decoded(part))]) for part in types]
            fields[name] = pa.unify_schemas(parts, promote_options="permissive").field(name)
    return pa.schema(list(fields.values()))


def _decoded(found: pa.DataType) -> pa.DataType:
    return found.value_type if pa.types.is_dictionary(found) else found


def _fits(found: pa.DataType, column: ColumnSchema) -> bool:
    found = _decoded(found)
    lists = pa.types.is_list(found) or pa.types.is_large_list(found) or pa.types.is_fixed_size_list(found)
    if lists != column.is_list:
        return False
    value = found.value_type if lists else found
    if column.dtype == "string":
        return pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_null(value)
    if column.dtype == "bool":
        return pa.types.is_boolean(value)
    if column.dtype.startswith("int"):
        return pa.types.is_integer(value)
    return pa.types.is_floating(value) or pa.types.is_integer(value) or pa.types.is_boolean(value)


def to_numpy(array: pa.Array, column: ColumnSchema) -> np.ndarray | Ragged:
    """One column of one batch.

    A missing string becomes `""`, a missing list is empty, a missing float is NaN.

    Returns:
        An array `(rows,)`, for vectors `(rows, width)`, for ragged lists the pair (values, lengths).

    Raises:
        ValueError: a null in an integer or bool column, a vector of another width, an integer that overflows.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if not column.is_list:
        return _values(array, column)
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    values = _values(array.flatten(), column)
    if column.width is None:
        return values, lengths
    if wrong := np.flatnonzero(lengths != column.width).tolist():
        raise ValueError(
            f"Column '{column.name}' must hold {column.width} values a row. Row {wrong[0]} of the batch has "
            f"{lengths[wrong[0]]}. Correct the rows, or the column's dims in the schema."
        )
    return values.reshape(-1, column.width)


def _values(array: pa.Array, column: ColumnSchema) -> np.ndarray:
    if column.dtype == "string":
        return pc.fill_null(array.cast(pa.string()), "").cast(pa.binary()).to_numpy(zero_copy_only=False)
    if array.null_count and not column.dtype.startswith("float"):
        raise ValueError(
            f"Column '{column.name}' of dtype {column.dtype} holds {array.null_count} nulls in a batch. "
            "Fill or drop them; a missing number is possible in a float column only."
        )
    if array.type != ARROW_TYPES[column.dtype]:
        array = _cast(array, column)
    return array.to_numpy(zero_copy_only=False)


def _cast(array: pa.Array, column: ColumnSchema) -> pa.Array:
    try:
        return array.cast(ARROW_TYPES[column.dtype], safe=not column.dtype.startswith("float"))
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"Column '{column.name}' holds numbers that don't fit {column.dtype}: {error}. "
            "Give the column a wider dtype in the schema."
        ) from error


def is_ragged(column: ColumnSchema) -> bool:
    """Whether `to_numpy` gives a pair for this column."""
    return column.is_list and column.width is None
