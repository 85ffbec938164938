from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.features import EmbeddingTable

VALUES = np.array([[100, 200], [1, -10], [2, 20], [3, -30], [4, 40]], "float32")
LISTS = [[1], [], [2, 2, 4], [3, 4]]
WEIGHTS = [[0.5], [], [1.0, 2.0, 4.0], [3.0, -1.0]]
PADDED = [[0, 1, 0], [0, 0, 0], [2, 2, 4], [3, 4, 0]]
PADDED_WEIGHTS = [[np.nan, 0.5, np.nan], [np.nan] * 3, [1.0, 2.0, 4.0], [3.0, -1.0, np.nan]]
COMBINERS = ["mean", "sum", "sqrtn", "max"]


def table(combiner: str = "mean", **kwargs: Any) -> EmbeddingTable:
    made = EmbeddingTable(5, 2, combiner, **kwargs)
    made.build()
    made.embeddings.assign(VALUES)
    return made


def pooled(combiner: str, weights: list[list[float]] | None = None) -> np.ndarray:
    rows = []
    for ids, own in zip(LISTS, weights or [[1.0] * len(ids) for ids in LISTS], strict=True):
        looked_up, own = [VALUES[i] for i in ids], np.array(own)
        total = sum((w * x for w, x in zip(own, looked_up, strict=True)), np.zeros(2))
        if not ids:
            rows.append(np.zeros(2))
        elif combiner == "max":
            rows.append(np.max(looked_up, axis=0))
        else:
            rows.append(total / {"mean": own.sum(), "sum": 1, "sqrtn": np.sqrt((own**2).sum())}[combiner])
    return np.array(rows)


def ragged(values: list, dtype: Any = tf.int64) -> tf.RaggedTensor:
    return tf.ragged.constant(values, dtype=dtype, ragged_rank=1)


def test_one_id_a_row_is_looked_up() -> None:
    np.testing.assert_array_equal(table()(tf.constant([3, 1, 3])), VALUES[[3, 1, 3]])


@pytest.mark.parametrize("combiner", COMBINERS)
def test_ragged_ids_are_pooled_and_an_empty_list_gives_zeros(combiner: str) -> None:
    found = table(combiner)(ragged(LISTS)).numpy()
    np.testing.assert_allclose(found, pooled(combiner), rtol=1e-6)
    assert not found[1].any()


@pytest.mark.parametrize("combiner", COMBINERS)
def test_padding_with_0_is_the_same_as_ragged(combiner: str) -> None:
    np.testing.assert_allclose(table(combiner)(tf.constant(PADDED)), pooled(combiner), rtol=1e-6)


@pytest.mark.parametrize("combiner", COMBINERS)
def test_combiner_of_a_call_goes_before_the_tables_own(combiner: str) -> None:
    made = table("sum" if combiner != "sum" else "mean")
    np.testing.assert_allclose(made(ragged(LISTS), combiner=combiner), pooled(combiner), rtol=1e-6)


@pytest.mark.parametrize("combiner", ["mean", "sum", "sqrtn"])
def test_weights_weigh_the_rows_ragged_and_padded(combiner: str) -> None:
    made, wanted = table(combiner), pooled(combiner, WEIGHTS)
    pairs = [(ragged(LISTS), ragged(WEIGHTS, tf.float32)), (tf.constant(PADDED), tf.constant(PADDED_WEIGHTS))]
    for ids, weights in pairs:
        np.testing.assert_allclose(made(ids, weights=weights), wanted, rtol=1e-6)
        np.testing.assert_allclose(tf.function(made)(ids, weights), wanted, rtol=1e-6)


def test_weights_of_tensorflows_own_lookup_give_the_same() -> None:
    for combiner in ("mean", "sum", "sqrtn"):
        ids, weights = ragged(LISTS), ragged(WEIGHTS, tf.float32)
        wanted = tf.nn.embedding_lookup_sparse(VALUES, ids.to_sparse(), weights.to_sparse(), combiner=combiner)
        found = table(combiner)(ids, weights=weights)
        np.testing.assert_allclose(found[: wanted.shape[0]], wanted, rtol=1e-6)


@pytest.mark.parametrize("combiner", ["mean", "sum", "sqrtn"])
def test_weights_of_0_in_total_give_zeros_and_finite_gradients(combiner: str) -> None:
    made, ids = table(combiner), ragged([[1, 2], [3]])
    for weights in (ragged([[0.0, 0.0], [0.0]], tf.float32), tf.zeros((2, 2))):
        asked = ids if isinstance(weights, tf.RaggedTensor) else ids.to_tensor()
        values = weights.flat_values if isinstance(weights, tf.RaggedTensor) else weights
        with tf.GradientTape() as tape:
            tape.watch(values)
            given = weights.with_flat_values(values) if isinstance(weights, tf.RaggedTensor) else values
            found = made(asked, weights=given)
        np.testing.assert_array_equal(found, np.zeros((2, 2)))
        assert np.isfinite(tape.gradient(found, values)).all()


def test_integer_weights_count_as_floats() -> None:
    np.testing.assert_array_equal(table("sum")(ragged([[1, 2]]), weights=ragged([[3, 1]])), [[5.0, -10.0]])


