import numpy as np
import pytest
import tensorflow as tf

from tfdual.fusion import WeightedSumFusion

INPUTS = {"b": tf.constant([[3.0, 4.0]]), "a": tf.constant([[1.0, 2.0]]), "age": tf.constant([[7.0]])}


def test_training_starts_from_the_plain_sum_of_the_inputs_of_that_width() -> None:
    np.testing.assert_allclose(WeightedSumFusion(2)(INPUTS), [[4, 6]])


def test_weights_belong_to_the_sorted_names_and_others_are_projected() -> None:
    fusion = WeightedSumFusion(2)
    fusion(INPUTS)
    fusion.weight.assign([10.0, -1.0])
    fusion.projections["age"].kernel.assign([[100.0, 0.5]])
    np.testing.assert_allclose(fusion(INPUTS), [[10 - 3 + 700, 20 - 4 + 3.5]])
    np.testing.assert_allclose(fusion(dict(reversed(INPUTS.items()))), [[707, 19.5]])


def test_projection_that_starts_at_zero_learns() -> None:
    fusion = WeightedSumFusion(2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(fusion(INPUTS) * [[1.0, 2.0]])
    gradient = tape.gradient(loss, fusion.projections["age"].kernel.value)
    np.testing.assert_allclose(gradient, [[7, 14]])


def test_inputs_of_one_width_need_no_projection() -> None:
    fusion = WeightedSumFusion(2)
    fusion({"a": INPUTS["a"], "b": INPUTS["b"]})
    assert [weight.shape for weight in fusion.weights] == [(2,)]
    assert fusion.compute_output_shape({"a": (None, 2)}) == (None, 2)


def test_name_may_hold_a_slash() -> None:
    fusion = WeightedSumFusion(2)
    fusion({"a": INPUTS["a"], "user/age": INPUTS["age"]})
    assert fusion.projections["user/age"].kernel.shape == (1, 2)


def test_width_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"needs an integer dim >= 1. Received 0"):
        WeightedSumFusion(0)


def test_no_input_of_that_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"WeightedSumFusion\(dim=5\) needs an input of that width.*'age': 1"):
        WeightedSumFusion(5)(INPUTS)
