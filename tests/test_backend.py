"""What only the TensorFlow backend has, against loops."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdual._backend import matching_pairs, sum_and_stack

IDS = st.integers(0, 6)
LISTS = st.lists(st.lists(IDS, max_size=4), max_size=5)
CANDIDATES = st.lists(IDS, max_size=8)


def pairs_of(lists: list[list[int]], ids: list[int]) -> list[tuple[int, int]]:
    """One row, one listed id but 0, one place at a time."""
    return sorted(
        (row, place) for row, keys in enumerate(lists) for key in keys for place, i in enumerate(ids) if i == key != 0
    )


def found(pairs: tf.Tensor) -> list[tuple[int, int]]:
    assert pairs.shape[1:] == (2,)
    return sorted(map(tuple, pairs.numpy().tolist()))


@settings(deadline=None)
@given(lists=LISTS, ids=CANDIDATES)
def test_pairs_of_ragged_lists_are_those_of_a_loop(lists: list[list[int]], ids: list[int]) -> None:
    ragged = tf.ragged.constant(lists, tf.int64, ragged_rank=1)
    assert found(matching_pairs(ragged, tf.constant(ids, tf.int64))) == pairs_of(lists, ids)


@settings(deadline=None)
@given(lists=LISTS, ids=CANDIDATES)
def test_pairs_of_padded_lists_are_those_of_a_loop(lists: list[list[int]], ids: list[int]) -> None:
    dense = tf.ragged.constant(lists, tf.int32, ragged_rank=1).to_tensor(0, shape=[None, 4])
    assert found(matching_pairs(dense, tf.constant(ids, tf.int64))) == pairs_of(lists, ids)


@settings(deadline=None)
@given(lists=LISTS.filter(len), ids=CANDIDATES, data=st.data())
def test_rows_may_share_a_list(lists: list[list[int]], ids: list[int], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=6))
    wanted = pairs_of([lists[row] for row in rows], ids)
    ragged, chosen = tf.ragged.constant(lists, tf.int64, ragged_rank=1), tf.constant(rows, tf.int32)
    assert found(matching_pairs(ragged, tf.constant(ids, tf.int64), chosen)) == wanted
    dense = ragged.to_tensor(0, shape=[None, 4])
    assert found(matching_pairs(dense, tf.constant(ids, tf.int64), chosen)) == wanted


def test_pairs_in_a_graph_of_unknown_sizes_are_the_same() -> None:
    ragged = tf.RaggedTensorSpec([None, None], tf.int64, ragged_rank=1)
    for spec in (ragged, tf.TensorSpec([None, None], tf.int64)):
        in_graph = tf.function(matching_pairs, input_signature=[spec, tf.TensorSpec([None], tf.int32)])
        for lists, ids in [([[5, 9], [9, 9]], [9, 5, 9]), ([[1, 1]], [2]), ([[3, 3]], [])]:
            given = tf.ragged.constant(lists, tf.int64) if spec is ragged else tf.constant(lists, tf.int64)
            assert found(in_graph(given, tf.constant(ids, tf.int32))) == pairs_of(lists, ids)


def test_ids_above_2_to_the_53_are_told_apart() -> None:
    ids = tf.constant([2**62, 2**62 + 1], tf.int64)
    assert found(matching_pairs(tf.ragged.constant([[2**62 + 1], [2**62]], tf.int64), ids)) == [(0, 1), (1, 0)]


def test_other_backends_are_told_that_pairs_need_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="need the TensorFlow backend. This is jax"):
        matching_pairs(tf.zeros((1, 1), tf.int64), tf.zeros((1,), tf.int64))


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_steps_are_summed_and_stacked_in_their_order(backend: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(place: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
        number = tf.cast(place, tf.float32)
        return number * tf.ones(2), tf.fill((1, 3), number + 10)

    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    total, stacked = sum_and_stack(step, count, tf.constant([0.0, 100.0]))
    np.testing.assert_array_equal(total, [6, 106] if count == 4 else [0, 100])
    np.testing.assert_array_equal(stacked[:, 0, 1], [10, 11, 12, 13][:count])
    assert stacked.shape == (count, 1, 3)
