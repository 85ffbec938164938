"""Training in parts: the gradient of the whole batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual import TwoTowerBlock, TwoTowerModel
from tfdual.models.gradient_cache import gradients_in_parts


def model(parts: int = 1, *layers: keras.layers.Layer, l2: float = 0.0) -> TwoTowerModel:
    keras.utils.set_random_seed(1)
    body = keras.Sequential(
        [*layers, keras.layers.Dense(8, "tanh", kernel_regularizer=keras.regularizers.L2(l2)), keras.layers.Dense(4)]
    )
    made = TwoTowerModel(TwoTowerBlock(SCHEMA, body, embedding_options=OPTIONS, post="l2-norm"), parts=parts)
    made.build()
    return made


def weights_after(parts: int, steps: int = 3, *, jit: bool = False, l2: float = 0.0) -> list[np.ndarray]:
    made = model(parts, l2=l2)
    made.compile(keras.optimizers.SGD(0.05), run_eagerly=not jit)
    made.fit(tf.data.Dataset.from_tensors(batch()).repeat(steps), verbose=0)
    return made.get_weights()


@pytest.mark.parametrize("parts", [2, 3, 6, 9], ids=str)
def test_weights_are_those_of_the_whole_batch(parts: int) -> None:
    for found, wanted in zip(weights_after(parts), weights_after(1), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_batch_of_unknown_size_in_a_graph_trains_the_same() -> None:
    for found, wanted in zip(weights_after(4, jit=True), weights_after(1), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_losses_that_layers_add_count_once() -> None:
    for found, wanted in zip(weights_after(3, l2=0.1), weights_after(1, l2=0.1), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_dropout_draws_the_same_numbers_in_both_passes() -> None:
    made, inputs = model(2, keras.layers.Dropout(0.5, seed=3)), batch()
    half = [{name: values[start : start + 3] for name, values in inputs.items()} for start in (0, 3)]
    seeds = [variable for variable in made.non_trainable_variables if "seed" in variable.path]
    before = [variable.numpy() for variable in seeds]
    assert seeds

    def loss_of(embeddings: dict[str, tf.Tensor]) -> tf.Tensor:
        return made._pair_loss(inputs, embeddings, None, training=True)

    loss, gradients = gradients_in_parts(made, inputs, 2, loss_of, lambda loss: loss)
    after = [variable.numpy() for variable in seeds]
    for variable, value in zip(seeds, before, strict=True):
        variable.assign(value)
    with tf.GradientTape() as tape:  # the same parts, their activations all kept
        parts = [made(part, training=True) for part in half]
        kept = loss_of({name: tf.concat([part[name] for part in parts], axis=0) for name in parts[0]})
    wanted = tape.gradient(kept, [weight.value for weight in made.trainable_weights])
    assert float(loss) == pytest.approx(float(kept), rel=1e-5)
    for found, expected in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(found), tf.convert_to_tensor(expected), rtol=1e-4, atol=1e-6)
    for variable, value in zip(seeds, after, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_moving_averages_move_once_a_step() -> None:
    made, inputs = model(1, keras.layers.BatchNormalization(momentum=0.5)), batch()
    twice = model(1, keras.layers.BatchNormalization(momentum=0.5))
    gradients_in_parts(
        made, inputs, 1, lambda outputs: made._pair_loss(inputs, outputs, None, training=True), lambda loss: loss
    )
    twice(inputs, training=True)
    moving = [variable.numpy() for variable in made.non_trainable_variables if "moving" in variable.path]
    wanted = [variable.numpy() for variable in twice.non_trainable_variables if "moving" in variable.path]
    assert moving
    for found, expected in zip(moving, wanted, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_last_batch_of_few_rows_leaves_no_weight_without_a_number() -> None:
    made = model(4, keras.layers.BatchNormalization())
    made.compile(keras.optimizers.SGD(0.05))
    data = tf.data.Dataset.from_tensors(batch()).unbatch().repeat(2).take(9).batch(6)
    made.fit(data, verbose=0)
    assert all(np.isfinite(weight).all() for weight in made.get_weights())


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_fewer_rows_than_parts_have_the_gradient_of_the_whole_batch(l2: float) -> None:
    made, whole = (model(1, keras.layers.BatchNormalization(), l2=l2) for _ in range(2))
    inputs = {name: values[:3] for name, values in batch().items()}

    def loss_of(embeddings: dict[str, tf.Tensor]) -> tf.Tensor:
        return made._pair_loss(inputs, embeddings, None, training=True)

    loss, gradients = gradients_in_parts(made, inputs, 4, loss_of, lambda loss: loss)
    with tf.GradientTape() as tape:
        kept = whole.compute_loss(inputs, None, whole(inputs, training=True))
    wanted = tape.gradient(kept, [weight.value for weight in whole.trainable_weights])
    assert float(loss) == pytest.approx(float(kept), rel=1e-5)
    for found, expected in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(found), tf.convert_to_tensor(expected), rtol=1e-4, atol=1e-5)


def test_one_graph_trains_batches_of_many_and_of_few_rows() -> None:
    made = model(4)
    made.compile(keras.optimizers.SGD(0.05))
    traced: list[int] = []
    encode = made.encode_query
    made.encode_query = lambda *args, **kwargs: (traced.append(1), encode(*args, **kwargs))[1]
    data = tf.data.Dataset.from_tensors(batch()).unbatch().repeat(2).take(9).batch(6)
    made.fit(data, verbose=0)
    once = len(traced)
    made.fit(data, epochs=2, verbose=0)
    assert len(traced) == once == 8  # each part twice


def test_parts_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="parts is 1 or more. Received 0"):
        model(0)
