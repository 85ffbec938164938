"""Vectors of tokens as they are kept: as they are, in 8 bits, or as the difference to a centroid in few bits."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.token_centroids import assigned, trained_centroids

LARGEST = 127
SAMPLE = 1 << 17  # vectors that centroids and buckets are learned from
UNIT = 1e-3
LOGARITHM, MOST = 1 << 13, (1 << 15) - 1  # parts of 1 that logarithms are rounded to, in 16 bits up to 4
Arrays = dict[str, np.ndarray]


class TokenCodec(ABC):
    """How vectors are written and read again.

    Attributes:
        shared: dict of arrays that all vectors share, learned by `learn`.
    """

    names: ClassVar[tuple[str, ...]] = ("values",)  # of what `write` gives
    learns: ClassVar[bool] = False

    def __init__(self) -> None:
        self.shared: Arrays = {}

    def learn(self, rows: np.ndarray, count: int) -> None:
        """Take in a sample, float32 `(rows, dim)`, of `count` vectors that are going to be written."""
        raise NotImplementedError

    @abstractmethod
    def write(self, rows: np.ndarray) -> Arrays:
        """Arrays with a row for each vector."""

    @abstractmethod
    def unscaled(self, written: dict[str, Tensor], shared: dict[str, Tensor], dim: int) -> Tensor:
        """Float32 `(rows, dim)` of what `write` gave for some of them, before they are multiplied by their scales."""

    def scale(self, written: dict[str, Tensor]) -> Tensor | None:
        """Float32 `(rows,)`. None: all are 1."""
        return None

    def read(self, written: dict[str, Tensor], shared: dict[str, Tensor], dim: int) -> Tensor:
        """Float32 `(rows, dim)`."""
        return self._scaled(self.unscaled(written, shared, dim), written)

    def products(self, written: dict[str, Tensor], shared: dict[str, Tensor], columns: Tensor) -> Tensor:
        """Of the rows with columns `(dim, columns)`, which are mostly fewer than numbers in a row: these are scaled."""
        return self._scaled(tf.matmul(self.unscaled(written, shared, columns.shape[0]), columns), written)

    def _scaled(self, rows: Tensor, written: dict[str, Tensor]) -> Tensor:
        scale = self.scale(written)
        return rows if scale is None else rows * scale[:, None]


class FloatCodec(TokenCodec):
    """As they are."""

    def write(self, rows: np.ndarray) -> Arrays:
        return {"values": rows}

    def unscaled(self, written: dict[str, Tensor], shared: dict[str, Tensor], dim: int) -> Tensor:
        return written["values"]


class Int8Codec(TokenCodec):
    """Whole numbers up to 127, times a scale for each vector."""

    names = ("values", "scale")

    def write(self, rows: np.ndarray) -> Arrays:
        scale = np.abs(rows).max(axis=1) / LARGEST
        return {"values": np.rint(rows / scale[:, None]).astype(np.int8), "scale": scale.astype(np.float32)}

    def unscaled(self, written: dict[str, Tensor], shared: dict[str, Tensor], dim: int) -> Tensor:
        return tf.cast(written["values"], tf.float32)

    def scale(self, written: dict[str, Tensor]) -> Tensor | None:
        return written["scale"]


class ResidualCodec(TokenCodec):
    """The nearest centroid, and what is left of each number as one of a few values; and the scale that makes the sum of
    length 1 again, as a logarithm in 16 bits, where all vectors are; else 1.

    Args:
        bits: int, 1, 2 or 4. Of a number.
        centroids: int. Defaults to `None`: the power of two below four times the root of the number of vectors.

    Reference: Santhanam et al., 2022, "ColBERTv2", arXiv:2112.01488
    """

    names = ("nearest", "left", "scale")
    learns = True

    def __init__(self, bits: int, centroids: int | None) -> None:
        super().__init__()
        self._bits, self._centroids, self._unit = bits, centroids, False

    def learn(self, rows: np.ndarray, count: int) -> None:
        chance = np.random.default_rng(0)
        sample = rows[np.sort(chance.choice(len(rows), min(SAMPLE, len(rows)), replace=False))]
        wanted = self._centroids or 1 << int(np.log2(4 * np.sqrt(count)))
        centroids = trained_centroids(sample, min(wanted, len(sample)), chance)
        left = np.sort((sample - centroids[assigned(sample, centroids)]).reshape(-1))
        values = 1 << self._bits
        self._unit = np.abs(np.linalg.norm(sample, axis=1) - 1).max() < UNIT
        self.shared = {
            "centroids": centroids,
            "bounds": _quantiles(left, np.arange(1, values) / values),
            "values": _quantiles(left, (np.arange(values) + 0.5) / values),
        }

    def write(self, rows: np.ndarray) -> Arrays:
        nearest = assigned(rows, self.shared["centroids"])
        sums = self.shared["centroids"][nearest]
        buckets = np.searchsorted(self.shared["bounds"], rows - sums).astype(np.uint8)
        sums += self.shared["values"][buckets]
        lengths = np.linalg.norm(sums, axis=1) if self._unit else np.ones(len(rows))
        scale = np.clip(-np.log(np.maximum(lengths, UNIT)) * LOGARITHM, -MOST, MOST)
        a_byte = 8 // self._bits
        buckets = np.pad(buckets, [(0, 0), (0, -rows.shape[1] % a_byte)]).reshape(len(rows), -1, a_byte)
        shifts = np.arange(a_byte, dtype=np.uint8) * np.uint8(self._bits)
        packed = np.bitwise_or.reduce(buckets << shifts, axis=2).astype(np.uint8)
        few = len(self.shared["centroids"]) <= 1 << 16
        nearest = nearest.astype(np.uint16 if few else np.int32)
        return {"nearest": nearest, "left": packed, "scale": np.rint(scale).astype(np.int16)}

    def unscaled(self, written: dict[str, Tensor], shared: dict[str, Tensor], dim: int) -> Tensor:
        shifts = np.arange(8 // self._bits, dtype=np.int32) * self._bits
        every_byte = (np.arange(256)[:, None] >> shifts) & ((1 << self._bits) - 1)  # (256, numbers of a byte)
        table = tf.gather(shared["values"], every_byte)
        left = tf.gather(table, tf.cast(written["left"], tf.int32))  # (rows, bytes, numbers of a byte)
        left = tf.reshape(left, [tf.shape(left)[0], left.shape[1] * left.shape[2]])[:, :dim]
        return tf.gather(shared["centroids"], tf.cast(written["nearest"], tf.int32)) + left

    def scale(self, written: dict[str, Tensor]) -> Tensor | None:
        return tf.exp(tf.cast(written["scale"], tf.float32) / LOGARITHM)


def _quantiles(ordered: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Values of a sorted array."""
    return ordered[np.minimum((shares * len(ordered)).astype(int), len(ordered) - 1)].astype(np.float32)


def codec_of(dtype: str, bits: int, centroids: int | None) -> TokenCodec:
    """The codec of that name."""
    made: dict[str, Any] = {"float32": FloatCodec, "int8": Int8Codec}
    return ResidualCodec(bits, centroids) if dtype == "residual" else made[dtype]()
