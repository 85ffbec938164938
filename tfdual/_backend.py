"""What only the TensorFlow backend has: ragged tensors, and reads of single rows of a variable."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops


def is_ragged(values: Any) -> bool:
    """Whether rows of `values` differ in length."""
    return isinstance(values, tf.RaggedTensor)


def rows_of_values(lists: Any) -> Any:
    """The row of each value of ragged `(batch, None)` or dense `(batch, length)` lists, int32 `(values,)`."""
    if is_ragged(lists):
        return ops.cast(lists.value_rowids(), "int32")
    return ops.repeat(ops.arange(ops.shape(lists)[0], dtype="int32"), ops.shape(lists)[1])


def has_values(lists: Any) -> Any:
    """Which rows hold any value, `(batch,)` bool; 0 is padding in a list that is not ragged."""
    return lists.row_lengths() > 0 if is_ragged(lists) else ops.any(ops.not_equal(lists, 0), axis=-1)


def sum_in_order(values: Any, segments: Any, count: Any) -> Any:
    """Sums of the values of each segment, `(count, dim)`, where values stand in the order of their segments.

    On TensorFlow in half the time of `ops.segment_sum`, which takes them in any order.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.segment_sum(values, segments, count)
    sums = tf.math.segment_sum(values, segments)  # up to the last segment that has a value
    return tf.pad(sums, [[0, tf.cast(count, tf.int32) - tf.shape(sums)[0]], [0, 0]])


def take_rows(table: keras.Variable, ids: Any) -> Any:
    """Rows of a variable, `(..., dim)`.

    On TensorFlow the rows alone are read. `ops.take` reads the variable as a whole, which costs a copy of it each step
    once a sparse update has written to it.
    """
    if keras.backend.backend() == "tensorflow":
        return tf.gather(table.value, ids)
    return ops.take(table, ids, axis=0)


def distinct_rows(ids: Any) -> tuple[Any, Any, Any]:
    """First row of each distinct id, each row's place among the distinct ids, and their counts.

    Raises:
        RuntimeError: the backend has no shapes that depend on values.
    """
    if not data_dependent_shapes():
        raise RuntimeError(f"Distinct rows need the TensorFlow backend. This is {keras.backend.backend()}.")
    distinct, places, counts = tf.unique_with_counts(ids)
    rows = tf.range(tf.size(ids))
    return tf.math.unsorted_segment_min(rows, places, tf.size(distinct)), places, counts


def matching_pairs(lists: Any, ids: Any, rows: Any = None) -> Any:
    """All pairs of a row and a place such that `ids[place]` is in the row's list, int `(pairs, 2)`.

    A pair comes once for each time that the list holds the id. Memory is in proportion to values and pairs.

    Args:
        lists: int, ragged `(lists, None)`, or `(lists, length)`; 0 is padding, or unknown, and matches nothing.
        ids: int `(places,)`.
        rows: int `(rows,)`. Which list each row has. Defaults to `None`: row i has list i.

    Raises:
        RuntimeError: the backend has no shapes that depend on values.
    """
    if not data_dependent_shapes():
        raise RuntimeError(f"Matching pairs need the TensorFlow backend. This is {keras.backend.backend()}.")
    if is_ragged(lists):
        values, owners = tf.cast(lists.values, tf.int64), lists.value_rowids()
        values = tf.where(values == 0, tf.int64.min, values)  # cheaper than leaving them out
    else:
        there = tf.not_equal(lists, 0)
        values, owners = tf.boolean_mask(lists, there), tf.where(there)[:, 0]
    pairs = equal_pairs(values, ids)
    owners, places = tf.gather(tf.cast(owners, tf.int32), pairs[:, 0]), pairs[:, 1]
    if rows is not None:
        count = lists.nrows(tf.int32) if is_ragged(lists) else tf.shape(lists)[0]
        of_lists = tf.RaggedTensor.from_value_rowids(places, owners, count, validate=False)
        of_rows = tf.gather(of_lists, rows)
        owners, places = tf.cast(of_rows.value_rowids(), tf.int32), of_rows.values
    return tf.stack([owners, places], axis=1)


def equal_pairs(values: Any, ids: Any) -> Any:
    """All pairs of places such that `values[first] == ids[second]`, int `(pairs, 2)`, in the order of the first.

    Args:
        values: int `(values,)`.
        ids: int `(places,)`.

    Raises:
        RuntimeError: the backend has no shapes that depend on values.
    """
    if not data_dependent_shapes():
        raise RuntimeError(f"Equal pairs need the TensorFlow backend. This is {keras.backend.backend()}.")
    values, ids = tf.cast(values, tf.int64), tf.cast(ids, tf.int64)
    order = tf.argsort(ids)
    ordered = tf.gather(ids, order)
    first, after = (tf.searchsorted(ordered, values, side) for side in ("left", "right"))
    places = tf.gather(order, tf.ragged.range(first, after).values)
    return tf.stack([tf.repeat(tf.range(tf.size(values)), after - first), places], axis=1)


