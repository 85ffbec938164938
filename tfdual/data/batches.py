"""Rows as a `tf.data.Dataset`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfdual._arrow_arrays import to_numpy
from tfdual.data.order import rebatched, shuffled, stored
from tfdual.data.row_stream import RowStream
from tfdual.data.tensors import from_arrays, signature

CHUNK_ROWS = 65_536
CHUNK_BYTES = 256 << 20


@dataclass(frozen=True)
class Plan:
    """How an endless sequence of epochs is cut into batches.

    Args:
        size: int. Rows a batch.
        shuffle: bool.
        seed: int.
        drop_remainder: bool.
        start: int. Batches, over all epochs, that were used before.
    """

    size: int
    shuffle: bool
    seed: int
    drop_remainder: bool
    start: int

    def batches(self, rows: int) -> int:
        """Batches an epoch."""
        return rows // self.size if self.drop_remainder else -(-rows // self.size)


def to_dataset(stream: RowStream, plan: Plan) -> tf.data.Dataset:
    """Batches of dict: name -> Tensor or RaggedTensor; each pass over the dataset is an epoch."""
    batches = plan.batches(sum(stream.part_rows))
    epochs = _Epochs(stream, plan, batches)
    spec = (tf.TensorSpec([], tf.int64), signature(stream.schema))
    chunks = tf.data.Dataset.from_generator(epochs.chunks, output_signature=spec)
    numbered = chunks.prefetch(1).flat_map(lambda begin, chunk: _cut(begin, chunk, plan)).prefetch(2).enumerate()
    dataset = numbered.map(lambda i, batch: _counted(i, batch[0], batch[1], epochs))
    # A prefetch that TensorFlow adds would count batches as used that nobody has asked for.
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False
    dataset = dataset.with_options(options)
    if plan.start % batches == 0:
        return dataset.apply(tf.data.experimental.assert_cardinality(batches))
    return _said_to_have(dataset, batches)


class _Epochs:
    """The passes over the rows. A pass gives the rest of the first epoch that no pass has ended.

    Args:
        stream: RowStream.
        plan: Plan.
        batches: int. Batches an epoch.
    """

    def __init__(self, stream: RowStream, plan: Plan, batches: int) -> None:
        self._stream = stream
        self._plan = plan
        self._batches = batches
        self._used = plan.start

    def chunks(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The number of batches used before the pass, and rows: several batches at a time, as each step from Python
        to TensorFlow costs.
        """
        begin, plan = self._used, self._plan
        epoch, first = divmod(begin, self._batches)
        skip = first * plan.size
        tables = shuffled(self._stream, (plan.seed, epoch), skip) if plan.shuffle else stored(self._stream, skip)
        for table in rebatched(tables, plan.size * max(1, CHUNK_ROWS // plan.size), drop_remainder=False):
            for chunk in _light(table, plan.size):
                yield begin, {name: to_numpy(chunk.column(name)) for name in self._stream.schema.column_names}

    def in_pass(self, begin: tf.Tensor) -> tf.Tensor:
        """Batches of a pass before which `begin` were used."""
        return self._batches - begin % self._batches

    def end(self, begin: np.ndarray) -> np.ndarray:
        """Note that the last batch of a pass was taken."""
        self._used = max(self._used, int(begin) + self._batches - int(begin) % self._batches)
        return begin


def _light(table: pa.Table, size: int) -> Iterator[pa.Table]:
    """The batches of a table in several where they are heavy."""
    rows = size * max(1, table.num_rows * CHUNK_BYTES // max(table.nbytes, CHUNK_BYTES) // size)
    return (table.slice(start, rows) for start in range(0, table.num_rows, rows))


def _counted(i: tf.Tensor, begin: tf.Tensor, batch: dict[str, Any], epochs: _Epochs) -> dict[str, Any]:
    """Batch `i` of a pass. Keras may look at a first batch before it trains, so only a pass that is taken whole
    counts; and it doesn't ask for more than the batches it expects, so the last one tells.
    """
    is_last = tf.equal(i + 1, epochs.in_pass(begin))
    tf.cond(is_last, lambda: tf.numpy_function(epochs.end, [begin], tf.int64), lambda: begin)
    return batch


def _said_to_have(dataset: tf.data.Dataset, batches: int) -> tf.data.Dataset:
    """The dataset, whose cardinality is said to be `batches`, though its first pass is shorter.

    Where Keras's `fit` isn't told, it takes the number of the first pass for that of all epochs, and leaves out the
    rest of theirs. To choose between an endless dataset and this one counts as endless, and ends when this one does.
    """
    always = tf.data.Dataset.from_tensors(tf.constant(0, tf.int64)).repeat()
    chosen = tf.data.Dataset.choose_from_datasets([dataset, dataset.repeat()], always, stop_on_empty_dataset=True)
    return chosen.take(batches)


def _cut(begin: tf.Tensor, chunk: dict[str, Any], plan: Plan) -> tf.data.Dataset:
    """The batches of a chunk, each with `begin`."""
    columns = from_arrays(chunk)
    first = next(iter(columns.values()))
    rows = first.nrows() if isinstance(first, tf.RaggedTensor) else tf.shape(first, tf.int64)[0]
    batches = rows // plan.size if plan.drop_remainder else -(-rows // plan.size)

    def batch(i: tf.Tensor) -> tuple[tf.Tensor, dict[str, Any]]:
        start = i * plan.size
        stop = start + plan.size if plan.drop_remainder else tf.minimum(start + plan.size, rows)
        return begin, {name: _rows(value, start, stop, plan) for name, value in columns.items()}

    return tf.data.Dataset.range(batches).map(batch)


def _rows(value: Any, start: tf.Tensor, stop: tf.Tensor, plan: Plan) -> Any:
    size = plan.size if plan.drop_remainder else None
    if not isinstance(value, tf.RaggedTensor):
        return tf.ensure_shape(value[start:stop], [size, *value.shape[1:]])
    splits = tf.ensure_shape(value.row_splits[start : stop + 1], [None if size is None else size + 1])
    values = value.flat_values[splits[0] : splits[-1]]
    return tf.RaggedTensor.from_row_splits(values, splits - splits[0], validate=False)


def random_seed() -> int:
    """A seed that differs from run to run."""
    return int(np.random.SeedSequence().generate_state(1, np.uint32)[0])
