"""What all tables share beyond the lookup: L2, sequences, symbolic calls, freezing."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.features import EmbeddingTable, HashedTable, OneHotEncoder, QuotientRemainderTable, Table

RAGGED = tf.ragged.constant([[1, 2, 2], [], [4, 7]], dtype=tf.int64)
PADDED = tf.constant([[0, 1, 2, 2], [0, 0, 0, 0], [4, 0, 7, 0]])
TABLES = [
    lambda **kwargs: EmbeddingTable(8, 3, **kwargs),
    lambda **kwargs: QuotientRemainderTable(8, 3, **kwargs),
    lambda **kwargs: HashedTable(8, 3, 5, **kwargs),
]
each_table = pytest.mark.parametrize("make", TABLES, ids=["embedding", "quotient", "hashed"])


class Summed(keras.Model):
    """A model that looks two columns up in one table."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.table = table

    def build(self, input_shape: object = None) -> None:
        self.table.build()

    def call(self, inputs: dict) -> tf.Tensor:
        return tf.reduce_sum(self.table(inputs["one"]) + self.table(inputs["many"]), axis=1, keepdims=True)


def rows_of(table: Table, ids: list[int]) -> np.ndarray:
    return np.array([table(tf.constant([i])).numpy()[0] for i in ids])


@each_table
@pytest.mark.parametrize("ids", [RAGGED, PADDED])
def test_l2_is_the_mean_over_the_batch_of_the_squares_of_the_rows_looked_up(make, ids: tf.Tensor) -> None:
    table = make(l2=0.5)
    wanted = 0.5 * (rows_of(table, [1, 2, 2, 4, 7]) ** 2).sum() / 3
    table(ids)
    assert len(table.losses) == 1
    np.testing.assert_allclose(table.losses[0], wanted, rtol=1e-5)
    if isinstance(ids, tf.RaggedTensor):
        table(ids, weights=tf.cast(ids, tf.float32))
        np.testing.assert_allclose(table.losses[0], wanted, rtol=1e-5, err_msg="weights weigh the pooling alone")


def test_l2_of_one_id_a_row_counts_the_unknown_row_too() -> None:
    table = EmbeddingTable(8, 3, l2=2.0)
    table(tf.constant([0, 3, 99, 3]))
    rows = table.embeddings.numpy()[[0, 3, 0, 3]]
    np.testing.assert_allclose(table.losses, [2 * (rows**2).sum() / 4], rtol=1e-6)


def test_l2_of_a_sequence_is_that_of_its_rows() -> None:
    for ids in (RAGGED, PADDED):
        table = EmbeddingTable(8, 3, l2=2.0)
        table.sequence(ids)
        rows = table.embeddings.numpy()[[1, 2, 2, 4, 7]]
        np.testing.assert_allclose(table.losses, [2 * (rows**2).sum() / 3], rtol=1e-6)


def test_l2_of_a_batch_of_no_rows_is_0() -> None:
    table = EmbeddingTable(8, 3, l2=2.0)
    for ids in (RAGGED[:0], PADDED[:0], tf.constant([], tf.int64)):
        table(ids)
        np.testing.assert_array_equal(table.losses, [0.0])


def test_no_l2_is_no_loss() -> None:
    table = EmbeddingTable(8, 3)
    table(RAGGED)
    assert table.losses == []


def test_model_adds_one_loss_a_column_and_fit_trains_it() -> None:
    model = Summed(EmbeddingTable(8, 3, initializer="ones", l2=0.5))
    inputs = {"one": tf.constant([1, 2, 3]), "many": RAGGED}
    model(inputs)
    np.testing.assert_allclose(model.losses, [0.5 * 3 * 3 / 3, 0.5 * 5 * 3 / 3])
    traced = tf.function(lambda inputs: (model(inputs), model.losses)[1])(inputs)
    np.testing.assert_allclose(traced, [1.5, 2.5])
    model.compile(keras.optimizers.SGD(0.1), loss=lambda target, output: 0 * tf.reduce_sum(output))
    data = tf.data.Dataset.from_tensors((inputs, tf.zeros((3, 1))))
    history = model.fit(data, epochs=2, verbose=0).history["loss"]
    np.testing.assert_allclose(history[0], 4.0, rtol=1e-6)
    looked_up = np.array([0, 2, 3, 1, 1, 0, 0, 1])  # how often each id is looked up, in both columns
    np.testing.assert_allclose(history[1], (0.5 / 3 * 3 * looked_up * (1 - 0.1 * looked_up / 3) ** 2).sum(), rtol=1e-5)


def test_sequence_of_ragged_ids_is_dense_with_a_mask() -> None:
    table = EmbeddingTable(8, 3)
    rows, mask = table.sequence(RAGGED)
    np.testing.assert_array_equal(mask, [[1, 1, 1], [0, 0, 0], [1, 1, 0]])
    values = table.embeddings.numpy()
    np.testing.assert_array_equal(rows[0], values[[1, 2, 2]])
    np.testing.assert_array_equal(rows[2], [*values[[4, 7]], np.zeros(3)])
    assert not rows.numpy()[1].any()