@pytest.mark.parametrize(
    ("ids", "weights", "arguments", "message"),
    [
        (ragged([[1], [2]]), ragged([[1.0]], tf.float32), {}, "the shape of its ids"),
        (ragged([[1], [2, 3]]), ragged([[1.0, 2.0], [3.0]], tf.float32), {}, "differ in number or length"),
        (ragged([[1], [2]]), tf.ones((2, 1)), {}, "Received ragged ids and dense weights"),
        (tf.constant([[1, 2]]), ragged([[1.0, 2.0]], tf.float32), {}, "Received dense ids and ragged weights"),
        (tf.constant([[1, 2]]), tf.ones((1, 1)), {}, "differ in number or length"),
        (tf.constant([[1, 2]]), tf.ones((1,)), {}, "differ in number or length"),
        (tf.constant([1, 2]), tf.ones((2,)), {}, "Weights weigh the ids of a list. 'liked' has one id a row"),
        (tf.constant([[1, 2]]), tf.ones((1, 2)), {"combiner": "max"}, "'max' takes no weights, and 'liked' has some"),
        (tf.constant([[1, 2]]), tf.ones((1, 2)), {"combiner": "none"}, "'none' takes no weights"),
        (tf.constant([[1, 2]]), None, {"combiner": "median"}, "combiner is one of .*Received 'median'"),
        (tf.constant([[[1]]]), None, {}, r"'liked' are \(batch,\) or \(batch, length\)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(ids: Any, weights: Any, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        table()(ids, weights=weights, column_name="liked", **arguments)


@pytest.mark.parametrize("kind", [tf.TensorSpec, tf.RaggedTensorSpec])
def test_weights_of_another_shape_are_refused_by_a_graph_of_any_shape(kind: type) -> None:
    made = table("sum")
    signature = [kind([None, None], tf.int64), kind([None, None], tf.float32)]
    function = tf.function(lambda ids, weights: made(ids, weights=weights), input_signature=signature)
    ids, weights = ragged([[1, 2], [3, 4]]), ragged([[1.0], [2.0]], tf.float32)
    fitting = ragged([[1.0, 1.0], [1.0, 1.0]], tf.float32)
    if kind is tf.TensorSpec:
        ids, weights, fitting = ids.to_tensor(), weights.to_tensor(), fitting.to_tensor()
    np.testing.assert_array_equal(function(ids, fitting), [[3, 10], [7, 10]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="the shape of its ids"):
        function(ids, weights)


def test_ids_that_are_no_integers_are_refused() -> None:
    with pytest.raises(TypeError, match="'liked' must be integers. Received .*float32"):
        table()(tf.constant([1.0]), column_name="liked")


def test_lists_that_are_not_pooled_stay_lists() -> None:
    made = table()
    kept = made(ragged(LISTS), combiner="none")
    assert kept.row_lengths().numpy().tolist() == [1, 0, 3, 2]
    np.testing.assert_array_equal(kept.flat_values, VALUES[[1, 2, 2, 4, 3, 4]])
    wanted = np.where(np.array(PADDED)[..., None] > 0, VALUES[PADDED], 0)
    np.testing.assert_array_equal(made(tf.constant(PADDED), combiner="none"), wanted)


@pytest.mark.parametrize("combiner", COMBINERS)
def test_batch_of_no_rows_and_lists_of_no_length_give_no_rows_and_zeros(combiner: str) -> None:
    made = table(combiner)
    assert made(ragged(LISTS)[:0]).shape == (0, 2)
    assert made(tf.constant(PADDED)[:0]).shape == (0, 2)
    np.testing.assert_array_equal(made(tf.constant(PADDED)[:, :0]), np.zeros((4, 2)))


def test_batch_of_empty_lists_gives_zeros() -> None:
    empty = tf.RaggedTensor.from_row_lengths(tf.constant([], tf.int64), [0, 0, 0])
    np.testing.assert_array_equal(table()(empty), np.zeros((3, 2)))


@pytest.mark.parametrize("unknown", [5, -1, 2**40])
def test_id_outside_the_table_gets_the_unknown_row(unknown: int) -> None:
    np.testing.assert_array_equal(table()(tf.constant([unknown], tf.int64)), VALUES[[0]])
    np.testing.assert_array_equal(table()(tf.ragged.constant([[unknown]], dtype=tf.int64)), VALUES[[0]])
    np.testing.assert_array_equal(table("sum")(tf.constant([[1, unknown, 0]], tf.int64)), VALUES[[0]] + VALUES[[1]])


@pytest.mark.parametrize("combiner", ["sum", "max"])
def test_gradient_holds_the_looked_up_rows_alone(combiner: str) -> None:
    made = table(combiner)
    for ids in (tf.constant([1, 4]), tf.ragged.constant([[1], [4]], dtype=tf.int64), tf.constant([[1, 0], [4, 0]])):
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


def test_initializer_object_survives_the_config() -> None:
    made = EmbeddingTable(4, 2, initializer=keras.initializers.RandomNormal(stddev=0.5, seed=7))
    again = EmbeddingTable.from_config(made.get_config())
    np.testing.assert_array_equal(again(tf.constant([1, 2])), made(tf.constant([1, 2])))


@pytest.mark.parametrize("kind", ["padded", "ragged"])
def test_weights_stay_in_float32_under_mixed_precision(kind: str) -> None:
    ids, weights = ragged([[1, 1]]), ragged([[2049.0, -2048.0]], tf.float32)  # float16 has no 2049
    if kind == "padded":
        ids, weights = ids.to_tensor(), weights.to_tensor()
    found = table("sum", dtype="mixed_float16")(ids, weights=weights)
    assert found.dtype == tf.float16
    np.testing.assert_array_equal(found, VALUES[1:2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4), "cardinality >= 1 and dim >= 1. Received 0 and 4"),
        ((4, 0), "cardinality >= 1 and dim >= 1. Received 4 and 0"),
        ((4, 4, "median"), r"combiner is one of .*Received 'median'"),
        ((4, 4, "sum", "unifrom"), "no initializer of the name 'unifrom'"),
        ((4, 4, "sum", "ones", -1.0), "l2 is 0 or more. Received -1.0"),
    ],
)
def test_bad_arguments_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmbeddingTable(*arguments)
