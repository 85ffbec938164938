import numpy as np
import pytest
import tensorflow as tf

from tfdual.features import OneHotEncoder


@pytest.mark.parametrize("kind", [tf.int32, tf.int64])
def test_one_id_a_row_is_a_1_in_its_column(kind: tf.DType) -> None:
    found = OneHotEncoder(4)(tf.constant([2, 0, 3], kind))
    np.testing.assert_array_equal(found, [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def test_each_id_of_a_ragged_list_counts_once() -> None:
    ids = tf.ragged.constant([[2, 2, 3], [], [0, 1]], dtype=tf.int64)
    wanted = [[0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]]
    np.testing.assert_array_equal(OneHotEncoder(4)(ids), wanted)
    np.testing.assert_array_equal(tf.function(OneHotEncoder(4))(ids), wanted)


@pytest.mark.parametrize("kind", [tf.int32, tf.int64])
def test_padding_of_a_list_does_not_count(kind: tf.DType) -> None:
    ids = tf.constant([[2, 0, 2], [0, 0, 0], [0, 3, 1]], kind)
    wanted = [[0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 1]]
    np.testing.assert_array_equal(OneHotEncoder(4)(ids), wanted)
    function = tf.function(OneHotEncoder(4), input_signature=[tf.TensorSpec([None, None], kind)], jit_compile=True)
    np.testing.assert_array_equal(function(ids), wanted)


@pytest.mark.parametrize("unknown", [4, -1, 2**40])
def test_id_outside_counts_as_the_unknown_one(unknown: int) -> None:
    first, layer = [[1, 0, 0, 0]], OneHotEncoder(4)
    np.testing.assert_array_equal(layer(tf.constant([unknown], tf.int64)), first)
    np.testing.assert_array_equal(layer(tf.constant([[unknown, 0]], tf.int64)), first)
    np.testing.assert_array_equal(layer(tf.ragged.constant([[unknown]], dtype=tf.int64)), first)


def test_no_rows_and_lists_of_no_length() -> None:
    layer = OneHotEncoder(4)
    assert layer(tf.zeros((0,), tf.int64)).shape == (0, 4)
    assert layer(tf.zeros((0, 3), tf.int64)).shape == (0, 4)
    np.testing.assert_array_equal(layer(tf.zeros((2, 0), tf.int64)), np.zeros((2, 4)))
    empty = tf.RaggedTensor.from_row_lengths(tf.constant([], tf.int64), [0, 0])
    np.testing.assert_array_equal(layer(empty), np.zeros((2, 4)))


def test_cardinality_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match="cardinality >= 1. Received 0"):
        OneHotEncoder(0)
