"""One trained ScaNN searcher with two faces: pybind in Python, the TensorFlow op in a graph."""

import functools
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._optional import require
from tfdual._quiet import quiet_stderr
from tfdual._typing import Tensor
from tfdual.index.best_places import Found
from tfdual.index.seldom import seldom

ADVICE = "ScaNN has wheels for Linux only (`pip install scann`); elsewhere use `tfdual.BruteForce()`."
QUERIES_AT_ONCE = 256
HALVED = 32, 2 * QUERIES_AT_ONCE  # batches that the op, on two cores, would search by one of them
MEASURES = {"dot": "dot_product", "cosine": "dot_product", "l2": "squared_l2"}
# In the order that ScannState takes them; an asset that a configuration lacks is empty.
STATE: tuple[tuple[str, Any], ...] = (
    ("scann_config.pb", None),
    ("serialized_partitioner.pb", None),
    ("datapoint_to_token.npy", np.int32),
    ("ah_codebook.pb", None),
    ("hashed_dataset.npy", np.uint8),
    ("int8_dataset.npy", np.int8),
    ("int8_multipliers.npy", np.float32),
    ("dp_norms.npy", np.float32),
    ("dataset.npy", np.float32),
)


class ScannSearcher:
    """Both faces search the same tree, codes and rows, so that they find the same neighbours.

    Args:
        searcher: scann's pybind searcher.
        distance: str.
    """

    def __init__(self, searcher: Any, distance: str) -> None:
        self._pybind, self._distance = searcher, distance
        with tempfile.TemporaryDirectory() as folder, quiet_stderr():
            self.save(Path(folder))
            if unknown := {path.name for path in Path(folder).glob("*.npy")} - {name for name, _ in STATE}:
                raise ValueError(
                    f"ScaNN's TensorFlow op can't hold {sorted(unknown)}, so that the index could not be served. "
                    "Leave the option out that makes it; of `quantize`, take True or False."
                )
            self._state = scann_ops().ScannState([_asset(Path(folder) / name, dtype) for name, dtype in STATE])
        found = re.search(r"num_children: (\d+)", searcher.config())
        self.items = int(searcher.size())
        self.leaves = int(found.group(1)) if found else 1

    @classmethod
    def build(cls, rows: np.ndarray, distance: str, steps: dict[str, dict[str, Any]]) -> "ScannSearcher":
        """Train on float32 rows.

        Args:
            rows: `(items, dim)`, prepared for the distance.
            distance: str.
            steps: method of scann's builder -> its arguments.
        """
        builder = scann_pybind().builder(rows, 10, MEASURES[distance])
        for name, arguments in steps.items():
            builder = getattr(builder, name)(**arguments)
        with quiet_stderr():
            return cls(builder.build(), distance)

    def search(self, queries: Tensor, k: Tensor, leaves: Tensor, reorder: Tensor) -> Found:
        """Positions and scores `(batch, k)`; -1 and -inf where the leaves held fewer.

        Args:
            queries: float32 `(batch, dim)`, prepared.
            k: int32 scalar.
            leaves: int32 scalar. Leaves to search.
            reorder: int32 scalar. How many to score exactly, at least k.
        """
        if tf.executing_eagerly():
            return self._in_python(queries.numpy(), int(k), int(leaves), int(reorder))
        handle = scann_ops().searcher_from_module(self._state).searcher_handle
        arguments = handle, queries, k, leaves, reorder
        rows = tf.shape(queries)[0]
        alone = (rows < HALVED[0]) | (rows >= HALVED[1])
        found = tf.cond(alone, lambda: _by_op(*arguments), seldom(lambda: _halves_by_op()(*arguments)))
        return self._found(*found)

    def _in_python(self, queries: np.ndarray, k: int, leaves: int, reorder: int) -> Found:
        if not len(queries):
            return tf.zeros([0, k], tf.int32), tf.zeros([0, k])
        at_once = max(1, min(QUERIES_AT_ONCE, -(-len(queries) // (os.cpu_count() or 1))))
        positions, distances = self._pybind.search_batched_parallel(queries, k, reorder, leaves, at_once)
        return self._found(tf.constant(positions.astype(np.int32)), tf.constant(distances))

    def _found(self, positions: Tensor, distances: Tensor) -> Found:
        missing = tf.math.is_nan(distances)
        scores = -distances if self._distance == "l2" else distances
        return tf.where(missing, -1, positions), tf.where(missing, -float("inf"), scores)

    @property
    def rows(self) -> tf.Variable | None:
        """The float32 rows that it scores exactly by, `(items, dim)`; None where it has none."""
        return self._state.dataset if self._state.dataset.shape.rank == 2 else None

    @property
    def state(self) -> Any:
        """What a SavedModel must keep."""
        return self._state

    def save(self, folder: Path) -> None:
        """Write scann's own files.

        Raises:
            OSError: the disk is full, say.
        """
        try:
            self._pybind.serialize(str(folder), True)
        except RuntimeError as error:
            raise OSError(f"The index can't be written: {error}") from error

    @classmethod
    def load(cls, folder: Path, distance: str) -> "ScannSearcher":
        """What `save` wrote."""
        with quiet_stderr():
            return cls(scann_pybind().load_searcher(str(folder)), distance)


def scann_pybind() -> Any:
    """scann's pybind module.

    Raises:
        ImportError: scann is not installed.
    """
    return require("scann.scann_ops.py.scann_ops_pybind", advice=ADVICE)


def scann_ops() -> Any:
    """scann's TensorFlow ops.

    Raises:
        ImportError: scann is not installed.
    """
    return require("scann.scann_ops.py.scann_ops", advice=ADVICE)


def _by_op(handle: Tensor, queries: Tensor, k: Tensor, leaves: Tensor, reorder: Tensor) -> tuple[Tensor, Tensor]:
    """Positions and distances `(batch, k)`; NaN where nothing was found."""
    positions, distances = scann_ops().ScannSearcher(handle).search_batched_parallel(queries, k, reorder, leaves)
    lacking = [[0, 0], [0, k - tf.shape(distances)[1]]]  # columns that no query filled are left out
    return tf.pad(positions, lacking), tf.pad(distances, lacking, constant_values=np.nan)


@functools.cache
def _halves_by_op() -> Callable[..., tuple[Tensor, ...]]:
    """What `_by_op` gives, of at least two queries, by two ops at the same time.

    The op shares a batch among one thread fewer than there are cores, in parts of 256. In a `tf.function`, two ops of
    one searcher would run one after the other, as if they changed it; a wrapped function leaves their order open, as
    long as it is not written out into the graph around it.
    """

    def halves(handle: Tensor, queries: Tensor, *numbers: Tensor) -> tuple[Tensor, ...]:
        half = tf.shape(queries)[0] // 2
        parts = [_by_op(handle, part, *numbers) for part in (queries[:half], queries[half:])]
        return tuple(tf.concat(pair, axis=0) for pair in zip(*parts, strict=True))

    specs = [tf.TensorSpec([], tf.resource), tf.TensorSpec([None, None]), *[tf.TensorSpec([], tf.int32)] * 3]
    with tf.init_scope():
        return tf.compat.v1.wrap_function(halves, specs)


def _asset(path: Path, dtype: Any) -> Any:
    if dtype is None:
        return tf.constant([path.read_bytes() if path.exists() else b""], tf.string)
    return np.load(path) if path.exists() else np.zeros([], dtype)
