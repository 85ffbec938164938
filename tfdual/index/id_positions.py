"""Ids to positions and back, inside a graph, for tens of millions of items."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.item_ids import PADDING, kind_of, shown

BUCKETS = 2**63 - 1
LAST = np.iinfo(np.int64).max
HASHED_AT_ONCE = 1 << 20


class IdPositions:
    """Sorted keys of the ids and a binary search, so that no table is baked into a graph, and none needs initialising.

    An int64 id is its own key; a string's key is its hash, and the id that is found is compared. All arrays end with
    one place that stands for no item.

    Args:
        ids: int64 or object of bytes, `(items,)`, all different.
        grows: bool. Whether `replace` is going to be called. Defaults to `False`.

    Raises:
        ValueError: an id stands twice; two strings have one hash (at ten million ids, once in 200,000 corpora).
    """

    def __init__(self, ids: np.ndarray, grows: bool = False) -> None:
        self.kind = kind_of(ids)
        shape = [None if grows else len(ids) + 1]
        values = _arrays(ids)
        self._ids, self._keys, self._order = (tf.Variable(part, trainable=False, shape=shape) for part in values)
        self.count = len(ids)

    def replace(self, ids: np.ndarray) -> None:
        """Take these ids instead."""
        for variable, part in zip(self.variables, _arrays(ids), strict=True):
            variable.assign(part)
        self.count = len(ids)

    def positions(self, ids: Tensor) -> Tensor:
        """int32 positions of ids of any shape; -1 for ids of no item."""
        flat = tf.reshape(ids, [-1])
        places = tf.searchsorted(self._keys, _keys(flat))
        positions = tf.gather(self._order, places)
        found = tf.gather(self._ids, self._places(positions))
        same = tf.logical_and(positions >= 0, tf.equal(found, flat))
        return tf.reshape(tf.where(same, positions, -1), tf.shape(ids))

    def ids(self, positions: Tensor) -> Tensor:
        """The ids at positions of any shape; -1 or `""` where the position is outside."""
        return tf.gather(self._ids, self._places(positions))

    def _places(self, positions: Tensor) -> Tensor:
        last = tf.shape(self._ids)[0] - 1
        return tf.where(tf.logical_and(positions >= 0, positions < last), positions, last)

    def numpy(self) -> np.ndarray:
        """The ids in the order of their positions."""
        return self._ids.numpy()[:-1]

    @property
    def variables(self) -> list[tf.Variable]:
        """Ids, keys and order."""
        return [self._ids, self._keys, self._order]


def _keys(ids: Tensor) -> Tensor:
    return ids if ids.dtype == tf.int64 else tf.strings.to_hash_bucket_fast(ids, BUCKETS)


def _arrays(ids: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    """Ids, sorted keys, and the position of each key."""
    if ids.dtype == np.int64:
        keys = ids
    else:
        starts = range(0, len(ids), HASHED_AT_ONCE)
        parts = [_keys(tf.constant(ids[at : at + HASHED_AT_ONCE], tf.string)).numpy() for at in starts]
        keys = np.concatenate([np.zeros(0, np.int64), *parts])
    order = np.argsort(keys, kind="stable").astype(np.int32)
    keys = keys[order]
    if len(twice := np.flatnonzero(keys[1:] == keys[:-1])):
        first, second = ids[order[twice[0]]], ids[order[twice[0] + 1]]
        if first != second:
            raise ValueError(f"The ids {shown(first)!r} and {shown(second)!r} have one hash. Rename one of them.")
        raise ValueError(f"Ids must differ; {shown(first)!r} stands twice. Leave repeated items out.")
    padded = np.append(ids, np.array([PADDING[kind_of(ids)]], ids.dtype))
    values = padded if ids.dtype == np.int64 else tf.constant(padded, tf.string)
    return values, np.append(keys, LAST), np.append(order, np.int32(-1))
