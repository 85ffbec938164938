"""What every lazy optimiser promises: Keras's numbers where every row is in the batch, absent rows left alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.optimizers.sparse_gradients import ROWS, WIDTH, after, dense, model, slots, sparse, table, train
from tests.sample_columns import batch
from tfdual.features import EmbeddingTable
from tfdual.optimizers import LazyAdam, LazyFtrl, LazyMomentum, LazyOptimizer, RowwiseAdagrad

FTRL = {
    "learning_rate_power": -0.6,
    "initial_accumulator_value": 0.2,
    "l1_regularization_strength": 0.02,
    "l2_regularization_strength": 0.03,
    "l2_shrinkage_regularization_strength": 0.04,
    "beta": 0.5,
}
ADAM = {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}
ADAGRAD = {"initial_accumulator_value": 0.2, "epsilon": 1e-3}
CASES = {
    "adam": (LazyAdam, keras.optimizers.Adam, ADAM),
    "momentum": (LazyMomentum, keras.optimizers.SGD, {"momentum": 0.8}),
    "nesterov": (LazyMomentum, keras.optimizers.SGD, {"momentum": 0.8, "nesterov": True}),
    "adagrad of no table": (
        lambda *args, **kw: RowwiseAdagrad(*args, tables="none", **kw),
        keras.optimizers.Adagrad,
        ADAGRAD,
    ),
    "ftrl": (LazyFtrl, keras.optimizers.Ftrl, FTRL),
}
OPTIONS = {
    "plain": {},
    "clipnorm": {"clipnorm": 0.5},
    "global_clipnorm": {"global_clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.3},
    "weight_decay": {"weight_decay": 0.1},
    "accumulation": {"gradient_accumulation_steps": 2},
    "accumulation, decay and clipping": {"gradient_accumulation_steps": 2, "weight_decay": 0.1, "clipnorm": 0.5},
}
EMA = {"ema": {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 3}}
LAZY = {
    "adam": lambda **options: LazyAdam(0.05, **ADAM, **options),
    "momentum": lambda **options: LazyMomentum(0.05, **options),
    "nesterov": lambda **options: LazyMomentum(0.05, nesterov=True, **options),
    "row-wise adagrad": lambda **options: RowwiseAdagrad(0.05, **options),
    "element-wise adagrad": lambda **options: RowwiseAdagrad(0.05, tables="none", **options),
    "ftrl": lambda **options: LazyFtrl(0.05, **FTRL, **options),
}
Make = Callable[..., LazyOptimizer]
each_case = pytest.mark.parametrize("case", CASES)
each_lazy = pytest.mark.parametrize("make", LAZY.values(), ids=LAZY)
each_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
each_option_or_ema = pytest.mark.parametrize("options", (OPTIONS | EMA).values(), ids=OPTIONS | EMA)


def row_2(value: float) -> tf.IndexedSlices:
    return tf.IndexedSlices(tf.fill((1, WIDTH), value), tf.constant([2]), tf.constant([ROWS, WIDTH]))


@each_case
@each_option_or_ema
def test_dense_gradients_give_what_keras_gives(case: str, options: dict) -> None:
    lazy, of_keras, settings = CASES[case]
    gradients = [dense(sparse([0, 2, 2], seed)) for seed in range(6)]
    found = after(lazy(0.05, **settings, **options), gradients)
    np.testing.assert_allclose(found, after(of_keras(0.05, **settings, **options), gradients), rtol=1e-5, atol=1e-7)


@each_case
@each_option_or_ema
def test_sparse_gradients_of_every_row_give_what_keras_gives_for_dense_ones(case: str, options: dict) -> None:
    lazy, of_keras, settings = CASES[case]
    gradients = [sparse([5, 4, 3, 2, 1, 0, 3, 3], seed) for seed in range(6)]
    found = after(lazy(0.05, **settings, **options), gradients)
    wanted = after(of_keras(0.05, **settings, **options), [dense(gradient) for gradient in gradients])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


@each_lazy
@each_option
def test_absent_rows_stay_bit_for_bit(make: Make, options: dict) -> None:
    variable, optimizer = table(), make(**options)
    for seed in range(2):
        optimizer.apply([sparse([0, 1, 2, 3, 4, 5], seed)], [variable])
    before = {"value": variable.numpy()} | slots(optimizer)
    for rows in ([4, 1, 4], [4, 4]):
        optimizer.apply([sparse(rows, seed=2)], [variable])
    for name, value in ({"value": variable.numpy()} | slots(optimizer)).items():
        changed = (value != before[name]).any(axis=1)
        if name != "gradient_accumulator":
            assert changed.tolist() == [False, True, False, False, True, False], name


@each_lazy
@pytest.mark.parametrize("options", [OPTIONS[name] for name in ("clipnorm", "global_clipnorm", "clipvalue")])
def test_clipping_gives_the_rows_of_the_batch_what_it_gives_dense_gradients(make: Make, options: dict) -> None:
    gradients = [sparse([4, 1, 4, 4], seed) for seed in range(3)]
    found = []
    for given in (gradients, [dense(gradient) for gradient in gradients]):
        variable, bias = table(), keras.Variable(np.ones(2, "float32"))
        optimizer = make(**options)
        for gradient in given:
            optimizer.apply([gradient, tf.constant([0.5, -2.0])], [variable, bias])
        found.append((variable.numpy(), bias.numpy()))
    np.testing.assert_allclose(found[0][0][[1, 4]], found[1][0][[1, 4]], rtol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5)


@each_lazy
def test_weight_decay_shrinks_the_rows_of_the_batch_before_the_step(make: Make) -> None:
    shrunk = table()
    shrunk.assign(shrunk.numpy() * np.array([1, 1 - 0.05 * 0.3, 1, 1, 1 - 0.05 * 0.3, 1], "float32")[:, None])
    decayed = table()
    make().apply([sparse([4, 1, 4], seed=1)], [shrunk])
    make(weight_decay=0.3).apply([sparse([4, 1, 4], seed=1)], [decayed])
    np.testing.assert_allclose(decayed.numpy(), shrunk.numpy(), rtol=1e-5)


def test_weight_decay_of_a_schedule_follows_its_rate() -> None:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.1])
    variable, optimizer = table(), LazyMomentum(schedule, weight_decay=0.2)
    for _ in range(2):
        optimizer.apply([row_2(0.0)], [variable])
    factor = np.array([1, 1, (1 - 0.5 * 0.2) * (1 - 0.1 * 0.2), 1, 1, 1])[:, None]
    np.testing.assert_allclose(variable.numpy(), table().numpy() * factor, rtol=1e-6)


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("gradient", [sparse([1, 2], 0), dense(sparse([1, 2], 0))], ids=["sparse", "dense"])
def test_variable_excluded_from_weight_decay_keeps_its_length(by_name: bool, gradient: tf.Tensor) -> None:
    free, tied = table(), keras.Variable(table().numpy(), name="kernel")
    optimizer = LazyMomentum(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(**{"var_names": ["embed"]} if by_name else {"var_list": [free]})
    optimizer.apply([gradient, gradient], [free, tied])
    plain = LazyMomentum(0.1)
    wanted = after(plain, [gradient])
    np.testing.assert_array_equal(free.numpy(), wanted)
    assert not np.allclose(tied.numpy()[1:3], wanted[1:3], rtol=1e-3)


def test_accumulated_rows_move_by_the_mean_of_their_gradients() -> None:
    variable, optimizer = table(), LazyMomentum(0.1, momentum=0.0, gradient_accumulation_steps=3)
    given = [sparse(rows, seed) for seed, rows in enumerate([[1, 1], [4], [1, 0]])]
    for gradient in given[:2]:
        optimizer.apply([gradient], [variable])
    np.testing.assert_array_equal(variable.numpy(), table().numpy())
    optimizer.apply([given[2]], [variable])
    mean = sum(dense(gradient).numpy() for gradient in given) / 3
    np.testing.assert_allclose(variable.numpy(), table().numpy() - 0.1 * mean, rtol=1e-6)
    assert int(optimizer.iterations) == 1


def test_average_of_weights_is_that_of_every_row_and_ends_in_the_variable() -> None:
    variable, optimizer = table(), LazyMomentum(0.5, use_ema=True, ema_momentum=0.6)
    average = None
    for seed, rows in enumerate([[1, 2], [2], [0]]):
        optimizer.apply([sparse(rows, seed)], [variable])
        average = variable.numpy() if average is None else 0.6 * average + 0.4 * variable.numpy()
    optimizer.finalize_variable_values([variable])
    np.testing.assert_allclose(variable.numpy(), average, rtol=1e-5)


@each_lazy
def test_batch_of_no_rows_changes_nothing(make: Make) -> None:
    variable, optimizer = table(), make(weight_decay=0.1, clipnorm=1.0)
    optimizer.apply([sparse([], seed=0)], [variable])
    np.testing.assert_array_equal(variable.numpy(), table().numpy())


@each_lazy
@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 2, "clipnorm": 1.0}], ids=["plain", "sum"])
def test_embedding_lookup_in_a_graph_gives_the_eager_numbers(make: Make, options: dict) -> None:
    found = []
    for compiled in (False, True):
        layer, optimizer = EmbeddingTable(10, 4), make(**options)
        layer.build()
        before = np.random.default_rng(0).normal(size=(10, 4)).astype("float32")
        layer.embeddings.assign(before)
        optimizer.build([layer.embeddings])

        def step(ids: tf.RaggedTensor, layer: EmbeddingTable = layer, optimizer: LazyOptimizer = optimizer) -> None:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(layer(ids) - 1.0))
            optimizer.apply(tape.gradient(loss, [layer.embeddings.value]), [layer.embeddings])

        run = tf.function(step) if compiled else step
        for _ in range(4):
            run(tf.ragged.constant([[3, 3], [], [8]], dtype=tf.int64))
        changed = (layer.embeddings.numpy() != before).any(axis=1)
        assert np.flatnonzero(changed).tolist() == [3, 8]
        found.append(layer.embeddings.numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)


@each_lazy
@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 3, "use_ema": True}], ids=["plain", "all"])
def test_training_goes_on_after_loading_as_if_never_saved(make: Make, options: dict, tmp_path: Path) -> None:
    options = options | {"clipnorm": 1.0, "weight_decay": 0.01}
    undisturbed, stopped = model(make(**options)), model(make(**options))
    train(undisturbed, 4)
    train(stopped, 2)
    stopped.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert int(loaded.optimizer.variables[0]) == 2
    train(loaded, 2)
    for one, other in zip(loaded.get_weights(), undisturbed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    fresh = model(make(**options))
    fresh.set_weights(stopped.get_weights())
    train(fresh, 2)
    assert not np.allclose(fresh.get_weights()[0], undisturbed.get_weights()[0], rtol=1e-4, atol=0)


def test_config_with_a_schedule_is_left_as_it_was() -> None:
    optimizer = LazyAdam(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), weight_decay=0.2)
    config = optimizer.get_config()
    again = LazyAdam.from_config(config)
    assert config == optimizer.get_config() == again.get_config()
    assert isinstance(config["learning_rate"], dict)


@pytest.fixture
def float16() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


@each_lazy
@pytest.mark.usefixtures("float16")
def test_keras_scales_the_loss_and_absent_rows_stay(make: Make) -> None:
    half = model(make(), run_eagerly=False)
    before = half.towers.query.tables["user_id"].embeddings.numpy()
    losses = train(half, 8)
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
    assert isinstance(half.optimizer.inner_optimizer, LazyOptimizer)
    assert np.isfinite(losses).all()
    assert int(half.optimizer.iterations) > 0
    changed = (half.towers.query.tables["user_id"].embeddings.numpy() != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == sorted(set(batch()["user_id"].numpy().tolist()))


@each_lazy
@pytest.mark.usefixtures("float16")
def test_step_whose_gradient_overflows_changes_nothing(make: Make) -> None:
    variable = table()
    optimizer = keras.optimizers.LossScaleOptimizer(make())
    before = variable.numpy()
    optimizer.apply([row_2(np.inf)], [variable])
    assert np.array_equal(variable.numpy(), before)
    scale = float(optimizer.dynamic_scale)
    optimizer.apply([row_2(scale)], [variable])
    unscaled = after(make(), [row_2(1.0)])
    np.testing.assert_allclose(variable.numpy(), unscaled, rtol=1e-6)
    assert not np.array_equal(variable.numpy()[2], before[2])
