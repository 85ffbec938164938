"""A loss that is not finite: what is said, and that no weight has changed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.test_cross_encoder import tiny
from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual import ColumnSchema, InputBlock, LazyAdam, MLPBlock, Schema, Tags, TwoTowerBlock, TwoTowerModel
from tfdual.models.finite_loss import finite_or_stop
from tfdual.tailoring import DeepReranker


def model(optimizer: keras.optimizers.Optimizer, **kwargs) -> TwoTowerModel:
    made = TwoTowerModel(
        TwoTowerBlock(SCHEMA, MLPBlock([8, 4], no_activation_last_layer=True), embedding_options=OPTIONS), **kwargs
    )
    made.build()
    made.compile(optimizer)
    return made


def with_nan(row: int) -> dict[str, tf.Tensor]:
    ages = batch()["age"].numpy().copy()
    ages[row] = np.nan
    return batch() | {"age": tf.constant(ages)}


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("parts", [1, 2])
def test_column_row_and_step_are_named_and_no_weight_changes(eager: bool, parts: int) -> None:
    made = model(LazyAdam(0.1), parts=parts)
    made.run_eagerly = eager
    sound, bad = (tf.data.Dataset.from_tensors(inputs) for inputs in (batch(), with_nan(4)))
    made.fit(sound.repeat(2), verbose=0)
    before = made.get_weights()
    with pytest.raises(ValueError, match=r"Stopped before step 2 .*the column 'age' in rows 4\. `tfdual validate`"):
        made.fit(bad.concatenate(sound), verbose=0)
    for found, wanted in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)  # also where a fused relu hides the NaN from the loss


@pytest.mark.parametrize("parts", [1, 2])
def test_sample_weights_below_zero_are_refused_and_no_weight_changes(parts: int) -> None:
    made, rows = model(LazyAdam(0.1), parts=parts), len(batch()["age"])
    before = made.get_weights()
    weights = np.ones(rows, "float32")
    weights[[1, 3]] = -1.0
    with pytest.raises(ValueError, match=r"Stopped before step 0 .*sample weights are at least 0.* below in rows 1, 3"):
        made.fit(tf.data.Dataset.from_tensors((batch(), None, weights)), verbose=0)
    for found, wanted in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)
    made.fit(tf.data.Dataset.from_tensors((batch(), None, np.zeros(rows, "float32"))), verbose=0)


def test_weights_that_diverged_are_named_where_the_columns_are_sound() -> None:
    made = model(LazyAdam(0.1))
    kernel = made.towers.query.block.layers[-1].layers[-1].kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(ValueError, match=r"the weight '.*kernel' in rows 0, 1.*lower the learning rate"):
        made.fit(tf.data.Dataset.from_tensors(batch()), verbose=0)


def test_a_list_that_holds_no_number_is_named_by_its_row() -> None:
    stars = tf.ragged.constant([[1.0, 2.0], [], [3.0, float("nan")]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="the column 'stars' in rows 2"):
        finite_or_stop(tf.constant(1.0), tf.constant(0), {"stars": stars}, {}, [])


@pytest.mark.parametrize("column", ["query_vector", "vector"])
def test_a_re_ranker_stops_at_a_vector_that_holds_no_number_and_only_in_training(column: str) -> None:
    chance = np.random.default_rng(5)
    made = DeepReranker(hidden=(4,))
    made.compile(keras.optimizers.Adam(0.1), jit_compile=False)
    sound = {"query_vector": chance.normal(size=(2, 3)), "vector": chance.normal(size=(2, 2, 3))}
    made.fit(sound, np.eye(2), verbose=0)
    before = made.get_weights()
    sound[column][1, ..., 2] = np.nan
    with pytest.raises(ValueError, match=f"Stopped before step 1 .*the column '{column}' in rows 1"):
        made.fit(sound, np.eye(2), verbose=0)
    for found, wanted in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)
    made.evaluate(sound, np.eye(2), verbose=0)


def test_a_cross_encoder_stops_at_a_price_that_is_no_number() -> None:
    price = Schema([ColumnSchema("price", [Tags.ITEM], dtype="float32")])
    made = tiny(features=InputBlock(price, aggregation="concat") >> MLPBlock([4]))
    made.compile(keras.optimizers.Adam(0.1))
    made.build()
    before = made.get_weights()
    inputs = {"query": ["tea", "milk"], "item": [["tea", "a"], ["b", "milk"]]}
    inputs = {name: tf.constant(values) for name, values in inputs.items()} | {"price": np.array([[1, 2], [3, np.nan]])}
    for labels in (np.eye(2), np.array([[1.0, 0.0], [1.0, -1.0]])):  # also where no candidate stands
        with pytest.raises(ValueError, match="Stopped before step 0 .*the column 'price' in rows 1"):
            made.fit(inputs, labels, verbose=0)
    for found, wanted in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_other_errors_of_a_graph_stay_what_they_are() -> None:
    made = model(LazyAdam(0.1))

    def broken(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(inputs["age"] > 1e9), ["broken input"])]):
            return inputs | {"age": tf.identity(inputs["age"])}

    with pytest.raises(tf.errors.InvalidArgumentError, match="broken input"):
        made.fit(tf.data.Dataset.from_tensors(batch()).map(broken), verbose=0)
