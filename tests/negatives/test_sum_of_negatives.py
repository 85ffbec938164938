"""Sums: order, joining, and the correction by the whole mixture, worked out by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.negatives.toy import DIM, batch, corpus, encoder, table
from tfdual._items import Items
from tfdual.negatives import (
    Batch,
    ColumnNegatives,
    CrossBatchMemory,
    InBatch,
    Negatives,
    Popularity,
    SumOfNegatives,
    Uniform,
)

ITEMS = 10
PROBABILITY = np.array([0, 1, 2, 3, 4, 0.5, 0.25, 0.125, 6, 7, 8], float) / 50  # by id, of one training example
SHOWN = tf.constant([[5, 6], [7, 0]], tf.int64)


def items() -> tf.data.Dataset:
    return corpus(ITEMS, item_id_log_probability=np.log(PROBABILITY[1:]).astype("float32"))


def step(ids: list[int] | np.ndarray = (3, 4), corrected: bool = True) -> Batch:
    ids = np.asarray(ids, int)
    return batch(ids, np.log(PROBABILITY[ids]) if corrected else None, shown=SHOWN)


def filled(ids: list[int], size: int = 6) -> CrossBatchMemory:
    memory = CrossBatchMemory(size)
    memory.update(batch(ids, np.log(PROBABILITY[ids])))
    return memory


def test_sums_are_flat_and_keep_the_order() -> None:
    a, b, c, d = InBatch(hardest=2), Uniform(2), CrossBatchMemory(3), ColumnNegatives("shown")
    total = (a + b) + (c + d)
    assert list(total.parts) == [a, b, c, d]
    assert total.includes_batch
    assert total.hardest == 2
    assert not (b + c).includes_batch
    assert (b + c).hardest is None


def test_a_part_that_is_no_source_is_refused() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        InBatch() + 3
    with pytest.raises(TypeError, match="takes sources"):
        SumOfNegatives([InBatch(), keras.layers.Dense(2)])


def test_no_source_and_repeated_sources_are_refused() -> None:
    source = Uniform(2)
    for parts in ([], [source, source]):
        with pytest.raises(ValueError, match="at least one source, and none twice"):
            SumOfNegatives(parts)
    with pytest.raises(ValueError, match="Received 2 InBatch"):
        InBatch() + InBatch()


def test_items_are_those_of_the_parts_one_after_another() -> None:
    total = filled([1, 2]) + ColumnNegatives("shown").adapt(items())
    drawn = total.draw(step())
    assert drawn.ids.numpy().tolist()[:2] == [1, 2]
    assert drawn.ids.numpy().tolist()[6:9] == [5, 6, 7]
    assert drawn.mask.numpy().tolist() == [True] * 2 + [False] * 4 + [True] * 3 + [False]
    kept = drawn.mask.numpy()
    np.testing.assert_array_equal(drawn.embedding.numpy()[kept], table(100)[[1, 2, 5, 6, 7]])
    np.testing.assert_allclose(np.exp(drawn.log_probability)[kept], PROBABILITY[[1, 2, 5, 6, 7]], rtol=1e-5)


def test_mixture_of_batch_and_uniform_is_that_of_mixed_negative_sampling() -> None:
    total = InBatch() + Uniform(30, seed=1).adapt(items())
    extra, own = total.candidates(step())
    expected = 2 * PROBABILITY + 30 / ITEMS
    np.testing.assert_allclose(np.exp(own), expected[[3, 4]], rtol=1e-5)
    np.testing.assert_allclose(np.exp(extra.log_probability), expected[extra.ids], rtol=1e-5)
    assert extra.mask is None


def test_all_kinds_of_sources_add_up() -> None:
    counts = np.arange(ITEMS + 1.0)
    total = (
        InBatch()
        + Uniform(5).adapt(items())
        + Popularity(7, power=2).adapt(items(), counts)
        + filled([1, 2, 9], size=4)
        + ColumnNegatives("shown").adapt(items())
    )
    extra, own = total.candidates(step())
    expected = (2 + 3) * PROBABILITY + 5 / ITEMS + 7 * counts**2 / (counts**2).sum()
    np.testing.assert_allclose(np.exp(own), expected[[3, 4]], rtol=1e-5)
    wanted = expected[extra.ids] + np.array([0] * 16 + [1] * 4)  # those of the column are there for certain
    kept = extra.mask.numpy()
    assert kept.tolist() == [True] * 15 + [False] + [True] * 3 + [False]
    np.testing.assert_allclose(np.exp(extra.log_probability)[kept], wanted[kept], rtol=1e-5)


def test_a_source_alone_is_corrected_by_itself() -> None:
    extra, own = Uniform(30).adapt(items()).candidates(step())
    np.testing.assert_allclose(np.exp(extra.log_probability), np.full(30, 3.0), rtol=1e-5)
    np.testing.assert_allclose(np.exp(own), [3, 3], rtol=1e-5)


def test_certain_items_alone_count_one() -> None:
    extra, own = ColumnNegatives("shown").adapt(items()).candidates(step())
    assert extra.log_probability.numpy().tolist() == [0, 0, 0, 0]
    assert own.numpy().tolist() == [0, 0]


def test_an_item_that_no_source_gives_is_as_rare_as_the_rarest() -> None:
    popularity = Popularity(100, seed=0).adapt(items(), np.array([0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 8]))
    extra, own = popularity.candidates(step([3, 10]))
    assert {1, 2} & set(extra.ids.numpy()), "the rarest must be drawn for this test"
    np.testing.assert_allclose(np.exp(own), [10, 80], rtol=1e-5)


def test_corrections_are_finite_while_a_memory_warms_up() -> None:
    extra, own = CrossBatchMemory(3, warm_up=9).candidates(step())
    assert extra.log_probability.numpy().tolist() == [0, 0, 0]
    assert own.numpy().tolist() == [0, 0]
    extra, own = (InBatch() + CrossBatchMemory(3, warm_up=9)).candidates(step())
    np.testing.assert_allclose(np.exp(own), 2 * PROBABILITY[[3, 4]], rtol=1e-5)
    assert np.isfinite(extra.log_probability).all()


def test_without_a_log_probability_nothing_is_corrected() -> None:
    total = InBatch() + Uniform(3).adapt(items()) + filled([1])
    extra, own = total.candidates(step(corrected=False))
    assert own is None
    assert extra.log_probability is None
    assert extra.embedding.shape == (9, DIM)


def test_drawn_items_without_a_log_probability_are_refused_where_the_batch_has_one() -> None:
    with pytest.raises(ValueError, match="needs the log-probability of the items of ColumnNegatives"):
        (InBatch() + ColumnNegatives("shown")).candidates(step())


def test_update_reaches_each_part() -> None:
    total = InBatch() + CrossBatchMemory(2) + CrossBatchMemory(3)
    total.build((None, DIM))
    total.update(step([7, 8]))
    for memory in total.parts[1:]:
        assert sorted(memory.draw(step()).ids.numpy()[:2]) == [7, 8]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_embeddings_of_half_precision_are_joined_and_counts_stay_float32(dtype: str) -> None:
    total = Uniform(3).adapt(items()) + CrossBatchMemory(2)
    rows = tf.ones((2, DIM), dtype)
    own = Items(rows, tf.constant([3, 4], tf.int64), tf.constant([-1.0, -2.0]))
    extra, counts = total.candidates(Batch({}, rows, own, encoder(tf.cast(table(100), dtype))))
    assert extra.embedding.dtype.name == dtype
    assert extra.log_probability.dtype == counts.dtype == tf.float32


def test_graph_of_any_batch_size_gives_what_eager_calls_do() -> None:
    def total() -> Negatives:
        made = InBatch() + Uniform(5, seed=2).adapt(items()) + filled([1, 2]) + ColumnNegatives("shown").adapt(items())
        made.build((None, DIM))
        return made

    traced, eager = total(), total()

    def both(source: Negatives, ids: tf.Tensor) -> list:
        made = batch(ids, tf.gather(tf.constant(np.log(PROBABILITY + 1e-9), tf.float32), ids), shown=SHOWN)
        extra, own = source.candidates(made)
        source.update(made)
        return [extra.embedding, extra.ids, extra.log_probability, extra.mask, own]

    graph = tf.function(lambda ids: both(traced, ids), input_signature=[tf.TensorSpec([None], tf.int64)])
    for ids in ([3, 4, 5], [1], [], [7, 8]):
        for one, other in zip(graph(np.array(ids, int)), both(eager, tf.constant(ids, tf.int64)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)
