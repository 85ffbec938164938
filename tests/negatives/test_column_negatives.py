"""ColumnNegatives: the items of all rows' lists, with and without the other columns of the items."""

import numpy as np
import pytest
import tensorflow as tf

from tests.negatives.toy import batch, corpus, table
from tfdual._items import Items
from tfdual.negatives import Batch, ColumnNegatives

RAGGED = tf.ragged.constant([[5, 6, 5], [], [0, 7]], dtype=tf.int64)
PADDED = tf.constant([[5, 6, 5], [0, 0, 0], [7, 0, 0]], tf.int32)


def kept(items: Items) -> list[int]:
    return items.ids.numpy()[items.mask.numpy()].tolist()


@pytest.mark.parametrize("lists", [RAGGED, PADDED], ids=["ragged", "padded"])
def test_all_items_of_all_rows_are_given_and_zeros_masked(lists: tf.Tensor) -> None:
    items = ColumnNegatives("shown").draw(batch([1, 2, 3], shown=lists))
    assert kept(items) == [5, 6, 5, 7]
    np.testing.assert_array_equal(items.embedding, table(100)[items.ids])


@pytest.mark.parametrize("lists", [RAGGED, PADDED], ids=["ragged", "padded"])
def test_items_give_the_other_columns_and_unknown_ids_are_masked(lists: tf.Tensor) -> None:
    source = ColumnNegatives("shown").adapt(corpus(6, item_id_log_probability=-np.arange(1.0, 7, dtype="float32")))
    items = source.draw(batch([1, 2, 3], shown=lists))
    assert kept(items) == [5, 6, 5]
    assert items.log_probability.numpy()[items.mask.numpy()].tolist() == [-5, -6, -5]


@pytest.mark.parametrize("lists", [RAGGED, PADDED], ids=["ragged", "padded"])
@pytest.mark.parametrize("adapted", [False, True])
def test_what_is_not_shared_says_whose_it_is(lists: tf.Tensor, adapted: bool) -> None:
    source = ColumnNegatives("shown", shared=False)
    items = (source.adapt(corpus(7)) if adapted else source).draw(batch([1, 2, 3], shown=lists))
    there = items.mask.numpy()
    found = zip(items.ids.numpy()[there].tolist(), items.row.numpy()[there].tolist(), strict=True)
    assert list(found) == [(5, 0), (6, 0), (5, 0), (7, 2)]
    assert ColumnNegatives.from_config(source.get_config()).get_config() == source.get_config()


def test_zero_is_masked_even_where_the_items_have_it() -> None:
    source = ColumnNegatives("shown").adapt([{"item_id": np.arange(8)}])
    assert kept(source.draw(batch([1, 2, 3], shown=PADDED))) == [5, 6, 5, 7]


def test_no_item_at_all_is_no_error() -> None:
    empty = tf.RaggedTensor.from_row_lengths(tf.zeros((0,), tf.int64), [0, 0])
    for source in (ColumnNegatives("shown"), ColumnNegatives("shown").adapt(corpus(4))):
        assert source.draw(batch([1, 2], shown=empty)).embedding.shape == (0, 4)


def test_the_item_tower_gets_the_column_that_is_named() -> None:
    seen: dict = {}

    def encode_item(columns: dict) -> Items:
        seen.update(columns)
        return Items(tf.ones((9, 4)), columns["sku"])

    step = Batch({"shown": PADDED}, tf.ones((3, 4)), Items(tf.ones((3, 4)), tf.constant([1, 2, 3])), encode_item)
    ColumnNegatives("shown", item_id="sku").draw(step)
    assert list(seen) == ["sku"]
    assert seen["sku"].shape == (9,)


def test_a_gradient_reaches_the_items_that_are_named() -> None:
    embeddings = tf.Variable(table(10))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(ColumnNegatives("shown").draw(batch([1, 2, 3], None, embeddings, shown=RAGGED)).embedding)
    gradient = tf.convert_to_tensor(tape.gradient(total, embeddings)).numpy()[:, 0]
    assert gradient.tolist() == [1, 0, 0, 0, 0, 2, 1, 1, 0, 0]


@pytest.mark.parametrize("adapted", [False, True])
def test_graph_of_any_batch_size_gives_what_eager_calls_do(adapted: bool) -> None:
    source = ColumnNegatives("shown")
    source = source.adapt(corpus(6)) if adapted else source

    def draw(shown: tf.RaggedTensor) -> tuple:
        items = source.draw(batch([1], shown=shown))
        return items.ids, items.mask

    graph = tf.function(draw, input_signature=[tf.RaggedTensorSpec([None, None], tf.int64)])
    for lists in (RAGGED, RAGGED[:1], RAGGED[1:2], RAGGED[:0]):
        for one, other in zip(graph(lists), draw(lists), strict=True):
            np.testing.assert_array_equal(one, other)


def test_it_follows_no_distribution() -> None:
    assert ColumnNegatives("shown").log_count(np.array([5]), np.array([-1.0]), 3) is None


def test_a_batch_without_the_column_is_refused() -> None:
    with pytest.raises(ValueError, match=r"reads the column 'shown'. The batch has \['age'\]"):
        ColumnNegatives("shown").draw(batch([1], age=tf.ones(1)))
