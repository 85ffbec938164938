"""A loss that is not finite: what is said, and that no weight has changed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual import LazyAdam, MLPBlock, TwoTowerBlock, TwoTowerModel


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


def test_other_errors_of_a_graph_stay_what_they_are() -> None:
    made = model(LazyAdam(0.1))

    def broken(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(inputs["age"] > 1e9), ["broken input"])]):
            return inputs | {"age": tf.identity(inputs["age"])}

    with pytest.raises(tf.errors.InvalidArgumentError, match="broken input"):
        made.fit(tf.data.Dataset.from_tensors(batch()).map(broken), verbose=0)
