"""Vectors made elsewhere, put where a table has their ids."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfdual.features.vector_files import check_matrix, positions, read_vectors


def pretrained_rows(
    data: Any, ids: Sequence | np.ndarray | None, cardinality: int | None, id_column: str, vector_column: str
) -> np.ndarray:
    """The rows of a table, float32 `(cardinality, dim)`; arguments as of `EmbeddingTable.from_pretrained`.

    Raises:
        ValueError: vectors of differing width, NaN, an id twice or outside the table, none of the `ids` there.
        TypeError: data of another type.
    """
    if isinstance(data, np.ndarray):
        if ids is not None:
            raise ValueError("Row i of a matrix is of id i: leave `ids` out, or pass a frame with a column of ids.")
        check_matrix(data)
        return _placed(data, np.arange(len(data)), cardinality or len(data))
    keys, matrix = read_vectors(data, id_column, vector_column)
    if ids is None:
        rows = _own_rows(keys)
        return _placed(matrix, rows, cardinality or int(rows.max()) + 1)
    unknown = np.flatnonzero(keys.is_null().to_numpy(zero_copy_only=False))
    cardinality = cardinality or len(ids) + max(1, len(unknown))
    first = cardinality - len(ids)
    if len(unknown) > first:
        raise ValueError(
            f"A table of {cardinality} rows and {len(ids)} ids has {first} rows for unknown values. The data has "
            f"{len(unknown)} vectors without an id. Raise `cardinality`."
        )
    found = positions(ids, keys)
    known = np.flatnonzero(found >= 0)
    sources = np.concatenate([unknown, found[known]])
    return _placed(matrix[sources], np.concatenate([np.arange(len(unknown)), first + known]), cardinality)


def _own_rows(keys: pa.Array) -> np.ndarray:
    """The rows of ids that are the table's own; a missing id is row 0."""
    if not pa.types.is_integer(keys.type):
        raise ValueError(
            "The data's ids are strings: pass `ids`, the raw values of the table's rows, e.g. "
            '`preprocessor.vocabulary("item_id")`.'
        )
    rows = pc.fill_null(keys, 0).to_numpy(zero_copy_only=False)
    if (rows == 0).sum() > 1:
        raise ValueError("Row 0 has one vector. The data has several, of id 0 or without an id.")
    return rows


def _placed(matrix: np.ndarray, rows: np.ndarray, cardinality: int) -> np.ndarray:
    if outside := rows[(rows < 0) | (rows >= cardinality)][:5].tolist():
        raise ValueError(f"The table has {cardinality} rows, 0 .. {cardinality - 1}. The data has the ids {outside}.")
    unknown = matrix[rows == 0].sum(axis=0)  # zeros where no vector is of row 0
    values = np.tile(unknown.astype(np.float32), (cardinality, 1))
    values[rows] = matrix
    return values