def sum_and_stack(step: Callable[[Any], tuple[Any, Any]], count: Any, start: Any) -> tuple[Any, Any]:
    """Of the pairs that `step(place)` gives for the places below `count`: the firsts summed, the seconds stacked.

    On TensorFlow, a loop with two steps under way at most, so that memory is that of two steps.

    Args:
        step: gives two float32 tensors, of the same shapes each time.
        count: int or a scalar, at least 1.
        start: what is added to the sum.
    """
    if keras.backend.backend() != "tensorflow" or (isinstance(count, int) and count == 1):
        steps = [step(place) for place in range(count)]
        return sum((first for first, _ in steps), start), ops.stack([second for _, second in steps])

    def body(place: Any, total: Any, stacked: Any) -> tuple[Any, Any, Any]:
        first, second = step(place)
        return place + 1, total + first, stacked.write(place, second)

    stacked = tf.TensorArray(tf.float32, size=count)
    _, total, stacked = tf.while_loop(lambda place, *_: place < count, body, (0, start, stacked), parallel_iterations=2)
    return total, stacked.stack()


def data_dependent_shapes() -> bool:
    """Whether the backend can make a tensor whose size depends on values."""
    return keras.backend.backend() == "tensorflow"


def show(name: str, values: Any) -> None:
    """Print shape, type, smallest, mean and largest value of a tensor, also from inside a TensorFlow graph."""
    if is_ragged(values):
        show(f"{name} (ragged, {values.nrows()} rows)", values.flat_values)
    elif keras.backend.backend() == "tensorflow" and values.dtype == tf.string:
        tf.print(name, "shape", tf.shape(values), "string")
    elif keras.backend.backend() == "tensorflow":
        numbers = tf.cast(values, tf.float32)
        spread = (tf.reduce_min(numbers), tf.reduce_mean(numbers), tf.reduce_max(numbers))
        tf.print(name, "shape", tf.shape(values), values.dtype.name, *spread)
    else:
        spread = (ops.min(values), ops.mean(values), ops.max(values))
        print(name, "shape", ops.shape(values), values.dtype, *spread)  # noqa: T201 (what it is for)


def refuse(found: Any, values: Any, message: str) -> None:
    """Raise where `found` is true anywhere; the message is followed by the first five such `values`.

    In a TensorFlow graph it becomes an assertion of the graph, which XLA leaves out.

    Raises:
        ValueError: eagerly; in a graph, the step fails with TensorFlow's `InvalidArgumentError`.
    """
    if keras.backend.backend() == "tensorflow" and not tf.executing_eagerly():
        shown = [message, tf.boolean_mask(values, found)]
        tf.debugging.Assert(tf.logical_not(tf.reduce_any(found)), shown, summarize=5)
        return
    bad = ops.convert_to_numpy(values)[ops.convert_to_numpy(found)]
    if bad.size:
        raise ValueError(f"{message} {bad[:5].tolist()}")


def require_one_shape(left: Any, right: Any, message: str) -> Any:
    """`right`, once it has the shape of `left`: both ragged, or both dense, `(batch, length)`.

    Raises:
        ValueError: eagerly, or where static shapes tell; else the graph's step fails with `InvalidArgumentError`.
    """
    if keras.backend.backend() != "tensorflow":
        same = tuple(left.shape) == tuple(right.shape)
    elif not left.shape.is_compatible_with(right.shape):
        same = False
    elif is_ragged(left):
        first, second = (tf.cast(values.row_splits, tf.int64) for values in (left, right))
        same = tf.reduce_all(tf.raw_ops.Equal(x=first, y=second, incompatible_shape_error=False))
    else:
        same = left.shape.is_fully_defined() or tf.reduce_all(tf.equal(tf.shape(left), tf.shape(right)))
    if not (tf.is_tensor(same) and not tf.executing_eagerly()):
        if not same:
            raise ValueError(message)
        return right
    with tf.control_dependencies([tf.debugging.Assert(same, [message])]):
        return tf.identity(right)


def replicas() -> int:
    """How many replicas share a batch; 1 without a `tf.distribute` strategy."""
    if keras.backend.backend() != "tensorflow" or tf.distribute.in_cross_replica_context():
        return 1
    return int(tf.distribute.get_replica_context().num_replicas_in_sync)