def test_sequence_of_padded_ids_stays_where_it_is() -> None:
    table = EmbeddingTable(8, 3)
    rows, mask = table.sequence(PADDED)
    np.testing.assert_array_equal(mask, PADDED.numpy() > 0)
    np.testing.assert_array_equal(rows, np.where(mask[..., None], table.embeddings.numpy()[PADDED], 0))


def test_ragged_id_0_is_an_entry_of_a_sequence() -> None:
    rows, mask = EmbeddingTable(8, 3, initializer="ones").sequence(tf.ragged.constant([[0, 1], [2]]))
    np.testing.assert_array_equal(mask, [[1, 1], [1, 0]])
    np.testing.assert_array_equal(rows[:, :, 0], [[1, 1], [1, 0]])


@pytest.mark.parametrize("ids", [RAGGED, PADDED])
@pytest.mark.parametrize("max_length", [1, 2, 3])
def test_sequence_keeps_the_last_ids(ids: tf.Tensor, max_length: int) -> None:
    table = EmbeddingTable(8, 3)
    rows, mask = table.sequence(ids, max_length)
    values = table.embeddings.numpy()
    for place, kept in enumerate(([1, 2, 2], [], [4, 7])):
        last = kept[-max_length:]
        np.testing.assert_array_equal(rows[place][: len(last)], values[last].reshape(-1, 3))
        assert not rows.numpy()[place, len(last) :].any()
        assert mask.numpy()[place].tolist() == [True] * len(last) + [False] * (mask.shape[1] - len(last))


def test_sequence_needs_lists_and_a_length() -> None:
    with pytest.raises(ValueError, match="made of lists of ids"):
        EmbeddingTable(8, 3).sequence(tf.constant([1, 2]))
    with pytest.raises(ValueError, match="max_length is at least 1. Received 0"):
        EmbeddingTable(8, 3).sequence(PADDED, max_length=0)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_sequence_is_of_the_compute_type(policy: str) -> None:
    table = EmbeddingTable(8, 3, dtype=policy)
    for ids in (RAGGED, PADDED):
        assert table.sequence(ids)[0].dtype == policy.removeprefix("mixed_")
        assert table(ids, combiner="none").dtype == policy.removeprefix("mixed_")


@each_table
def test_rows_of_ids_of_any_shape_are_float32(make) -> None:
    table = make(dtype="mixed_float16")
    ids = np.arange(8).reshape(2, 2, 2)
    rows = table.rows(tf.constant(ids))
    assert rows.dtype == tf.float32
    assert rows.shape == (2, 2, 2, 3)
    np.testing.assert_allclose(rows[1, 0, 1], rows_of(table, [5])[0], rtol=1e-3)


@each_table
def test_gradient_holds_rows_not_tables(make) -> None:
    table = make()
    for ids in (RAGGED, PADDED, tf.constant([1, 2])):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(table(ids))
        gradients = tape.gradient(loss, [weight.value for weight in table.weights])
        assert all(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)


@each_table
@pytest.mark.parametrize("unknown", [8, -1, 2**31 + 5])
def test_ids_outside_get_what_id_0_gets(make, unknown: int) -> None:
    table = make()
    np.testing.assert_array_equal(table(tf.constant([unknown], tf.int64)), table(tf.constant([0])))


def test_symbolic_calls_tell_their_shapes(tmp_path: Path) -> None:
    one, many = keras.Input((), dtype="int64"), keras.Input((4,), dtype="int64")
    table = EmbeddingTable(8, 3)
    weights = keras.Input((4,))
    outputs = [table(one), table(many, weights=weights), table(many, combiner="none")]
    assert [output.shape for output in outputs] == [(None, 3), (None, 3), (None, 4, 3)]
    model = keras.Model([one, many, weights], outputs)
    inputs = [tf.constant([1, 2, 3]), PADDED, tf.ones((3, 4))]
    model.save(tmp_path / "model.keras")
    for found, wanted in zip(keras.models.load_model(tmp_path / "model.keras")(inputs), model(inputs), strict=True):
        np.testing.assert_array_equal(found, wanted)


@each_table
def test_frozen_table_has_no_trainable_weight_in_a_model(make) -> None:
    model = Summed(make(trainable=False))
    model({"one": tf.constant([1, 2, 3]), "many": RAGGED})
    assert model.weights
    assert model.trainable_weights == []
    model.table.trainable = True
    assert len(model.trainable_weights) == len(model.weights)


@pytest.mark.parametrize("layer", [*(make() for make in TABLES), OneHotEncoder(8)], ids=lambda layer: layer.name)
def test_keras_does_not_compile_a_model_of_it_by_xla(layer: keras.layers.Layer) -> None:
    model = keras.Sequential([keras.Input((2,), dtype="int64"), layer])
    with pytest.warns(UserWarning, match="Model doesn't support `jit_compile=True`"):
        model.compile("sgd", "mse", jit_compile=True)
    assert not model.jit_compile
