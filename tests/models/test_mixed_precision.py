"""Training in half precision: weights stay float32, and the loss is that of float32."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual import ColumnSchema, InputBlock, LazyAdam, MLPBlock, Schema, Tags, TwoTowerBlock, TwoTowerModel
from tfdual.features import PiecewiseLinearEncoder
from tfdual.negatives import CrossBatchMemory, InBatch

STEPS = 30


def losses(policy: str, optimizer: keras.optimizers.Optimizer) -> tuple[TwoTowerModel, list[float]]:
    keras.utils.set_random_seed(5)
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        towers = TwoTowerBlock(SCHEMA, MLPBlock([16, 8], activation="tanh"), embedding_options=OPTIONS, post="l2-norm")
        model = TwoTowerModel(towers, temperature=0.2, negatives=InBatch() + CrossBatchMemory(8))
        model.compile(optimizer)
        data = tf.data.Dataset.from_tensors(batch()).repeat(STEPS)
        found: list[float] = []
        watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: found.append(logs["loss"]))
        model.fit(data, epochs=3, verbose=0, callbacks=[watch])
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    return model, found


def scaled() -> keras.optimizers.Optimizer:
    """A scale at which no gradient overflows; Keras's own begins at 32,768 and leaves out steps until it fits."""
    return keras.optimizers.LossScaleOptimizer(LazyAdam(0.003), initial_scale=128.0)


@pytest.mark.parametrize(
    ("policy", "optimizer"), [("mixed_float16", scaled), ("mixed_bfloat16", lambda: LazyAdam(0.003))]
)
def test_training_in_half_precision_goes_as_in_float32(
    policy: str, optimizer: Callable[[], keras.optimizers.Optimizer]
) -> None:
    _, wanted = losses("float32", LazyAdam(0.003))
    model, found = losses(policy, optimizer())
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert model(batch())["query"].dtype.name == policy.removeprefix("mixed_")
    assert wanted[-1] < wanted[0] * 0.8
    np.testing.assert_allclose(found, wanted, rtol=0.05)


def test_the_scale_that_keras_sets_by_itself_finds_its_value() -> None:
    model, found = losses("mixed_float16", LazyAdam(0.003))
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert float(model.optimizer.dynamic_scale) <= 2**15
    assert 3 * STEPS - 10 < int(model.optimizer.iterations) <= 3 * STEPS
    assert found[-1] < found[0] * 0.8


def test_a_scaled_loss_does_not_change_rows_that_are_not_in_the_batch() -> None:
    optimizer = keras.optimizers.LossScaleOptimizer(LazyAdam(0.003))
    model, _ = losses("mixed_float16", optimizer)
    assert model.optimizer is optimizer
    ids = batch()["item_id"].numpy()
    table = model.towers.item.tables["item_id"]
    inside = {
        variable.path: slot
        for variable, slot in zip(model.trainable_weights, optimizer.inner_optimizer._slots[0], strict=True)
    }
    momentum = inside[table.embeddings.path].numpy()
    moved = set(np.flatnonzero(np.abs(momentum).max(axis=1)))
    likes = batch()["likes"].flat_values.numpy()
    assert set(ids) <= moved <= set(ids) | set(likes)


@pytest.mark.parametrize("values", [[[np.inf, 1.0], [1.0, 1.0]], [[1.0, 1.0], [np.inf, 1.0]]])
@pytest.mark.parametrize("loaded", [False, True])
def test_a_row_that_overflows_leaves_out_the_step_wherever_it_stands_again(
    values: list, loaded: bool, tmp_path: Path
) -> None:
    model, _ = losses("mixed_float16", LazyAdam(0.003))
    if loaded:
        model.save(tmp_path / "model.keras")
        model = keras.saving.load_model(tmp_path / "model.keras")
    table = model.towers.item.tables["item_id"].embeddings
    before, steps = table.numpy(), int(model.optimizer.iterations)
    width = before.shape[1] // 2
    slices = tf.IndexedSlices(tf.constant(np.repeat(values, width, axis=1), tf.float32), [2, 2], before.shape)
    gradients = [slices if weight is table else tf.zeros(weight.shape) for weight in model.trainable_weights]
    model.optimizer.apply(gradients)
    np.testing.assert_array_equal(table.numpy(), before)
    assert int(model.optimizer.iterations) == steps


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_large_numbers_reach_the_encoders_of_a_model_as_they_are(policy: str) -> None:
    user = Schema([ColumnSchema("user", [Tags.USER, Tags.CATEGORICAL], {"domain": {"name": "user", "max": 4}})])
    item = Schema(
        [
            ColumnSchema("price", [Tags.ITEM], dtype="float32"),
            ColumnSchema("tags", [Tags.ITEM], {"domain": {"name": "tag", "max": 4}, "weights": "shares"}, is_list=True),
        ]
    )
    inputs = {
        "user": tf.constant([1, 2]),
        "price": tf.constant([1_000_005.0, 1_000_015.0]),
        "tags": tf.constant([[1, 2], [3, 4]]),
        "shares": tf.constant([[70_000.0, 70_001.0], [0.0, 1.0]]),
    }
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        encoders = {"price": PiecewiseLinearEncoder([1_000_000, 1_000_010, 1_000_020])}
        items = InputBlock(item, embedding_options=OPTIONS, encoders=encoders, aggregation="concat")
        width = items.compute_output_shape({})[-1]
        users = InputBlock(user, aggregation="concat") >> MLPBlock([width])
        model = TwoTowerModel(TwoTowerBlock(Schema([*user, *item]), users, items), item_id="tags")
        found = model(inputs)["item"]
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    assert found.dtype.name == policy.removeprefix("mixed_")
    table = model.towers.item.tables["tag"].embeddings.numpy()
    pooled = [(70_000 * table[1] + 70_001 * table[2]) / np.hypot(70_000, 70_001), table[4]]
    wanted = np.concatenate([[[0.5, 0], [1, 0.5]], pooled], axis=1)
    np.testing.assert_allclose(tf.cast(found, "float32"), wanted, rtol=1e-2)