def rows_of_the_batch(values: Any) -> Any:
    """Rows of `values` on all replicas together, an int scalar."""
    rows = ops.shape(values)[0]
    return rows if replicas() == 1 else summed_over_replicas(tf.convert_to_tensor(rows))


def gathered(values: Any) -> Any:
    """The rows of all replicas, in their order, texts as int64 hashes; gradients go back to where rows came from.

    Replicas may have different numbers of rows, where the gradient of TensorFlow's `all_gather` is wrong (2.20).
    """
    context = tf.distribute.get_replica_context()
    values = tf.strings.to_hash_bucket_fast(values, tf.int64.max) if values.dtype == tf.string else values
    if not values.dtype.is_floating:
        return context.all_gather(values, axis=0)
    if len(values.shape) == 3 and values.shape[1] is None:  # several vectors a row: zeros up to the most of a replica
        most = tf.reduce_max(context.all_gather(tf.shape(values)[1][None], axis=0))
        values = tf.pad(values, [[0, 0], [0, most - tf.shape(values)[1]], [0, 0]])
    around = [_rows_around(values), *[[0, 0]] * (len(values.shape) - 1)]
    return tf.ensure_shape(summed_over_replicas(tf.pad(values, around)), [None, *values.shape[1:]])


def _rows_around(values: Any) -> list[Any]:
    """How many rows the replicas before this one have, and those after it."""
    context, rows = tf.distribute.get_replica_context(), tf.shape(values)[0]
    counts = context.all_gather(rows[None], axis=0)
    before = tf.reduce_sum(counts[: context.replica_id_in_sync_group])
    return [before, tf.reduce_sum(counts) - before - rows]


def gathered_lists(lists: Any, rows: Any = None) -> Any:
    """Lists of ids, ragged or padded with 0, of the rows of all replicas; as a ragged tensor where there are several.

    Args:
        lists: of this replica.
        rows: int `(rows,)`. Which list each row has. Defaults to `None`: row i has list i.
    """
    if rows is not None:
        lists = tf.gather(lists, rows)
    if replicas() == 1:
        return lists
    if not is_ragged(lists):
        lists = tf.ragged.boolean_mask(lists, tf.not_equal(lists, 0))
    return tf.RaggedTensor.from_row_lengths(gathered(lists.values), gathered(lists.row_lengths()), validate=False)


def summed_over_replicas(value: Any) -> Any:
    """The sum over all replicas."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def ids_by_key(keys: Any, ids: Any) -> tuple[Any, Any]:
    """The ids of all rows of each key, ragged `(keys, None)`, and which of these lists each row has, `(rows,)`.

    The lists are of the rows of all replicas.

    Args:
        keys: `(rows,)`.
        ids: `(rows,)`.
    """
    first, rows = 0, tf.shape(keys)[0]
    if replicas() > 1:
        first, keys, ids = _rows_around(keys)[0], gathered(keys), gathered(ids)
    distinct, places = tf.unique(keys, out_idx=tf.int64)
    order = tf.argsort(places, stable=True)
    lists = tf.RaggedTensor.from_value_rowids(
        tf.gather(ids, order), tf.gather(places, order), nrows=tf.size(distinct, tf.int64), validate=False
    )
    return lists, places[first : first + rows]


def set_rows(variable: keras.Variable, rows: Any, values: Any) -> None:
    """Write some rows of a variable. Where a row stands twice, its values must be equal.

    On TensorFlow the other rows aren't touched. Elsewhere the variable is assigned as a whole.

    Args:
        variable: `(rows, ...)`. Made with `autocast=False`.
        rows: int `(n,)`.
        values: `(n, ...)`, cast to the variable's type.
    """
    values = ops.cast(values, variable.dtype)
    if keras.backend.backend() == "tensorflow":
        variable.value.scatter_update(tf.IndexedSlices(values, rows))
    else:
        variable.assign(ops.scatter_update(variable.value, ops.expand_dims(rows, -1), values))


def outside_graph(function: Callable[..., Any], arguments: list[Any], dtypes: list[str]) -> list[Any]:
    """What `function` gives for these tensors, called anew each time that a TensorFlow graph runs.

    So it may be replaced after tracing, and need not be written in TensorFlow. No gradient passes.
    """
    if keras.backend.backend() != "tensorflow" or tf.executing_eagerly():
        return list(function(*arguments))
    return list(tf.py_function(function, [tf.stop_gradient(argument) for argument in arguments], dtypes))
