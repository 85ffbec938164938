"""Items in parts that are scanned one after another."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index._block_top_k import WIDTH, block_top_k
from tfdual.index.best_places import Found
from tfdual.index.distances import factor, with_query_bias
from tfdual.index.item_part import ItemPart, PartBuffer
from tfdual.index.query_blocks import by_blocks

ITEMS_AT_ONCE = 1 << 20
SCORES_AT_ONCE = 1 << 26  # 256 MiB
QUERIES_AT_ONCE = (64, 512)  # least and most


class ItemParts:
    """A scan of all items, exact but for the type that they are kept in; of equal scores, the lower position is first.

    Any number of queries is searched in one call: they are taken in blocks, and the items in parts of a million, so
    that memory holds two blocks of scores, 256 MiB each, whatever the corpus.

    Args:
        parts: list of ItemPart, in the order of the positions.
        distance: str.
    """

    def __init__(self, parts: list[ItemPart], distance: str) -> None:
        self.parts = parts
        self.size = sum(part.items for part in parts)
        self.dim = parts[0].dim
        self._distance = distance
        queries, k = tf.TensorSpec([None, self.dim], tf.float32), tf.TensorSpec([], tf.int32)
        allowed = tf.TensorSpec([None, self.size], tf.bool)
        scan = partial(_scan, parts, distance)
        # Functions, so that they are traced once for one block of queries and for many.
        self._scan_all = tf.function(scan, input_signature=[queries, k], autograph=False)
        self._scan_some = tf.function(scan, input_signature=[queries, k, allowed], autograph=False)

    @classmethod
    def of(cls, blocks: Iterable[np.ndarray], count: int | None, dtype: str, distance: str) -> "ItemParts":
        """Take blocks of rows, `(rows, dim)`; beside what is made, no more than one part is ever held.

        Args:
            blocks: float32, prepared for the distance.
            count: int. All rows, where known: then the parts are equally large.
            dtype: `"float32"`, `"bfloat16"` or `"int8"`.
            distance: str.
        """
        columns = ITEMS_AT_ONCE
        if count is not None:
            columns = -(-count // (-(-count // ITEMS_AT_ONCE) * WIDTH)) * WIDTH
        buffer, parts = PartBuffer(columns, dtype, distance), []
        for block in blocks:
            while len(block):
                taken = buffer.take(block)
                block = block[taken:]
                if buffer.full:
                    parts.append(buffer.part())
        if buffer.items:
            parts.append(buffer.part())
        return cls(parts, distance)

    def replace(self, blocks: Iterable[np.ndarray], dtype: str) -> None:
        """Take other values of as many rows in place of these, once all are there.

        Args:
            blocks: float32, prepared for the distance.
            dtype: str. The type that these are kept in.
        """
        made: list[ItemPart] = []
        buffer = PartBuffer(self.parts[0].columns, dtype, self._distance)
        for block in blocks:
            while len(block):
                taken = buffer.take(block)
                block = block[taken:]
                if buffer.items == self.parts[len(made)].items:
                    made.append(buffer.part())
        for part, other in zip(self.parts, made, strict=True):
            part.assign(other)

    def search(self, queries: Tensor, k: Tensor, allowed: Tensor | None) -> Found:
        """Positions and scores of the best `k`, at most all, of each query.

        Args:
            queries: float32 `(batch, dim)`, prepared.
            k: int32 scalar.
            allowed: bool `(1, items)` or `(batch, items)`. What may be found. None: all.
        """
        least, most = QUERIES_AT_ONCE
        at_once = min(max(SCORES_AT_ONCE // max(part.columns for part in self.parts), least), most)
        if allowed is None:
            return by_blocks(lambda queries: self._scan_all(queries, k), [queries], k, at_once)
        return tf.cond(
            tf.shape(allowed)[0] == 1,
            lambda: by_blocks(lambda queries: self._scan_some(queries, k, allowed), [queries], k, at_once),
            lambda: by_blocks(lambda *block: self._scan_some(block[0], k, block[1]), [queries, allowed], k, at_once),
        )

    def rows(self) -> Iterator[np.ndarray]:
        """The items again, block by block, as they are kept."""
        for part in self.parts:
            yield from part.rows()

    @property
    def variables(self) -> list[Any]:
        """All that is kept."""
        return [variable for part in self.parts for variable in part.variables]

    def save(self, folder: Path) -> None:
        """Write a few files a part."""
        for number, part in enumerate(self.parts):
            part.save(folder, number)

    @classmethod
    def load(cls, folder: Path, distance: str) -> "ItemParts":
        """What `save` wrote."""
        count = len(list(folder.glob("part-*.npz")))
        return cls([ItemPart.load(folder, number) for number in range(count)], distance)


def _scan(parts: list[ItemPart], distance: str, queries: Tensor, k: Tensor, allowed: Tensor | None = None) -> Found:
    """Of one block of queries: part by part."""
    scaled = factor(distance) * queries if distance == "l2" else queries
    start, best = 0, None
    for part in parts:
        with tf.control_dependencies([] if best is None else [best[1]]):  # one part of scores at a time
            scores = part.scores(scaled)  # (block_rows, columns)
        if allowed is not None:
            allowed_here = tf.pad(allowed[:, start : start + part.items], [[0, 0], [0, part.columns - part.items]])
            scores = tf.where(allowed_here, scores, -float("inf"))
        values, columns = block_top_k(scores, tf.minimum(k, part.items), part.items)
        found = columns + start, values
        start += part.items
        best = found if best is None else _merged(best, found, tf.minimum(k, start))
    positions, scores = best  # type: ignore[misc]
    if allowed is not None:
        positions = tf.where(tf.equal(scores, -float("inf")), -1, positions)
    return positions, with_query_bias(scores, queries, distance)


def _merged(first: Found, second: Found, k: Tensor) -> Found:
    """Two lists of ascending positions among equal scores, all of the first below all of the second."""
    positions, scores = (tf.concat(pair, axis=1) for pair in zip(first, second, strict=True))
    scores, places = tf.math.top_k(scores, k)
    return tf.gather(positions, places, batch_dims=1), scores
