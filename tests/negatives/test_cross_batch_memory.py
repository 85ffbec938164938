"""CrossBatchMemory: first in, first out, for any batch, and held back while it warms up."""

from collections import deque

import numpy as np
import pytest
import tensorflow as tf

from tests.negatives.toy import DIM, batch, encoder, table
from tfdual._items import Items
from tfdual.negatives import Batch, CrossBatchMemory

SIZES = [3, 1, 2, 4, 3, 9, 2, 0, 5]


def content(memory: CrossBatchMemory) -> set[tuple]:
    """Id, log-probability and embedding of each place that is not masked."""
    items = memory.draw(batch([1]))
    rows = zip(items.ids.numpy(), items.log_probability.numpy(), items.embedding.numpy(), strict=True)
    return {(i, p, *e) for (i, p, e), kept in zip(rows, items.mask.numpy(), strict=True) if kept}


def stream() -> list[Batch]:
    """Batches of many sizes, where no two rows are equal."""
    embeddings, first, found = table(100), 1, []
    for size in SIZES:
        ids = np.arange(first, first + size)
        found.append(batch(ids, -ids.astype("float32"), embeddings))
        first += size
    return found


@pytest.mark.parametrize("graph", [False, True])
def test_it_holds_what_a_deque_does(graph: bool) -> None:
    memory, wanted = CrossBatchMemory(7), deque(maxlen=7)
    memory.build((None, DIM))

    def update(embedding: tf.Tensor, ids: tf.Tensor, log_probability: tf.Tensor) -> None:
        memory.update(Batch({}, embedding, Items(embedding, ids, log_probability), encoder(embedding)))

    types = [tf.TensorSpec([None, DIM]), tf.TensorSpec([None], tf.int64), tf.TensorSpec([None])]
    update = tf.function(update, input_signature=types) if graph else update
    for step in stream():
        items = step.item
        update(items.embedding, items.ids, items.log_probability)
        wanted.extend((int(i), -float(i), *table(100)[i]) for i in items.ids.numpy())
        assert content(memory) == set(wanted)


def test_large_ids_are_kept_whole() -> None:
    memory = CrossBatchMemory(2)
    rows = tf.ones((2, DIM))
    memory.update(Batch({}, rows, Items(rows, tf.constant([2**53 + 1, 16777217], tf.int64)), encoder(rows)))
    assert sorted(memory.draw(batch([1])).ids.numpy()) == [16777217, 2**53 + 1]


def test_nothing_is_there_before_the_first_update() -> None:
    items = CrossBatchMemory(5).draw(batch([1, 2]))
    assert items.embedding.shape == (5, DIM)
    assert not items.mask.numpy().any()


def test_during_the_warm_up_it_fills_and_gives_nothing() -> None:
    memory = CrossBatchMemory(4, warm_up=3)
    for update in range(3):
        assert not memory.draw(batch([1])).mask.numpy().any()
        assert memory.log_count(np.array([1]), np.array([-1.0]), 2).numpy().tolist() == [-np.inf]
        memory.update(batch([update + 1]))
    assert memory.draw(batch([1])).mask.numpy().tolist() == [True, True, True, False]
    assert float(memory.log_count(np.array([1]), np.log([0.5]), 2)[0]) == pytest.approx(np.log(1.5))


def test_expected_count_is_that_of_what_is_filled() -> None:
    memory = CrossBatchMemory(100)
    memory.update(batch([1, 2, 3, 4]))
    np.testing.assert_allclose(
        np.exp(memory.log_count(np.array([8, 9]), np.log([0.5, 0.01]), 32)), [2, 0.04], rtol=1e-5
    )


def test_rows_that_the_batch_masks_are_kept_out() -> None:
    memory, rows = CrossBatchMemory(4), tf.ones((3, DIM))
    items = Items(rows, tf.constant([5, 6, 7], tf.int64), None, tf.constant([True, False, True]))
    memory.update(Batch({}, rows, items, encoder(rows)))
    found = memory.draw(batch([1]))
    assert sorted(found.ids.numpy()[found.mask.numpy()]) == [5, 7]


def test_no_gradient_passes() -> None:
    memory, rows = CrossBatchMemory(4), tf.Variable(tf.ones((3, DIM)))
    with tf.GradientTape() as tape:
        step = Batch({}, rows + 0.0, Items(rows + 0.0, tf.constant([5, 6, 7], tf.int64)), encoder(rows))
        memory.update(step)
        total = tf.reduce_sum(memory.draw(step).embedding)
    assert float(total) == 3 * DIM
    assert tape.gradient(total, rows) is None
    assert memory.trainable_weights == []


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_it_keeps_float32_and_gives_the_type_of_the_batch(dtype: str) -> None:
    memory, rows = CrossBatchMemory(4, dtype=f"mixed_{dtype}"), tf.ones((3, DIM), dtype)
    step = Batch({}, rows, Items(rows, tf.constant([5, 6, 7], tf.int64)), encoder(rows))
    memory.update(step)
    assert memory.draw(step).embedding.dtype.name == dtype
    assert memory.embeddings.dtype == "float32"


def test_items_of_several_vectors_are_refused() -> None:
    vectors = tf.ones((2, 3, DIM))
    step = Batch({}, vectors, Items(vectors, tf.constant([5, 6], tf.int64)), encoder(vectors))
    with pytest.raises(ValueError, match=r"one vector an item. Received items of several, of the shape \(2, 3, 4\)"):
        CrossBatchMemory(4).draw(step)


@pytest.mark.parametrize("arguments", [(0, 0), (5, -1)])
def test_sizes_out_of_range_are_refused(arguments: tuple) -> None:
    with pytest.raises(ValueError, match="size >= 1 and warm_up >= 0. Received"):
        CrossBatchMemory(*arguments)
