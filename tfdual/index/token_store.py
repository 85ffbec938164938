"""The tokens of all items, one after another, and where each item begins."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.kept_rows import rows_at
from tfdual.index.token_blocks import Block
from tfdual.index.token_codecs import TokenCodec

TOKENS_AT_ONCE = 1 << 15
WRITTEN_AT_ONCE = 1 << 18
FILE, WRITTEN, SHARED = "tokens.npz", "written_", "shared_"


class TokenStore:
    """Tokens in variables of a graph, read as float32.

    Args:
        codec: TokenCodec.
        written: name -> array with a row for each token.
        splits: int32 `(items + 1,)`. The first token of each item, and the number of all.
        dim: int.
    """

    def __init__(self, codec: TokenCodec, written: dict[str, np.ndarray], splits: np.ndarray, dim: int) -> None:
        self._codec, self.dim = codec, dim
        self.items, self.tokens = len(splits) - 1, int(splits[-1])
        self.longest = int(np.diff(splits).max())
        self._written = {name: tf.Variable(array, trainable=False) for name, array in written.items()}
        self._shared = {name: tf.Variable(array, trainable=False) for name, array in codec.shared.items()}
        self.splits = tf.Variable(splits, trainable=False)
        self.bounds = _bounds(splits)

    @classmethod
    def of(cls, codec: TokenCodec, blocks: Iterable[Block], dim: int) -> "TokenStore":
        """Write blocks of tokens; what has to learn from them first holds them all."""
        lengths: list[np.ndarray] = []
        parts: list[Any] = []
        for rows, counts in blocks:
            lengths.append(counts)
            parts.append(rows if codec.learns else codec.write(rows))
        splits = np.concatenate([[0], np.cumsum(np.concatenate(lengths), dtype=np.int64)])
        if splits[-1] > np.iinfo(np.int32).max:
            raise ValueError(f"A MaxSimIndex holds up to 2^31 tokens. Received {splits[-1]}. Split the corpus.")
        if codec.learns:
            rows = np.concatenate(parts)
            codec.learn(rows, len(rows))
            parts = [codec.write(rows[at : at + WRITTEN_AT_ONCE]) for at in range(0, len(rows), WRITTEN_AT_ONCE)]
        written = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return cls(codec, written, splits.astype(np.int32), dim)

    def between(self, start: Tensor, end: Tensor) -> Tensor:
        """The tokens from `start` to `end`, `(tokens, dim)`."""
        return self._codec.read(self._written_between(start, end), self._shared_now(), self.dim)

    def products_between(self, start: Tensor, end: Tensor, columns: Tensor) -> Tensor:
        """Of these tokens with columns `(dim, columns)`, `(tokens, columns)`."""
        return self._codec.products(self._written_between(start, end), self._shared_now(), columns)

    def products_at(self, places: Tensor, columns: Tensor) -> Tensor:
        """Of the tokens at places `(tokens,)`, `(tokens, columns)`."""
        written = {name: rows_at(values, places) for name, values in self._written.items()}
        return self._codec.products(written, self._shared_now(), columns)

    def _written_between(self, start: Tensor, end: Tensor) -> dict[str, Tensor]:
        return {name: values[start:end] for name, values in self._written.items()}

    def _shared_now(self) -> dict[str, Tensor]:
        return {name: values.value() for name, values in self._shared.items()}

    def item_of(self, places: Tensor) -> Tensor:
        """Which item the tokens at places of any shape are of; int32."""
        flat = tf.reshape(places, [-1])
        return tf.reshape(tf.searchsorted(self.splits, flat, side="right") - 1, tf.shape(places))

    def rows(self) -> Iterator[np.ndarray]:
        """All tokens, block by block."""
        for start in range(0, self.tokens, TOKENS_AT_ONCE):
            yield self.between(start, min(start + TOKENS_AT_ONCE, self.tokens)).numpy()

    def item_blocks(self) -> Iterator[np.ndarray]:
        """The items, `(items, tokens, dim)` with zeros as padding, block by block."""
        splits = self.splits.numpy()
        for first, last in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            rows = self.between(splits[first], splits[last])
            lists = tf.RaggedTensor.from_row_splits(rows, splits[first : last + 1] - splits[first])
            yield lists.to_tensor().numpy()

    @property
    def variables(self) -> list[tf.Variable]:
        """All that is kept."""
        return [*self._written.values(), *self._shared.values(), self.splits]

    @property
    def bytes(self) -> int:
        """How large it is."""
        return sum(variable.dtype.size * int(np.prod(variable.shape)) for variable in self.variables)

    def save(self, folder: Path) -> None:
        """Write one file."""
        written = {f"{WRITTEN}{name}": values.numpy() for name, values in self._written.items()}
        shared = {f"{SHARED}{name}": values.numpy() for name, values in self._shared.items()}
        np.savez(folder / FILE, splits=self.splits.numpy(), dim=np.int64(self.dim), **written, **shared)

    @classmethod
    def load(cls, codec: TokenCodec, folder: Path) -> "TokenStore":
        """What `save` wrote."""
        with np.load(folder / FILE) as held:
            written = {name: held[f"{WRITTEN}{name}"] for name in codec.names}
            codec.shared = {name[len(SHARED) :]: held[name] for name in held.files if name.startswith(SHARED)}
            return cls(codec, written, held["splits"], int(held["dim"]))


def _bounds(splits: np.ndarray) -> np.ndarray:
    """The first item of each block of about `TOKENS_AT_ONCE` tokens, and the number of items; int32."""
    bounds, first, items = [0], 0, len(splits) - 1
    while first < items:
        last = int(np.searchsorted(splits, splits[first] + TOKENS_AT_ONCE, side="right")) - 1
        first = min(max(last, first + 1), items)
        bounds.append(first)
    return np.array(bounds, np.int32)
