"""Vectors with ids, in frames and Parquet files."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfdual._aside import made_aside
from tfdual._optional import is_frame, require

ID, EMBEDDING = "id", "embedding"


def to_arrow(matrix: np.ndarray, ids: Sequence | np.ndarray | None) -> pa.Table:
    """A table of `id` and `embedding`. `ids` names the last rows; the rows before them have none.

    Raises:
        ValueError: more ids than rows.
    """
    rows, dim = matrix.shape
    keys = pa.array(np.arange(rows)) if ids is None else _keys(ids)
    if len(keys) > rows:
        raise ValueError(f"The table has {rows} rows. Received {len(keys)} ids; give at most one a row.")
    keys = pa.concat_arrays([pa.nulls(rows - len(keys), keys.type), keys])
    flat = pa.array(np.ascontiguousarray(matrix, np.float32).reshape(-1))
    return pa.table({ID: keys, EMBEDDING: pa.FixedSizeListArray.from_arrays(flat, dim)})


def to_pandas(table: pa.Table) -> Any:
    """The same as a pandas frame; integers with a gap as pandas' `Int64`, which stays exact."""
    pandas = require("pandas", extra="frames")
    frame = table.to_pandas()
    if table[ID].null_count and pa.types.is_integer(table[ID].type):
        frame[ID] = table.select([ID]).to_pandas(types_mapper={pa.int64(): pandas.Int64Dtype()}.get)[ID]
    return frame


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a Parquet file aside, and rename it."""
    aside = path.parent / f".writing-{path.name}-{os.getpid()}"
    with made_aside(aside):
        pq.write_table(table, aside / path.name)
        os.replace(aside / path.name, path)
        aside.rmdir()


def read_vectors(data: Any, id_column: str, vector_column: str) -> tuple[pa.Array, np.ndarray]:
    """Ids, as int64, binary, or null, and their vectors `(rows, dim)`, of a frame, an Arrow table or a Parquet file.

    Raises:
        TypeError: `data` is of another type, or a column is.
        ValueError: a column is missing, there is no row, vectors differ in width or hold NaN, an id stands twice.
    """
    table = _table(data, [id_column, vector_column])
    if missing := [name for name in (id_column, vector_column) if name not in table.column_names]:
        raise ValueError(
            f"The data lacks the columns {missing}. It has {table.column_names}. Say which hold ids and vectors: "
            "id_column=..., vector_column=..."
        )
    if not table.num_rows:
        raise ValueError("The data holds no vector.")
    keys = _keys(_whole(table[id_column]))
    counts = pc.value_counts(keys.drop_null())
    if len(twice := counts.filter(pc.greater(counts.field("counts"), 1))):
        raise ValueError(f"Each id has one vector. These stand several times: {twice.field('values')[:5].to_pylist()}.")
    matrix = _matrix(_whole(table[vector_column]), vector_column)
    check_matrix(matrix)
    return keys, matrix


def check_matrix(matrix: np.ndarray) -> None:
    """Refuse what is no matrix of numbers.

    Raises:
        ValueError: another shape, no row, NaN or infinity.
    """
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(f"Vectors are a matrix (ids, dim) of at least one row. Received the shape {matrix.shape}.")
    if not np.isfinite(matrix).all():
        row = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
        raise ValueError(f"Vectors must be finite. The vector of row {row} holds NaN or infinity.")


def positions(ids: Sequence | np.ndarray, keys: pa.Array) -> np.ndarray:
    """The row of each id among `keys`, -1 for one that isn't there.

    Raises:
        ValueError: none is there.
    """
    wanted = _keys(ids)
    found = pc.index_in(wanted, value_set=keys) if wanted.type == keys.type else pa.nulls(len(wanted), pa.int32())
    if found.null_count == len(found):
        raise ValueError(
            f"None of the {len(wanted)} ids, of the type {wanted.type}, has a vector. The data's ids are of the type "
            f"{keys.type}: {keys[:3].to_pylist()}, ..."
        )
    return pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)


def _table(data: Any, columns: list[str]) -> pa.Table:
    if isinstance(data, str | os.PathLike):
        known = pq.read_schema(data).names
        return pq.read_table(data, columns=[name for name in columns if name in known] or known)
    if isinstance(data, pa.Table):
        return data
    if is_frame(data, "pandas"):
        found = [name for name in columns if name in data.columns]
        return pa.Table.from_pandas(data[found] if len(found) == len(columns) else data, preserve_index=False)
    if is_frame(data, "polars"):
        return data.to_arrow()
    raise TypeError(
        "Vectors come as a NumPy matrix, a pandas or polars frame, a pyarrow table, or the path of a Parquet file. "
        f"Received {type(data).__name__}."
    )


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _keys(ids: Any) -> pa.Array:
    """Ids as int64 or binary; text as its UTF-8 bytes, since a vocabulary gives bytes."""
    keys = ids if isinstance(ids, pa.Array) else pa.array(ids)
    if pa.types.is_integer(keys.type):
        return keys.cast(pa.int64())
    if any(is_text(keys.type) for is_text in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
        return keys.cast(pa.string()).cast(pa.binary())
    if any(is_bytes(keys.type) for is_bytes in (pa.types.is_binary, pa.types.is_large_binary)):
        return keys.cast(pa.binary())
    raise TypeError(f"Ids are integers or strings. Received the type {keys.type}.")


def _matrix(column: pa.Array, name: str) -> np.ndarray:
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise TypeError(f"The column '{name}' must hold lists of numbers. Received the type {column.type}.")
    values = column.flatten()
    if column.null_count or values.null_count:
        raise ValueError(f"The column '{name}' has gaps: a vector or a number is missing.")
    widths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(widths) != 1:
        raise ValueError(f"The vectors of '{name}' must have one width. Received the widths {sorted(widths)[:5]}.")
    return values.to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, widths[0])
