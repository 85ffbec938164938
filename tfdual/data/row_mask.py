"""Which rows of a source are in use: one bit a row."""

from collections.abc import Iterable, Iterator

import numpy as np

_CHUNK_ROWS = 1 << 20


class RowMask:
    """A set of row positions, an eighth of a byte each.

    Args:
        chunks: iterable of bool arrays, in the order of the rows.

    Example:
        >>> mask = RowMask([np.array([True, False]), np.array([True])])
        >>> len(mask), mask.count(), mask.between(1, 3).tolist()
        (3, 2, [False, True])
    """

    def __init__(self, chunks: Iterable[np.ndarray]) -> None:
        (self._bits,), self._length = _packed((chunk[None] for chunk in chunks), 1)

    @classmethod
    def ranges(cls, length: int, ranges: Iterable[tuple[int, int]]) -> "RowMask":
        """The rows of some ranges (start, stop) of `length` rows."""
        kept = list(ranges)

        def chunks() -> Iterator[np.ndarray]:
            for first in range(0, length, _CHUNK_ROWS):
                chunk = np.zeros(min(_CHUNK_ROWS, length - first), bool)
                for start, stop in kept:
                    chunk[max(0, start - first) : max(0, stop - first)] = True
                yield chunk

        return cls(chunks())

    @classmethod
    def parts(cls, assigned: Iterable[np.ndarray], count: int) -> "list[RowMask]":
        """A mask for each of `count` parts.

        Args:
            assigned: arrays of the part of every row, in the order of the rows.
            count: int. How many parts.
        """
        numbers = np.arange(count)[:, None]
        packed, length = _packed((chunk == numbers for chunk in assigned), count)
        masks = []
        for bits in packed:
            mask = cls([])
            mask._bits, mask._length = bits, length
            masks.append(mask)
        return masks

    def inside(self, outer: "RowMask") -> "RowMask":
        """This mask, one entry for each row in use of `outer`, as a mask of all rows of `outer`."""

        def chunks() -> Iterator[np.ndarray]:
            used = 0
            for first in range(0, len(outer), _CHUNK_ROWS):
                chunk = outer.between(first, min(first + _CHUNK_ROWS, len(outer)))
                count = int(chunk.sum())
                chunk[chunk] = self.between(used, used + count)
                used += count
                yield chunk

        return RowMask(chunks())

    def __len__(self) -> int:
        return self._length

    def between(self, start: int, stop: int) -> np.ndarray:
        """The rows `start .. stop - 1`, as bools."""
        first = start // 8
        bits = np.unpackbits(self._bits[first : -(-stop // 8)])
        return bits[start - first * 8 : stop - first * 8].astype(bool)

    def count(self, start: int = 0, stop: int | None = None) -> int:
        """Rows in use among `start .. stop - 1`."""
        stop = self._length if stop is None else stop
        return sum(int(self.between(i, min(i + _CHUNK_ROWS, stop)).sum()) for i in range(start, stop, _CHUNK_ROWS))


def _packed(chunks: Iterable[np.ndarray], count: int) -> tuple[np.ndarray, int]:
    """Bool arrays (count, rows) as bits (count, bytes), and the number of rows."""
    packed: list[np.ndarray] = []
    rest = np.zeros((count, 0), bool)
    length = 0
    for chunk in chunks:
        length += chunk.shape[1]
        bits = np.concatenate([rest, chunk], axis=1)
        whole = bits.shape[1] // 8 * 8
        packed.append(np.packbits(bits[:, :whole], axis=1))
        rest = bits[:, whole:]
    packed.append(np.packbits(rest, axis=1))
    return np.concatenate(packed, axis=1), length
