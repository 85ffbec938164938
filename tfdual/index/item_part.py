"""One part of the items: as columns, in float32, bfloat16, int8 or binary."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index._block_top_k import WIDTH
from tfdual.index.distances import item_bias
from tfdual.index.embedding_blocks import ROWS_AT_ONCE
from tfdual.index.signs import packed, unpacked

DTYPES: dict[str, Any] = {
    "float32": np.float32,
    "bfloat16": tf.bfloat16.as_numpy_dtype,
    "int8": np.int8,
    "binary": np.uint8,
}
SCALED = ("int8", "binary")
LARGEST = 127


class ItemPart:
    """Columns of items, `(dim, columns)`, which a product reads twice as fast as rows; the last item fills the rest.

    Args:
        values: `(dim, columns)`, float32, bfloat16 or int8; or uint8 `(bytes, columns)`, the signs of the numbers.
        scale: float32 `(columns,)`, what the int8 values or the signs of an item are to be multiplied by; None for
            other types.
        bias: float32 `(columns,)`, added to the scores; None: nothing.
        items: int. The columns that count.
        dim: int. How many numbers an item has.
    """

    def __init__(
        self, values: np.ndarray, scale: np.ndarray | None, bias: np.ndarray | None, items: int, dim: int
    ) -> None:
        self.items, self.dim, self.columns = items, dim, values.shape[1]
        self._values: Any = tf.Variable(values, trainable=False)
        self._scale, self._bias = (
            None if array is None else tf.Variable(array, trainable=False) for array in (scale, bias)
        )

    def assign(self, other: "ItemPart") -> None:
        """Take the values of a part of the same shape."""
        for mine, theirs in zip(self.variables, other.variables, strict=True):
            mine.assign(theirs)

    def scores(self, queries: Tensor) -> Tensor:
        """Of float32 queries `(rows, dim)`: `(rows, columns)`."""
        scores = tf.matmul(queries, self._numbers(self._values))
        if self._scale is not None:
            scores *= self._scale
        return scores if self._bias is None else scores + self._bias

    def _numbers(self, values: Tensor) -> Tensor:
        """Some columns in float32, before they are scaled."""
        return unpacked(values, self.dim) if values.dtype == tf.uint8 else tf.cast(values, tf.float32)

    def rows(self) -> Iterator[np.ndarray]:
        """The items as float32 rows, block by block."""
        for start in range(0, self.items, ROWS_AT_ONCE):
            end = min(start + ROWS_AT_ONCE, self.items)
            block = self._numbers(self._values[:, start:end])
            if self._scale is not None:
                block *= self._scale[start:end]
            yield np.ascontiguousarray(tf.transpose(block).numpy())

    @property
    def variables(self) -> list[Any]:
        """Those that there are."""
        return [variable for variable in (self._values, self._scale, self._bias) if variable is not None]

    def save(self, folder: Path, number: int) -> None:
        """Write `part-<number>.npz`."""
        values = self._values.numpy()
        held = {"values": values.view(np.uint16) if values.dtype == DTYPES["bfloat16"] else values}
        for name, variable in (("scale", self._scale), ("bias", self._bias)):
            if variable is not None:
                held[name] = variable.numpy()
        if self._values.dtype == tf.uint8:
            held["dim"] = np.int64(self.dim)
        np.savez(folder / f"part-{number}.npz", items=np.int64(self.items), **held)

    @classmethod
    def load(cls, folder: Path, number: int) -> "ItemPart":
        """What `save` wrote."""
        with np.load(folder / f"part-{number}.npz") as held:
            values = held["values"]
            if values.dtype == np.uint16:
                values = values.view(DTYPES["bfloat16"])
            dim = int(held["dim"]) if "dim" in held else len(values)
            return cls(values, held.get("scale"), held.get("bias"), int(held["items"]), dim)


class PartBuffer:
    """A part that is being filled.

    Args:
        columns: int. A multiple of the block width.
        dtype: str.
        distance: str.
    """

    def __init__(self, columns: int, dtype: str, distance: str) -> None:
        self._columns, self._dtype, self._distance = columns, dtype, distance
        self.items, self._dim = 0, 0
        self._values: np.ndarray | None = None
        self._scale, self._bias = np.empty(columns, np.float32), np.empty(columns, np.float32)

    @property
    def full(self) -> bool:
        """Whether nothing more fits."""
        return self.items == self._columns

    def take(self, rows: np.ndarray) -> int:
        """Take as many rows as fit, and say how many."""
        if self._values is None:
            self._dim = rows.shape[1]
            height = -(-self._dim // 8) if self._dtype == "binary" else self._dim
            self._values = np.empty((height, self._columns), DTYPES[self._dtype])
        rows = rows[: self._columns - self.items]
        end = self.items + len(rows)
        if (bias := item_bias(rows, self._distance)) is not None:
            self._bias[self.items : end] = bias
        if self._dtype == "int8":
            scale = np.maximum(np.abs(rows).max(axis=1) / LARGEST, np.finfo(np.float32).tiny)
            self._scale[self.items : end] = scale
            rows = np.rint(rows / scale[:, None])
        elif self._dtype == "binary":
            self._scale[self.items : end] = np.abs(rows).mean(axis=1)
            rows = packed(rows)
        self._values[:, self.items : end] = rows.T
        self.items = end
        return len(rows)

    def part(self) -> ItemPart:
        """The part, with as few columns as do; the buffer is empty again."""
        assert self._values is not None
        columns = -(-self.items // WIDTH) * WIDTH
        scale = self._cut(self._scale, columns) if self._dtype in SCALED else None
        bias = self._cut(self._bias, columns) if self._distance == "l2" else None
        part = ItemPart(self._cut(self._values, columns), scale, bias, self.items, self._dim)
        self.items = 0
        return part

    def _cut(self, array: np.ndarray, columns: int) -> np.ndarray:
        array[..., self.items : columns] = array[..., self.items - 1 : self.items]
        return np.ascontiguousarray(array[..., :columns])
