"""The Arrow type of a schema's column, and what a source may hold in its place."""

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa

from tfdual.schema import ColumnSchema, Kind, Schema, Tags

ARROW_TYPES = {
    "int64": pa.int64(),
    "int32": pa.int32(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
}
_LISTS = {of(pa.null()).id for of in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)}
_LISTS |= {pa.list_(pa.null(), 1).id}
_TEXTS = {of().id for of in (pa.string, pa.large_string, pa.string_view, pa.binary, pa.large_binary, pa.binary_view)}
_TEXTS |= {pa.binary(1).id}
_TIME = {b"tfdual.holds": b"times"}
_DELIMITER = b"tfdual.delimiter"
_NO_HEADER = "If its first line is no header, name the columns: --columns, or csv=CsvFormat(column_names=[...])."


def arrow_type(column: ColumnSchema) -> pa.DataType:
    """The Arrow type that holds `column`."""
    value = ARROW_TYPES[column.dtype]
    if column.width is not None:
        return pa.list_(value, column.width)
    return pa.list_(value) if column.is_list else value


def arrow_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema of conforming rows."""
    return pa.schema([(column.name, arrow_type(column)) for column in schema])


def wanted_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema to ask a source for: that of conforming rows, with times and delimited lists marked."""
    return pa.schema(
        [field.with_metadata(_marks(column)) for field, column in zip(arrow_schema(schema), schema, strict=True)]
    )


def _marks(column: ColumnSchema) -> dict[bytes, bytes] | None:
    if holds_times(column):
        return _TIME
    delimiter = column.properties.get("delimiter")
    return {_DELIMITER: delimiter.encode()} if column.is_list and delimiter is not None else None


def holds_times(column: ColumnSchema) -> bool:
    """Whether the values are seconds since 1970, so that a source may spell them as text of ISO 8601."""
    return Tags.TIME in column.tags and not column.is_list and column.dtype not in ("string", "bool")


def is_marked_time(field: pa.Field) -> bool:
    """Whether a field of `wanted_schema` is a column of times."""
    return field.metadata == _TIME


def delimiter_of(field: pa.Field) -> str | None:
    """What stands between the values where a list of `wanted_schema` is a text; None where none may be."""
    delimiter = (field.metadata or {}).get(_DELIMITER)
    return None if delimiter is None else delimiter.decode()


def is_list(found: pa.DataType) -> bool:
    """Whether the type holds lists, of whatever length and layout."""
    return found.id in _LISTS


def is_text(found: pa.DataType) -> bool:
    """Whether the type holds strings or bytes."""
    return found.id in _TEXTS


def is_time(found: pa.DataType) -> bool:
    """Whether the type can become seconds: a date, a timestamp or a duration."""
    return pa.types.is_date(found) or pa.types.is_timestamp(found) or pa.types.is_duration(found)


def widened(found: pa.DataType) -> pa.DataType:
    """The type with offsets of 64 bits in place of 32, of an `arrow_type`."""
    if pa.types.is_fixed_size_list(found):
        return pa.list_(widened(found.value_type), found.list_size)
    if pa.types.is_list(found):
        return pa.large_list(widened(found.value_type))
    return pa.large_string() if pa.types.is_string(found) else found


def decoded(found: pa.DataType) -> pa.DataType:
    """The type of the values of a dictionary; any other type as it is."""
    return found.value_type if pa.types.is_dictionary(found) else found


def check_schema(schema: Schema) -> None:
    """Refuse columns whose missing value no tensor can hold.

    Raises:
        TypeError: it is no schema.
        ValueError: a bool, or a dense column of integers, is nullable.
    """
    if not isinstance(schema, Schema):
        raise TypeError(
            "Rows are typed by a Schema; make one of columns, load a file with Schema.load(path), or infer one with "
            f"infer_schema(source). Received {type(schema).__name__}."
        )
    for column in schema:
        counted = column.dtype.startswith("int") and column.kind is Kind.DENSE
        if column.nullable and not column.is_list and (counted or column.dtype == "bool"):
            raise ValueError(
                f"Column '{column.name}' is nullable and of dtype {column.dtype}, which has no missing value. "
                "Give it the dtype float32 or float64, or string."
            )


def missing_columns(found: pa.Schema, schema: Schema, sampled: bool = False) -> list[str]:
    """Columns of `schema` that the source lacks; where only first rows were looked at, those that no row may lack."""
    names = set(found.names)
    return [column.name for column in schema if column.name not in names and not (sampled and column.nullable)]


def check_columns(found: pa.Schema, schema: Schema, source: str, text: bool = False, sampled: bool = False) -> None:
    """Compare what a source holds with what the schema names.

    Args:
        found: pyarrow.Schema of the source.
        schema: Schema.
        source: str. How messages name the source.
        text: bool. The source is a text format, whose values are parsed into the schema's types.
        sampled: bool. `found` are the columns of the first rows only, so a nullable column may stand in later ones.

    Raises:
        ValueError: the source lacks a column, or holds two of that name.
        TypeError: a column's type can't become the schema's type.
    """
    if missing := missing_columns(found, schema, sampled):
        raise ValueError(_lacking(source, missing, found.names, text, sampled))
    check_names(found, schema.column_names, source, text)
    for column in schema:
        if not text and not fits(found.field(column.name).type, column):
            raise TypeError(
                f"Column '{column.name}' of {source} has the type {found.field(column.name).type}; the schema wants "
                f"{arrow_type(column)}. Change the column's dtype in the schema, or cast it in the file."
            )


def check_names(found: pa.Schema, names: Iterable[str], source: str, text: bool = False) -> None:
    """Refuse a source that holds two columns of one of these names. Arguments as of `check_columns`.

    Raises:
        ValueError: it does.
    """
    times = Counter(found.names)
    if twice := [name for name in names if times[name] > 1]:
        advice = f" {_NO_HEADER}" if text else ""
        raise ValueError(f"{source} has the column '{twice[0]}' more than once. Rename one.{advice}")


def _lacking(source: str, missing: list[str], names: list[str], text: bool, sampled: bool) -> str:
    if sampled:
        return (
            f"The first rows of {source} lack the columns {missing} that the schema names. They have {names}. Correct "
            "the schema; a key that rows may lack is a column with the property nullable."
        )
    said = (
        f"{source} lacks the columns {missing} that the schema names. It has {names}. "
        "Correct the schema or add the columns."
    )
    if text and any(_is_number(name) for name in names):
        return f"{said} {_NO_HEADER}"
    return said


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def fits(found: pa.DataType, column: ColumnSchema) -> bool:
    """Whether values of the type `found` can become those of `column`."""
    found = decoded(found)
    if pa.types.is_null(found):
        return True
    if is_list(found) != column.is_list:
        return is_text(found) and "delimiter" in column.properties
    value = decoded(found.value_type) if is_list(found) else found
    if column.dtype == "string":
        return is_text(value) or pa.types.is_null(value)
    if column.dtype == "bool":
        return pa.types.is_boolean(value)
    if is_text(value) and holds_times(column):
        return True
    number = pa.types.is_integer(value) or is_time(value) or pa.types.is_decimal(value)
    if column.dtype.startswith("int"):
        return number or pa.types.is_null(value)
    return number or pa.types.is_floating(value) or pa.types.is_boolean(value) or pa.types.is_null(value)
