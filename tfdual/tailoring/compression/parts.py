"""Frozen vectors as they come in: one matrix a part, checked before any work starts."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfdual.index.id_positions import IdPositions
from tfdual.index.item_ids import id_array
from tfdual.tailoring.compression.unit_vectors import SHORTEST

ROWS_AT_ONCE = 1 << 13


def checked_parts(
    vectors: Any, widths: Mapping[str, int] | None = None, what: str = "vectors"
) -> dict[str, np.ndarray]:
    """The parts as float32 matrices, in the order of their names.

    Args:
        vectors: mapping of part name -> `(rows, width)`.
        widths: mapping of part name -> int. What they must be. Defaults to `None`: anything.
        what: str. What the message calls them. Defaults to `"vectors"`.

    Raises:
        TypeError: no mapping, or no numbers.
        ValueError: no part or no row; other parts or widths than wanted; parts of different numbers of rows; vectors
            of different widths in one part; NaN, infinity, or a row of zeros.
    """
    if not isinstance(vectors, Mapping):
        raise TypeError(
            f"The {what} are a mapping of part name -> (rows, width), such as {{'title': x, 'body': y}}. Received a "
            f"{type(vectors).__name__}."
        )
    if not vectors:
        raise ValueError(f"The {what} have at least one part. Received an empty mapping.")
    parts = {str(name): _matrix(vectors[name], f"the part '{name}' of the {what}") for name in sorted(vectors)}
    found = {name: part.shape[1] for name, part in parts.items()}
    if widths is not None and found != dict(widths):
        raise ValueError(f"The {what} have parts of the widths {dict(widths)}. Received {found}.")
    rows = {name: len(part) for name, part in parts.items()}
    if len(set(rows.values())) != 1:
        raise ValueError(f"Row i of each part is of one and the same item. The {what} have parts of {rows} rows.")
    for name, part in parts.items():
        _refuse_rows(part, f"the part '{name}' of the {what}")
    return parts


def _matrix(values: Any, what: str) -> np.ndarray:
    lengths = {len(row) for row in values if hasattr(row, "__len__")} if isinstance(values, list | tuple) else set()
    if len(lengths) > 1:
        raise ValueError(f"All vectors of a part have one width. In {what} they have {sorted(lengths)[:5]}.")
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"Vectors are rows of numbers of one width. Received {array.dtype} in {what}.")
    if array.ndim != 2 or not array.size:
        raise ValueError(f"A part is a matrix (rows, width) of at least one row. Received {array.shape} in {what}.")
    return array.astype(np.float32, copy=False)


def _refuse_rows(part: np.ndarray, what: str) -> None:
    for start in range(0, len(part), ROWS_AT_ONCE):
        block = part[start : start + ROWS_AT_ONCE]
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise ValueError(f"Row {row} of {what} holds NaN or infinity. Embed it again, or leave it out.")
        if not (some := (np.abs(block) >= SHORTEST).any(axis=1)).all():
            row = start + int(np.argmin(some))
            raise ValueError(
                f"Row {row} of {what} is all zeros, or below {SHORTEST:.0e}, which has no direction. Leave the item "
                "out."
            )


def checked_ids(ids: Any, rows: int) -> np.ndarray:
    """The ids, int64 or bytes, one a row and all different.

    Raises:
        ValueError: another number, one is missing or stands twice.
        TypeError: neither integers nor strings.
    """
    found = id_array(ids)
    if len(found) != rows:
        raise ValueError(f"Each item needs one id. Received {rows} rows of vectors and {len(found)} ids.")
    IdPositions(found)  # refuses one that stands twice
    return found


def checked_width(width: int | None, widths: tuple[int, ...]) -> int:
    """The width to cut vectors to.

    Raises:
        ValueError: it is not one of the nested widths.
    """
    if width is not None and width not in widths:
        raise ValueError(f"The vectors can be cut to the widths {list(widths)}. Received {width}.")
    return width or widths[-1]


def concatenated(parts: Mapping[str, np.ndarray], weights: Mapping[str, float] | None = None) -> Iterator[np.ndarray]:
    """The parts side by side in the order of their names, block by block: `(rows, all widths)`.

    Args:
        parts: mapping of part name -> `(rows, width)`.
        weights: mapping of part name -> float. The length of each. Defaults to `None`: all 1.
    """
    names = sorted(parts)
    lengths = [1.0 if weights is None else weights[name] for name in names]
    for start in range(0, len(parts[names[0]]), ROWS_AT_ONCE):
        blocks = (unit(parts[name][start : start + ROWS_AT_ONCE]) for name in names)
        yield np.concatenate(
            [np.float32(length) * block for length, block in zip(lengths, blocks, strict=True)], axis=1
        )


def stacked(parts: Mapping[str, np.ndarray], below: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rows of both."""
    return {name: np.concatenate([part, below[name]]) for name, part in parts.items()}


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows at length 1, float32; a row of zeros stays."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
