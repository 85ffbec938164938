"""What every closed-form compression is."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from tfdual.tailoring.compression.parts import ROWS_AT_ONCE, unit

STATE = ("mean", "kernel")


class Projection(ABC):
    """A matrix that makes vectors shorter: `y = (x - mean) W`. The first columns of `W` make shorter vectors yet.

    Args:
        dim: int. Width of the output.

    Raises:
        ValueError: a width below 1.
    """

    def __init__(self, dim: int) -> None:
        if dim < 1:
            raise ValueError(f"{type(self).__name__} needs a width of at least 1. Received {dim}.")
        self.dim = dim
        self.mean, self.kernel = np.zeros(0, np.float32), np.zeros((0, dim), np.float32)

    def fit(self, vectors: Any) -> Self:
        """Find the matrix, and return the projection itself.

        Args:
            vectors: `(rows, width)`, or an iterable of such blocks, which are seen once and need not fit in memory
                together.

        Raises:
            ValueError: no row, NaN or infinity, blocks of different widths, or of a smaller one than `dim`; for
                `PCA`, fewer rows than `dim`.
        """
        self.mean, self.kernel = (np.asarray(part, np.float32) for part in self._fit(_blocks(vectors, self.dim)))
        return self

    def transform(self, vectors: Any, width: int | None = None) -> np.ndarray:
        """The shorter vectors, `(rows, dim)`, float32; or their first `width` numbers.

        Raises:
            ValueError: it is not fitted; vectors that are no numbers, of another width than it was fitted to, or hold
                NaN or infinity; a width over `dim`.
        """
        if not len(self.kernel):
            raise ValueError(f"{type(self).__name__} has no matrix yet. Call `fit(vectors)` first.")
        given = _matrix(vectors)
        if given.shape[1] != len(self.kernel):
            raise ValueError(f"The vectors are (rows, {len(self.kernel)}). Received the shape {given.shape}.")
        if width is not None and not 1 <= width <= self.dim:
            raise ValueError(f"width is from 1 to {self.dim}. Received {width}.")
        rows = given.astype(np.float32)
        _refuse_rows(rows)
        return (rows - self.mean) @ self.kernel[:, :width]

    def encode(self, vectors: Any, width: int | None = None) -> np.ndarray:
        """What `transform` gives, at length 1."""
        return unit(self.transform(vectors, width))

    def save(self, path: str | Path) -> Path:
        """Write the matrix as a NumPy file, for `Projection.load`. What stands at `path` is replaced.

        Raises:
            OSError: it can't be written.
        """
        path = Path(path)
        aside = path.with_name(f".writing-{path.name}-{os.getpid()}.npz")
        try:
            arguments = {name: value for name, value in vars(self).items() if name not in STATE}
            about: dict[str, Any] = {"kind": type(self).__name__, "arguments": json.dumps(arguments)}
            np.savez(aside, mean=self.mean, kernel=self.kernel, **about)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        return path

    @staticmethod
    def load(path: str | Path) -> "Projection":
        """What `save` wrote: a projection of the same class that gives the same vectors.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it holds no projection.
        """
        kinds = {kind.__name__: kind for kind in Projection.__subclasses__()}
        with np.load(path) as held:
            if set(held) != {"kind", "arguments", *STATE} or str(held["kind"]) not in kinds:
                raise ValueError(f"{path} holds no projection. Write one with `projection.save(path)`.")
            projection = kinds[str(held["kind"])](**json.loads(str(held["arguments"])))
            projection.mean, projection.kernel = (held[name] for name in STATE)
        return projection

    @abstractmethod
    def _fit(self, blocks: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Mean `(width,)` and matrix `(width, dim)`, of float64 blocks."""


def _matrix(vectors: Any) -> np.ndarray:
    given = np.asarray(vectors)
    if given.ndim != 2 or given.dtype.kind not in "fiu":
        raise ValueError(f"Vectors are numbers (rows, width), or such blocks. Received {given.dtype} {given.shape}.")
    return given


def _refuse_rows(rows: np.ndarray, before: int = 0) -> None:
    """Refuse NaN and infinity; `before` rows came before these."""
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        row = before + int(np.argmin(finite))
        raise ValueError(f"Row {row} of the vectors holds NaN or infinity. Leave it out.")


def _blocks(vectors: Any, dim: int) -> Iterator[np.ndarray]:
    whole = hasattr(vectors, "shape") or not isinstance(vectors, Iterable)
    width, rows = None, 0
    for matrix in [vectors] if whole else vectors:
        given = _matrix(matrix)
        width = given.shape[1] if width is None else width
        if given.shape[1] != width or width < dim:
            raise ValueError(f"Vectors have one width, {dim} or more. Received {sorted({width, given.shape[1]})}.")
        for start in range(0, len(given), ROWS_AT_ONCE):
            block = given[start : start + ROWS_AT_ONCE].astype(np.float64)
            _refuse_rows(block, rows)
            rows += len(block)
            yield block
    if not rows:
        raise ValueError("A projection is fitted to at least one vector. Received none.")
