"""Which items an index holds: those of its build, those that came later, and those that went."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.fresh_items import FreshItems, of_one_length
from tfdual.index.id_positions import IdPositions
from tfdual.index.item_ids import id_array, load_ids, save_ids, shown


class LiveItems:
    """Ids, positions and changes.

    An item has the position that it had in the build, or the next one where it came later; it keeps it when it is
    changed, deleted, and added again. The built row of a changed or deleted item is dead.

    Args:
        ids: int64 or object of bytes, `(items,)`. Those of the build.
        fresh: FreshItems. Holds none yet.
    """

    def __init__(self, ids: np.ndarray, fresh: FreshItems) -> None:
        self._built, self._added = IdPositions(ids), IdPositions(ids[:0], grows=True)
        self.fresh = fresh
        self._alive = tf.Variable(np.ones(len(ids), bool), trainable=False)
        self._dead_count = tf.Variable(0, trainable=False)
        self.built = len(ids)
        spec = tf.TensorSpec([None, None], tf.int32)
        self.ids = tf.function(partial(_ids, self._built, self._added), input_signature=[spec], autograph=False)
        self._dead_before = 0
        self.changes = 0  # how often `put` and `delete` changed something

    @property
    def kind(self) -> str:
        """`"int64"` or `"string"`."""
        return self._built.kind

    @property
    def position_count(self) -> int:
        """How many positions were ever given."""
        return self.built + self._added.count

    @property
    def live(self) -> int:
        """How many items can be found."""
        return self.built - self._dead_before + self.fresh.size

    @property
    def live_in_graph(self) -> Tensor:
        """The same, as an int32 scalar that a traced graph reads anew each time."""
        return self.alive_count + self.fresh.count

    @property
    def positions_in_graph(self) -> Tensor:
        """`position_count`, as a scalar that a traced graph reads anew."""
        return self.built + tf.shape(self._added.variables[0].value())[0] - 1

    def ids_now(self, positions: Tensor) -> Tensor:
        """`ids` of what a search finds, in a graph that fits as long as `changed` stays as it is."""
        return self.ids(positions) if self.fresh.size else self._built.ids(positions)

    def live_ids(self) -> Tensor:
        """The ids that can be found, `(items,)`, by position; for a graph."""
        built = tf.cast(tf.where(self._alive.value())[:, 0], tf.int32)
        return self.ids(tf.sort(tf.concat([built, self.fresh.variables[1].value()], axis=0))[None])[0]

    @property
    def alive(self) -> Tensor:
        """Bool `(1, items of the build)`."""
        return self._alive.value()[None]

    @property
    def alive_count(self) -> Tensor:
        """How many of them, int32 scalar."""
        return self.built - self._dead_count

    def positions(self, ids: Tensor) -> Tensor:
        """int32 positions, of any shape; -1 for ids that never were."""
        built, added = self._built.positions(ids), self._added.positions(ids)
        return tf.where(built >= 0, built, tf.where(added >= 0, added + self.built, -1))

    def places(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Which rows of the build, and which fresh ones, stand for positions of any shape; -1 where none does."""
        inside = tf.clip_by_value(positions, 0, self.built - 1)
        alive = tf.equal(inside, positions) & tf.gather(self._alive.value(), inside)
        return tf.where(alive, positions, -1), self.fresh.places(positions)

    def positions_now(self, ids: Tensor) -> Tensor:
        """`positions` of what a search can find, in a graph that fits as long as `changed` stays as it is."""
        return self.positions(ids) if self.fresh.size else self._built.positions(ids)

    @property
    def changed(self) -> tuple[bool, bool]:
        """Whether there are dead rows, and fresh ones."""
        return self._dead_before > 0, self.fresh.size > 0

    @property
    def changed_in_graph(self) -> tuple[Tensor, Tensor]:
        """The same, as bool scalars that a traced graph reads anew."""
        return self._dead_count > 0, self.fresh.count > 0

    def counts(self) -> dict[str, int]:
        """Items that can be found, those of them that came or changed later, and deleted ones."""
        return {"items": self.live, "fresh": self.fresh.size, "deleted": self.position_count - self.live}

    def all_ids(self) -> np.ndarray:
        """The ids of all positions, in order."""
        return np.concatenate([self._built.numpy(), self._added.numpy()])

    def is_live(self) -> np.ndarray:
        """Bool, for each position."""
        live = np.concatenate([self._alive.numpy(), np.zeros(self._added.count, bool)])
        live[self.fresh.positions] = True
        return live

    def rows(self, built: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The rows of the items that are live, by position, of those of the build in blocks."""
        kept, start = self.is_live(), 0
        positions, fresh = self.fresh.positions, self.fresh.rows
        for block in built:
            first, last = np.searchsorted(positions, [start, start + len(block)])
            block, changed = of_one_length([block, fresh[first:last]])
            block[positions[first:last] - start] = changed
            yield block[kept[start : start + len(block)]]
            start += len(block)
        yield fresh[np.searchsorted(positions, start) :]

    def put(self, rows: np.ndarray, ids: Any) -> None:
        """Add or change items."""
        ids = id_array(ids, self.kind)
        if len(ids) != len(rows):
            raise ValueError(f"Each item needs one id. Received {len(rows)} embeddings and {len(ids)} ids.")
        IdPositions(ids)  # refuses ids that stand twice
        positions = self._positions_of(ids)
        unknown = positions < 0
        if unknown.any():
            positions[unknown] = self.position_count + np.arange(unknown.sum())
            self._added.replace(np.concatenate([self._added.numpy(), ids[unknown]]))
        self.fresh.put(positions, rows)
        self._bury(positions)
        self.changes += 1

    def delete(self, ids: Any) -> None:
        """Take items out; of no ids, do nothing."""
        ids = id_array(ids, self.kind)
        if not len(ids):
            return
        positions = self._positions_of(ids)
        live = self.is_live()
        if len(gone := np.flatnonzero((positions < 0) | ~live[positions])):
            raise ValueError(
                f"The index holds no item {shown(ids[gone[0]])!r}, so that nothing was deleted. {len(gone)} of the "
                f"{len(ids)} ids are unknown to it."
            )
        self.fresh.remove(positions)
        self._bury(positions)
        self.changes += 1

    def _positions_of(self, ids: np.ndarray) -> np.ndarray:
        return self.positions(tf.constant(ids, self.kind)).numpy()

    def _bury(self, positions: np.ndarray) -> None:
        built = np.unique(positions[positions < self.built])
        self._alive.scatter_update(tf.IndexedSlices(tf.zeros(len(built), tf.bool), tf.constant(built, tf.int32)))
        self._dead_before = self.built - int(tf.math.count_nonzero(self._alive))
        self._dead_count.assign(self._dead_before)

    @property
    def variables(self) -> list[Any]:
        """All that a SavedModel must keep."""
        return [*self._built.variables, *self._added.variables, *self.fresh.variables, self._alive, self._dead_count]

    def save(self, folder: Path) -> None:
        """Write a few arrays."""
        save_ids(folder / "ids.npz", self._built.numpy())
        save_ids(folder / "added_ids.npz", self._added.numpy())
        np.savez(
            folder / "changes.npz", alive=self._alive.numpy(), rows=self.fresh.rows, positions=self.fresh.positions
        )

    @classmethod
    def load(cls, folder: Path, fresh: FreshItems) -> "LiveItems":
        """What `save` wrote."""
        items = cls(load_ids(folder / "ids.npz"), fresh)
        items._added.replace(load_ids(folder / "added_ids.npz"))
        with np.load(folder / "changes.npz") as held:
            items.fresh.put(held["positions"], held["rows"])
            items._bury(np.flatnonzero(~held["alive"]))
        return items


def _ids(built: IdPositions, added: IdPositions, positions: Tensor) -> Tensor:
    """The ids at positions `(batch, n)`; -1 or `""` at position -1."""
    return tf.where(positions < built.count, built.ids(positions), added.ids(positions - built.count))
