"""MultiOptimizer: each variable goes to one optimiser, as if that one were alone."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.optimizers.sparse_gradients import dense, model, sparse, table, train
from tests.sample_columns import batch
from tfdual.models import TwoTowerModel
from tfdual.optimizers import LazyAdam, LazyFtrl, LazyMomentum, MultiOptimizer, RowwiseAdagrad


def parts(**options: float) -> MultiOptimizer:
    tables = {
        "*/user_id_table/embeddings": LazyMomentum(0.02, weight_decay=0.1),
        "*_table/embeddings": RowwiseAdagrad(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.9)),
        "*/bias": LazyFtrl(0.1),
    }
    return MultiOptimizer(tables, default=LazyAdam(0.01, use_ema=True), **options)


def held(optimizer: keras.optimizers.Optimizer, path: str) -> list[str]:
    return [part.name for part in optimizer.optimizers if any(path in other.path for other in part.variables)]


def test_first_pattern_that_matches_takes_the_variable() -> None:
    trained = model(parts())
    train(trained, 1)
    assert held(trained.optimizer, "user_id_table_embeddings") == ["lazy_momentum"]
    assert held(trained.optimizer, "item_id_table_embeddings") == ["rowwise_adagrad"]
    assert held(trained.optimizer, "genre_table_embeddings") == ["rowwise_adagrad"]
    assert held(trained.optimizer, "dense_0_bias") == ["lazy_ftrl"]
    assert held(trained.optimizer, "dense_1_kernel") == ["lazy_adam"]
    assert sum(len(part._trainable_variables) for part in trained.optimizer.optimizers) == 11


def test_each_variable_moves_as_by_its_optimizer_alone() -> None:
    gradients = [[sparse([1, 4, 1], seed), tf.constant([0.5, -1.0])] for seed in range(3)]
    both = [table(), keras.Variable(np.ones(2, "float32"), name="bias")]
    alone = [table(), keras.Variable(np.ones(2, "float32"), name="bias")]
    together = MultiOptimizer({"*embeddings": RowwiseAdagrad(0.1)}, default=keras.optimizers.Adam(0.01))
    separate = [RowwiseAdagrad(0.1), keras.optimizers.Adam(0.01)]
    for step in gradients:
        together.apply(step, both)
        for optimizer, gradient, variable in zip(separate, step, alone, strict=True):
            optimizer.apply([gradient], [variable])
    for one, other in zip(both, alone, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert [int(each.iterations) for each in (together, *together.optimizers)] == [3, 3, 3]


def test_schedule_of_a_part_counts_its_steps() -> None:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.0])
    variable, bias = table(), keras.Variable(np.ones(2, "float32"), name="bias")
    optimizer = MultiOptimizer({"*embeddings": keras.optimizers.SGD(schedule)}, keras.optimizers.SGD(0.1))
    places = []
    for _ in range(2):
        optimizer.apply([tf.ones_like(variable.value), tf.ones(2)], [variable, bias])
        places.append(variable.numpy())
    np.testing.assert_allclose(places[0], table().numpy() - 0.5, rtol=1e-5)
    np.testing.assert_array_equal(places[1], places[0])
    np.testing.assert_allclose(bias.numpy(), [0.8, 0.8], rtol=1e-6)


def test_global_norm_is_that_of_all_gradients_with_repeats_summed() -> None:
    gradient, of_bias = sparse([4, 1, 4, 4], seed=0), np.array([0.5, -2.0], "float32")
    variable, bias = table(), keras.Variable(np.ones(2, "float32"), name="bias")
    optimizer = MultiOptimizer(
        {"*embeddings": keras.optimizers.SGD(1.0)}, keras.optimizers.SGD(1.0), global_clipnorm=0.3
    )
    optimizer.apply([gradient, tf.constant(of_bias)], [variable, bias])
    norm = np.sqrt(np.sum(dense(gradient).numpy() ** 2) + np.sum(of_bias**2))
    np.testing.assert_allclose(variable.numpy(), table().numpy() - dense(gradient).numpy() * 0.3 / norm, rtol=1e-5)
    np.testing.assert_allclose(bias.numpy(), 1 - of_bias * 0.3 / norm, rtol=1e-5)


@pytest.mark.parametrize("pattern", ["*/embedding", "*/item_id_table/embeddings"])
def test_pattern_that_gets_no_variable_is_refused(pattern: str) -> None:
    tables = {"*_table/embeddings": RowwiseAdagrad(0.1), pattern: LazyFtrl()}
    with pytest.raises(ValueError, match=r"no pattern before it matches\. Received \['") as caught:
        train(model(MultiOptimizer(tables, default=LazyAdam())), 1)
    assert f"['{pattern}']" in str(caught.value)
    assert "features/item_id_table/embeddings" in str(caught.value)


def test_optimizer_of_two_parts_is_refused() -> None:
    shared = LazyAdam()
    with pytest.raises(ValueError, match="share one optimizer"):
        MultiOptimizer({"*embeddings": shared}, default=shared)


def test_what_is_no_optimizer_is_refused() -> None:
    with pytest.raises(TypeError, match=r"needs Keras optimizers. Received \['adam'\]"):
        MultiOptimizer({"*embeddings": "adam"}, default=LazyAdam())


def test_part_that_scales_the_loss_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Received \['lazy_adam'\], with a loss_scale_factor"):
        MultiOptimizer({"*embeddings": LazyAdam(loss_scale_factor=8.0)}, default=LazyFtrl())


def test_config_keeps_the_order_of_patterns() -> None:
    optimizer = parts(global_clipnorm=2.0)
    again = MultiOptimizer.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    assert list(again.parts) == ["*/user_id_table/embeddings", "*_table/embeddings", "*/bias"]


def assert_near(one: TwoTowerModel, other: TwoTowerModel) -> None:
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


def test_training_goes_on_after_loading_as_if_never_saved(tmp_path: Path) -> None:
    undisturbed, stopped = model(parts(global_clipnorm=1.0)), model(parts(global_clipnorm=1.0))
    train(undisturbed, 4)
    train(stopped, 2)
    stopped.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [int(part.iterations) for part in (loaded.optimizer, *loaded.optimizer.optimizers)] == [2] * 5
    for one, other in zip(loaded.optimizer.variables, stopped.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    train(loaded, 2)
    assert_near(loaded, undisturbed)


def test_fit_in_a_graph_gives_the_eager_numbers_and_callbacks_set_every_rate() -> None:
    found = []
    for run_eagerly in (True, False):
        optimizer = MultiOptimizer({"*embeddings": RowwiseAdagrad(0.1)}, default=LazyAdam(0.01))
        trained = model(optimizer, run_eagerly)
        halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
        history = trained.fit(tf.data.Dataset.from_tensors(batch()), epochs=3, callbacks=[halve], verbose=0)
        assert history.history["loss"][-1] < history.history["loss"][0]
        assert int(optimizer.iterations) == 3
        rates = [float(part.learning_rate) for part in optimizer.optimizers]
        assert rates == pytest.approx([0.1 / 8, 0.01 / 8])
        found.append(trained)
    assert_near(*found)


def test_averages_of_a_part_end_in_its_variables_alone() -> None:
    variable, bias = table(), keras.Variable(np.ones(2, "float32"), name="bias")
    averaged = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    optimizer = MultiOptimizer({"bias": averaged}, default=keras.optimizers.SGD(1.0))
    for _ in range(2):
        optimizer.apply([tf.ones_like(variable.value), tf.ones(2)], [variable, bias])
    optimizer.finalize_variable_values([variable, bias])
    np.testing.assert_allclose(bias.numpy(), [-0.5, -0.5])
    np.testing.assert_allclose(variable.numpy(), table().numpy() - 2, rtol=1e-6)


@pytest.fixture
def float16() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("float16")
def test_keras_scales_the_loss_around_it_and_saves_both(tmp_path: Path) -> None:
    half, undisturbed = model(parts(), run_eagerly=False), model(parts(), run_eagerly=False)
    before = half.towers.query.tables["user_id"].embeddings.numpy()
    losses = train(half, 4)
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
    assert losses[-1] < losses[0]
    changed = (half.towers.query.tables["user_id"].embeddings.numpy() != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == sorted(set(batch()["user_id"].numpy().tolist()))
    half.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    train(loaded, 2)
    train(undisturbed, 6)
    assert_near(loaded, undisturbed)


def test_state_is_saved_once(tmp_path: Path) -> None:
    trained = model(MultiOptimizer({"*embeddings": LazyAdam(0.1)}, default=LazyAdam(0.01)))
    train(trained, 1)
    store: dict = {}
    trained.optimizer.save_own_variables(store)
    assert list(store) == ["iterations"]
