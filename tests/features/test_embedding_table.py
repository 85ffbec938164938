import numpy as np
import pytest
import tensorflow as tf

from tfdual.features import EmbeddingTable

VALUES = np.array([[100, 200], [1, 10], [2, 20], [3, 30], [4, 40]], "float32")
LISTS = [[1], [], [2, 2, 4], [3, 4]]


def table(combiner: str = "mean", **kwargs) -> EmbeddingTable:
    made = EmbeddingTable(5, 2, combiner, **kwargs)
    made.build()
    made.embeddings.assign(VALUES)
    return made


def pooled(combiner: str) -> np.ndarray:
    rows = []
    for ids in LISTS:
        total = sum((VALUES[i] for i in ids), np.zeros(2))
        rows.append(total / {"mean": max(len(ids), 1), "sum": 1, "sqrtn": max(len(ids), 1) ** 0.5}[combiner])
    return np.array(rows)


def test_one_id_a_row_is_looked_up() -> None:
    np.testing.assert_array_equal(table()(tf.constant([3, 1, 3])), VALUES[[3, 1, 3]])


@pytest.mark.parametrize("combiner", ["mean", "sum", "sqrtn"])
def test_ragged_ids_are_pooled_and_an_empty_list_gives_zeros(combiner: str) -> None:
    found = table(combiner)(tf.ragged.constant(LISTS, dtype=tf.int64)).numpy()
    np.testing.assert_allclose(found, pooled(combiner), rtol=1e-6)
    assert not found[1].any()


@pytest.mark.parametrize("combiner", ["mean", "sum", "sqrtn"])
def test_padding_with_0_is_the_same_as_ragged(combiner: str) -> None:
    padded = tf.constant([[1, 0, 0, 0], [0, 0, 0, 0], [2, 2, 4, 0], [0, 3, 0, 4]])
    np.testing.assert_allclose(table(combiner)(padded), pooled(combiner), rtol=1e-6)


def test_batch_of_empty_lists_gives_zeros() -> None:
    empty = tf.RaggedTensor.from_row_lengths(tf.constant([], tf.int64), [0, 0, 0])
    np.testing.assert_array_equal(table()(empty), np.zeros((3, 2)))


@pytest.mark.parametrize("unknown", [5, -1, 2**40])
def test_id_outside_the_table_gets_the_unknown_row(unknown: int) -> None:
    np.testing.assert_array_equal(table()(tf.constant([unknown], tf.int64)), VALUES[[0]])
    np.testing.assert_array_equal(table()(tf.ragged.constant([[unknown]], dtype=tf.int64)), VALUES[[0]])


def test_gradient_holds_the_looked_up_rows_alone() -> None:
    made = table("sum")
    for ids in (tf.constant([1, 4]), tf.ragged.constant([[1], [4]], dtype=tf.int64), tf.constant([[1], [4]])):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(made(ids) * 3.0)
        gradient = tape.gradient(loss, made.embeddings.value)
        assert isinstance(gradient, tf.IndexedSlices)
        np.testing.assert_array_equal(tf.convert_to_tensor(gradient)[:, 0], [0, 3, 0, 0, 3])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_long_lists_are_summed_in_float32(policy: str) -> None:
    made = EmbeddingTable(2, 1, dtype=policy)
    made.build()
    made.embeddings.assign([[0.0], [100.0]])
    long = tf.RaggedTensor.from_row_lengths(tf.ones(2_000, tf.int64), [2_000])
    for ids in (long, long.to_tensor()):
        assert made(ids).dtype == policy.removeprefix("mixed_")
        np.testing.assert_allclose(tf.cast(made(ids), tf.float32), [[100.0]], rtol=1e-2)


def test_initializer_is_used() -> None:
    made = EmbeddingTable(4, 2, initializer="ones")
    np.testing.assert_array_equal(made(tf.constant([0, 3])), np.ones((2, 2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4), "cardinality >= 1 and dim >= 1. Received 0 and 4"),
        ((4, 0), "cardinality >= 1 and dim >= 1. Received 4 and 0"),
        ((4, 4, "max"), r"combiner is one of .*Received 'max'"),
    ],
)
def test_bad_arguments_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmbeddingTable(*arguments)
