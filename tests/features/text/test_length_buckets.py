"""Rows come back in their order, whatever groups they were in."""

import numpy as np
import pytest
import tensorflow as tf

from tfdual.features.text.length_buckets import in_length_buckets

LENGTHS = [3, 1, 7, 2, 2, 9, 1, 4]


@pytest.mark.parametrize("tokens", [1, 5, 8, 16, 1_000])
def test_every_row_gets_its_own_vector_and_groups_are_small(tokens: int) -> None:
    seen: list[tuple[int, int]] = []
    numbers = np.arange(sum(LENGTHS), dtype="int32")
    ids = tf.RaggedTensor.from_row_lengths(numbers, LENGTHS)
    found = in_length_buckets(ids, lambda part: tf.cast(sums_and_lengths(part, seen), tf.float32), 2, tokens)
    wanted = [[sum(row), len(row)] for row in np.split(numbers, np.cumsum(LENGTHS)[:-1])]
    np.testing.assert_array_equal(found, wanted)
    assert sum(rows for rows, _ in seen) == len(LENGTHS)
    assert all(rows == 1 or rows * longest <= tokens for rows, longest in seen)
    assert [longest for _, longest in seen] == sorted(longest for _, longest in seen)


def sums_and_lengths(ids: tf.RaggedTensor, seen: list[tuple[int, int]]) -> tf.Tensor:
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    seen.append((int(ids.nrows()), int(tf.reduce_max(lengths))))
    return tf.stack([tf.reduce_sum(ids, axis=1), lengths], axis=1)
