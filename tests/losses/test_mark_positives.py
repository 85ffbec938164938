"""Labels from places."""

import numpy as np
import pytest
import tensorflow as tf

from tfdual.losses import mark_positives


def test_places_are_marked() -> None:
    np.testing.assert_array_equal(mark_positives([2, 0], 3), [[False, False, True], [True, False, False]])


def test_each_row_may_have_several_places_and_fewer_by_minus_one() -> None:
    marked = mark_positives([[0, 3], [1, -1], [-1, -1], [2, 2]], 4)
    np.testing.assert_array_equal(marked, np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]], bool))


def test_place_beyond_the_candidates_marks_nothing() -> None:
    assert not np.any(mark_positives([3, 7, -1, -3], 3))


@pytest.mark.parametrize("kind", ["int32", "int64", "uint8"])
def test_places_may_be_of_any_integer_type(kind: str) -> None:
    np.testing.assert_array_equal(mark_positives(np.arange(3, dtype=kind), 300), np.eye(3, 300, dtype=bool))


def test_place_above_2_to_the_32_does_not_come_round_again() -> None:
    assert not np.any(mark_positives(np.array([2**32 + 1]), 3))


def test_no_queries_give_no_rows() -> None:
    assert tuple(mark_positives(np.zeros((0,), "int32"), 3).shape) == (0, 3)
    assert not np.any(mark_positives(np.zeros((2, 0), "int32"), 3))


def test_sizes_may_be_unknown() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def in_batch(index: tf.Tensor) -> tf.Tensor:
        return mark_positives(index, tf.size(index))

    np.testing.assert_array_equal(in_batch([1, 0, 2]), np.eye(3, dtype=bool)[[1, 0, 2]])


def test_matrix_of_labels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"index needs the shape \(batch,\) or \(batch, positives\)"):
        mark_positives(np.zeros((2, 3, 1), "int32"), 3)
