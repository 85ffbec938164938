"""Raw query columns at the door of a served model: dense tensors in, ragged inside."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfdual._arrow_arrays import to_numpy
from tfdual._typing import Tensor
from tfdual.data.arrow_types import ARROW_TYPES
from tfdual.data.conform import whole
from tfdual.data.sources.memory import as_table
from tfdual.data.values import convert
from tfdual.schema import ColumnSchema, Schema, Tags

PADDING: dict[str, Any] = {"string": "", "int64": -1, "int32": -1, "float32": np.nan, "float64": np.nan}


def tensor_spec(column: ColumnSchema) -> tf.TensorSpec:
    """Shape and type in the signature: `(batch,)`, `(batch, width)`, or `(batch, longest)` for ragged lists.

    Raises:
        ValueError: a ragged list of bools, which leaves no value for the padding.
    """
    if column.is_list and column.width is None and column.dtype not in PADDING:
        raise ValueError(f"Query column '{column.name}' is a list of {column.dtype}, which can't be padded. Use int64.")
    shape = [None, column.width] if column.is_list else [None]
    return tf.TensorSpec(shape, column.dtype, name=column.name)


def missing_row(column: ColumnSchema) -> Any:
    """What the preprocessor takes as missing: `""`, NaN, -1 or false; of vectors, zeros; of lists, an empty one."""
    if not column.is_list:
        return PADDING.get(column.dtype, False)
    return [_plain(column)] * (column.width or 0)


def missing_values(columns: Iterable[ColumnSchema]) -> dict[str, Tensor]:
    """One row of each column that may be left out, those that are nullable."""
    return {column.name: tf.constant([missing_row(column)], column.dtype) for column in columns if column.nullable}


def plainest_query(schema: Schema) -> dict[str, list]:
    """One query of empty strings, zeros and empty lists."""
    query: dict[str, list] = {}
    for column in schema:
        plain = _plain(column)
        query[column.name] = [[plain] * column.width if column.width else []] if column.is_list else [plain]
    return query


def _plain(column: ColumnSchema) -> Any:
    return "" if column.dtype == "string" else np.zeros((), column.dtype).item()


def one_row_each(inputs: Mapping[str, Tensor], schema: Schema) -> dict[str, Tensor]:
    """The inputs, each column with as many rows.

    Args:
        inputs: name -> `(batch, ...)`; what may be left out, nullable columns and inputs that are no columns, may also
            be `(1, ...)`.
        schema: Schema. The columns.
    """
    required = {column.name for column in schema if not column.nullable}
    names = sorted(inputs, key=lambda name: (name not in required, inputs[name].dtype.name))
    counts = _row_counts([inputs[name] for name in names])
    batch = counts[0] if required else tf.reduce_max(counts)
    fits = (counts == batch) | (counts == [-1 if name in required else 1 for name in names])
    message = ["Each input holds one row a query. Received these numbers of rows:", names, counts]
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(fits), message, summarize=len(names))]):
        return {
            name: _repeated(values, batch) if name in schema and name not in required else tf.identity(values)
            for name, values in inputs.items()
        }


def _row_counts(tensors: Sequence[Tensor]) -> Tensor:
    """How many rows each has; those of one type after another are one node of the graph."""
    groups = itertools.groupby(tensors, lambda tensor: tensor.dtype)
    shapes = [shape for _, group in groups for shape in tf.shape_n(list(group))]
    firsts = np.cumsum([0, *(tensor.shape.rank for tensor in tensors)])[:-1]
    return tf.gather(tf.concat(shapes, axis=0), firsts)


def _repeated(values: Tensor, batch: Tensor) -> Tensor:
    shape = tf.shape(values)
    wanted = tf.concat([[batch], shape[1:]], axis=0)
    return tf.ensure_shape(tf.broadcast_to(values, wanted), [None, *values.shape[1:]])


def to_ragged(features: Mapping[str, Tensor], schema: Schema) -> dict[str, Tensor]:
    """Take the padding (`""`, -1 or NaN) at the end of lists away."""
    ready = dict(features)
    for column in schema:
        if column.is_list and column.width is None:
            ready[column.name] = _without_padding(features[column.name])
    return ready


def _without_padding(values: Tensor) -> tf.RaggedTensor:
    """What `RaggedTensor.from_tensor` gives, in a third of the nodes."""
    padding = PADDING[values.dtype.name]
    there = tf.equal(values, values) if values.dtype.is_floating else tf.not_equal(values, padding)
    inside = tf.cumsum(tf.cast(there, tf.int32), axis=1, reverse=True) > 0  # up to the last value
    places = tf.where(inside)
    rows = tf.shape(values, tf.int64)[0]
    return tf.RaggedTensor.from_value_rowids(tf.gather_nd(values, places), places[:, 0], rows, validate=False)


def to_dense(features: Mapping[str, Any], schema: Schema) -> dict[str, tf.Tensor]:
    """Python values, arrays or tensors of raw columns, of queries or items, as the signature wants them.

    Args:
        features: column name -> a list of one value (or list of values) a row, or a frame of pandas or polars, or
            an Arrow table; columns that are nullable may be left out, and hold `None`.
        schema: Schema. The columns.

    Raises:
        TypeError: `features` is nothing of that.
        ValueError: a column is unknown, missing, of the wrong type, or differs in its number of rows.
    """
    features = _by_name(features)
    if unknown := sorted(set(features) - set(schema.column_names)):
        raise ValueError(f"The model doesn't know the columns {unknown} here. It takes {schema.column_names}.")
    left_out = [column for column in schema if column.name not in features]
    if lacking := [column.name for column in left_out if not column.nullable]:
        raise ValueError(f"The input lacks the columns {lacking}. The model takes {schema.column_names}.")
    dense = {column.name: _dense(features[column.name], column) for column in schema if column.name in features}
    sizes = {name: int(tensor.shape[0]) for name, tensor in dense.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"All columns must hold the same number of rows. Received {sizes}.")
    return missing_values(left_out) | dense


def _by_name(features: Any) -> Mapping[str, Any]:
    if isinstance(features, Mapping):
        return features
    if (table := as_table(features)) is not None:
        return dict(zip(table.column_names, table.columns, strict=True))
    raise TypeError(f"Raw columns come by their names, as a dict or a frame. Received a {type(features).__name__}.")


def _dense(values: Any, column: ColumnSchema) -> tf.Tensor:
    try:
        values = _entries(values, column)
        if isinstance(values, Sequence) and not len(values):
            return tf.zeros([0, *(size or 0 for size in tensor_spec(column).shape[1:])], column.dtype)
        if column.is_list and column.width is None and not isinstance(values, tf.Tensor | np.ndarray):
            values = _padded(values, PADDING[column.dtype])
        given = tf.convert_to_tensor(values, dtype_hint="float64" if column.dtype == "float64" else None)
        tensor = given if given.dtype == column.dtype else tf.cast(given, column.dtype)
        if not tensor_spec(column).shape.is_compatible_with(tensor.shape):
            raise ValueError(f"the shape is {tensor.shape}")
        if column.dtype.startswith("int") and not _same_integers(given, tensor):
            raise TypeError("not integers of that size")
    except (TypeError, ValueError, tf.errors.UnimplementedError, tf.errors.InvalidArgumentError) as error:
        wanted = "a list of lists" if column.is_list else "a list"
        width = f" of {column.width} numbers each" if column.width else ""
        raise ValueError(
            f"Column '{column.name}' takes {wanted}{width} of {column.dtype}, one entry a row. "
            f"Received {values.to_pylist() if isinstance(values, pa.ChunkedArray) else values!r}."
        ) from error
    if tensor.dtype.is_floating:
        _check_numbers(tensor.numpy(), column)
    return tensor


def _check_numbers(values: np.ndarray, column: ColumnSchema) -> None:
    """No infinity, and no NaN in vectors; a single NaN is missing, and in a list of any length NaN is padding."""
    wrong = values[np.isinf(values) if column.width is None else ~np.isfinite(values)]
    if len(wrong):
        raise ValueError(f"Column '{column.name}' takes finite numbers. Received {wrong[0]}.")


def _entries(values: Any, column: ColumnSchema) -> Any:
    """Tensors and arrays as they are, but times, also as text, in seconds since 1970; what is missing, its stand-in."""
    if isinstance(values, pa.ChunkedArray):
        values = _from_arrow(values, column)
    elif isinstance(values, tf.RaggedTensor):
        values = values.to_list()
    elif hasattr(values, "dtype") and not isinstance(values, tf.Tensor):
        values = np.asarray(values)
        if values.dtype.kind == "M":
            values = _seconds(values)
        elif values.dtype.kind in "OU":
            values = values.tolist()
    if Tags.TIME in column.tags and isinstance(values, list | tuple) and any(isinstance(one, str) for one in values):
        values = _from_arrow(pa.chunked_array([values]), column)
    if not column.nullable or not isinstance(values, list | tuple):
        return values
    return [missing_row(column) if _is_missing(row, column) else row for row in values]


def _from_arrow(values: pa.ChunkedArray, column: ColumnSchema) -> Any:
    """As `tfdual.read` takes them.

    Raises:
        ValueError: a value can't become the column's type.
    """
    if column.is_list:
        return values.to_pylist()
    converted, problems = convert(whole(values), ARROW_TYPES[column.dtype], of_time=Tags.TIME in column.tags)
    if problems:
        raise ValueError(f"rows that break a rule: {problems}")
    return converted.to_pylist() if converted.null_count else to_numpy(converted)


def _seconds(times: np.ndarray) -> np.ndarray:
    """As `tfdual.read` takes times: integers where all are whole, else float64; NaN where there is none."""
    whole = times.astype("datetime64[s]")
    if not np.isnat(times).any() and (whole == times).all():
        return whole.astype(np.int64)
    return (times - np.datetime64(0, "s")) / np.timedelta64(1, "s")


def _is_missing(row: Any, column: ColumnSchema) -> bool:
    """`None`, and what pandas has for it in columns of text."""
    return row is None or (column.dtype == "string" and isinstance(row, float) and np.isnan(row))


def _same_integers(given: tf.Tensor, tensor: tf.Tensor) -> bool:
    return given.dtype.is_integer and bool(tf.reduce_all(tf.cast(tensor, given.dtype) == given))


def _padded(rows: Sequence[Sequence[Any]], padding: Any) -> list[list[Any]]:
    if any(isinstance(row, str | bytes) for row in rows):
        raise TypeError("a string is not a list")
    longest = max([1, *(len(row) for row in rows)])
    return [[*row, *[padding] * (longest - len(row))] for row in rows]
