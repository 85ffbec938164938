import numpy as np
import pytest
import tensorflow as tf

from tfdual.features import EmbeddingTable
from tfdual.features.sequence_places import dense_weights, last_places, take_places

RAGGED = tf.ragged.constant([[1, 2, 3], [], [4, 7]], dtype=tf.int64)
PADDED = tf.constant([[0, 1, 2, 3], [0, 0, 0, 0], [4, 0, 7, 0]])


@pytest.mark.parametrize("max_length", [None, 1, 2, 3, 9])
@pytest.mark.parametrize("ids", [RAGGED, PADDED])
def test_weights_stand_where_a_sequence_puts_their_rows(ids: tf.Tensor, max_length: int | None) -> None:
    table = EmbeddingTable(8, 1)
    table.build()
    table.embeddings.assign(np.arange(8.0)[:, None])
    rows, mask = table.sequence(ids, max_length)
    weights = dense_weights(ids, tf.cast(ids, tf.float32), max_length)  # each id weighs what its row holds
    np.testing.assert_array_equal(weights, rows[..., 0])
    np.testing.assert_array_equal(weights.numpy() > 0, mask)


def test_weights_at_the_padding_are_0() -> None:
    weights = dense_weights(tf.constant([[1, 0, 2]]), tf.constant([[3.0, np.nan, 4.0]]))
    np.testing.assert_array_equal(weights, [[3, 0, 4]])


@pytest.mark.parametrize("max_length", [None, 1, 2, 3, 4, 7])
def test_last_entries_come_to_the_front_in_their_order(max_length: int | None) -> None:
    rng = np.random.default_rng(0)
    mask, rows = rng.uniform(size=(50, 7)) < 0.5, rng.normal(size=(50, 7, 2))
    places, kept = last_places(tf.constant(mask), max_length)
    taken = take_places(tf.constant(rows), places, kept).numpy()
    for row in range(50):
        wanted = rows[row][mask[row]][-(max_length or 7) :]
        np.testing.assert_array_equal(taken[row, : len(wanted)], wanted)
        assert not taken[row, len(wanted) :].any()
        assert kept.numpy()[row].tolist() == [True] * len(wanted) + [False] * (kept.shape[1] - len(wanted))
