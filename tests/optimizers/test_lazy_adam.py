"""LazyAdam against Keras's Adam, and against Adam's formulas row by row in NumPy."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual.blocks import MLPBlock
from tfdual.features import EmbeddingTable
from tfdual.models import TwoTowerModel
from tfdual.optimizers import LazyAdam
from tfdual.towers import TwoTowerBlock

ROWS, WIDTH = 6, 3


def table(seed: int = 0) -> keras.Variable:
    return keras.Variable(np.random.default_rng(seed).normal(size=(ROWS, WIDTH)).astype("float32"))


def sparse(rows: list[int], seed: int) -> tf.IndexedSlices:
    values = np.random.default_rng(seed).normal(size=(len(rows), WIDTH)).astype("float32")
    return tf.IndexedSlices(tf.constant(values), tf.constant(rows, tf.int64), (ROWS, WIDTH))


def dense(gradient: tf.IndexedSlices) -> tf.Tensor:
    summed = np.zeros((ROWS, WIDTH), "float32")
    np.add.at(summed, gradient.indices.numpy(), gradient.values.numpy())
    return tf.constant(summed)


def after(optimizer: keras.optimizers.Optimizer, gradients: list) -> np.ndarray:
    variable = table()
    for gradient in gradients:
        optimizer.apply([gradient], [variable])
    return variable.numpy()


def slots(optimizer: LazyAdam) -> dict[str, np.ndarray]:
    found = {variable.path.rsplit("_", 1)[-1]: variable.numpy() for variable in optimizer.variables[2:]}
    assert {value.shape for value in found.values()} == {(ROWS, WIDTH)}
    assert len(found) == 2
    return found


SETTINGS = {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}


def test_dense_gradients_give_keras_adam() -> None:
    gradients = [dense(sparse([0, 2, 2], seed)) for seed in range(5)]
    adam = after(keras.optimizers.Adam(**SETTINGS), gradients)
    np.testing.assert_allclose(after(LazyAdam(**SETTINGS), gradients), adam, rtol=1e-6)


def test_defaults_are_those_of_keras_adam() -> None:
    gradients = [dense(sparse([0, 2, 2], seed)) for seed in range(5)]
    np.testing.assert_allclose(after(LazyAdam(), gradients), after(keras.optimizers.Adam(), gradients), rtol=1e-6)


def test_sparse_gradients_that_touch_every_row_give_keras_adam() -> None:
    gradients = [sparse([5, 4, 3, 2, 1, 0, 3, 3], seed) for seed in range(5)]
    adam = after(keras.optimizers.Adam(**SETTINGS), [dense(gradient) for gradient in gradients])
    np.testing.assert_allclose(after(LazyAdam(**SETTINGS), gradients), adam, rtol=1e-5)


def test_rows_of_a_sparse_gradient_follow_the_formula_with_repeats_summed() -> None:
    values, first, second = table().numpy().astype("float64"), np.zeros((ROWS, WIDTH)), np.zeros((ROWS, WIDTH))
    batches = [[1, 1, 4], [4, 0, 4, 4], [1, 2]]
    for step, rows in enumerate(batches, start=1):
        gradient = dense(sparse(rows, seed=step)).numpy()
        for row in set(rows):
            first[row] = 0.8 * first[row] + 0.2 * gradient[row]
            second[row] = 0.95 * second[row] + 0.05 * gradient[row] ** 2
            rate = 0.05 * np.sqrt(1 - 0.95**step) / (1 - 0.8**step)
            values[row] -= rate * first[row] / (np.sqrt(second[row]) + 1e-3)
    optimizer = LazyAdam(**SETTINGS)
    found = after(optimizer, [sparse(rows, seed=step) for step, rows in enumerate(batches, start=1)])
    np.testing.assert_allclose(found, values, rtol=1e-5)
    np.testing.assert_allclose(slots(optimizer)["momentum"], first, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(slots(optimizer)["velocity"], second, rtol=1e-5, atol=1e-7)


CLIPPING = {"none": {}, "clipnorm": {"clipnorm": 0.5}, "global": {"global_clipnorm": 0.5}, "value": {"clipvalue": 0.3}}
clipping = pytest.mark.parametrize("clip", CLIPPING.values(), ids=CLIPPING)


@clipping
def test_absent_rows_stay_bit_for_bit(clip: dict) -> None:
    variable, optimizer = table(), LazyAdam(**SETTINGS, **clip)
    optimizer.apply([sparse([0, 1, 2, 3, 4, 5], seed=0)], [variable])
    before = {"value": variable.numpy()} | slots(optimizer)
    optimizer.apply([sparse([4, 1, 4], seed=1)], [variable])
    for name, value in ({"value": variable.numpy()} | slots(optimizer)).items():
        changed = (value != before[name]).any(axis=1)
        assert changed.tolist() == [False, True, False, False, True, False], name


@clipping
def test_clipping_sees_repeated_rows_summed(clip: dict) -> None:
    gradients = [sparse([4, 1, 4, 4], seed) for seed in range(3)]
    found = []
    for given in (gradients, [dense(gradient) for gradient in gradients]):
        variable, bias = table(), keras.Variable(np.ones(2, "float32"))
        optimizer = LazyAdam(**SETTINGS, **clip)
        for gradient in given:
            optimizer.apply([gradient, tf.constant([0.5, -2.0])], [variable, bias])
        found.append((variable.numpy(), bias.numpy()))
    np.testing.assert_allclose(found[0][0][[1, 4]], found[1][0][[1, 4]], rtol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5)


def test_learning_rate_schedule_is_followed() -> None:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [0.1, 0.01, 0.0])
    variable, optimizer = table(), LazyAdam(schedule)
    moves = []
    for _ in range(3):
        before = variable.numpy()
        optimizer.apply([tf.IndexedSlices(tf.ones((1, WIDTH)), tf.constant([2]), (ROWS, WIDTH))], [variable])
        moves.append(float(np.abs(variable.numpy() - before).max()))
    assert moves == pytest.approx([0.1, 0.01, 0.0], rel=1e-3)


def test_learning_rate_can_be_set_while_training() -> None:
    variable, optimizer = table(), LazyAdam(0.1)
    optimizer.apply([sparse([1], 0)], [variable])
    optimizer.learning_rate = 0.0
    before = variable.numpy()
    optimizer.apply([sparse([1], 1)], [variable])
    assert np.array_equal(variable.numpy(), before)


def test_embedding_lookup_leaves_absent_rows_alone_in_a_graph() -> None:
    layer, optimizer = EmbeddingTable(10, 4), LazyAdam(0.1)
    layer.build()
    before = layer.embeddings.numpy()

    @tf.function
    def step(ids: tf.RaggedTensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(ids) - 1.0))
        optimizer.apply(tape.gradient(loss, [layer.embeddings.value]), [layer.embeddings])

    optimizer.build([layer.embeddings])
    for _ in range(3):
        step(tf.ragged.constant([[3, 3], [], [8]], dtype=tf.int64))
    changed = (layer.embeddings.numpy() != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == [3, 8]


def model(run_eagerly: bool = True) -> TwoTowerModel:
    keras.utils.set_random_seed(3)
    made = TwoTowerModel(TwoTowerBlock(SCHEMA, MLPBlock([8, 4]), embedding_options=OPTIONS))
    made.build()
    made.compile(LazyAdam(0.05, clipnorm=1.0), run_eagerly=run_eagerly)
    return made


def train(trained: TwoTowerModel, steps: int) -> list[float]:
    return [float(trained.train_on_batch(batch())) for _ in range(steps)]


def test_training_goes_on_after_loading_as_if_never_saved(tmp_path: Path) -> None:
    undisturbed, stopped = model(), model()
    train(undisturbed, 4)
    train(stopped, 2)
    stopped.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert int(loaded.optimizer.iterations) == 2
    train(loaded, 2)
    for one, other in zip(loaded.get_weights(), undisturbed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    fresh = model()
    fresh.set_weights(stopped.get_weights())
    train(fresh, 2)
    assert not np.allclose(fresh.get_weights()[0], undisturbed.get_weights()[0], rtol=1e-3)


@pytest.fixture
def float16() -> object:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("float16")
def test_keras_scales_the_loss_and_absent_rows_stay() -> None:
    half = model(run_eagerly=False)
    before = half.towers.query.tables["user_id"].embeddings.numpy()
    losses = train(half, 8)
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
    assert isinstance(half.optimizer.inner_optimizer, LazyAdam)
    assert losses[-1] < losses[0]
    changed = (half.towers.query.tables["user_id"].embeddings.numpy() != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == sorted(set(batch()["user_id"].numpy().tolist()))


@pytest.mark.usefixtures("float16")
def test_step_whose_gradient_overflows_changes_nothing() -> None:
    variable = table()
    optimizer = keras.optimizers.LossScaleOptimizer(LazyAdam(0.1))
    before = variable.numpy()
    optimizer.apply([tf.IndexedSlices(tf.fill((1, WIDTH), np.inf), tf.constant([2]), (ROWS, WIDTH))], [variable])
    assert np.array_equal(variable.numpy(), before)
    scale = float(optimizer.dynamic_scale)
    optimizer.apply([tf.IndexedSlices(tf.fill((1, WIDTH), scale), tf.constant([2]), (ROWS, WIDTH))], [variable])
    np.testing.assert_allclose(before[2] - variable.numpy()[2], 0.1, rtol=0.5)
    assert np.array_equal(np.delete(variable.numpy(), 2, axis=0), np.delete(before, 2, axis=0))
