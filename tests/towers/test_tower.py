import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual import ColumnSchema, MLPBlock, PoolingFusion, Schema, Tags, Tower
from tfdual.blocks import L2Norm

DENSE = Schema([ColumnSchema("b", dtype="float32"), ColumnSchema("a", dtype="float32")])
INPUTS = {"a": tf.constant([3.0, 0.0]), "b": tf.constant([4.0, 5.0])}


def identity() -> keras.layers.Layer:
    return keras.layers.Rescaling(1.0)


def test_features_are_concatenated_by_name_and_passed_to_the_body() -> None:
    np.testing.assert_array_equal(Tower(DENSE, identity())(INPUTS), [[3, 4], [0, 5]])
    np.testing.assert_array_equal(Tower(DENSE, keras.layers.Rescaling(2.0))(INPUTS), [[6, 8], [0, 10]])


def test_fusion_is_used() -> None:
    np.testing.assert_array_equal(Tower(DENSE, identity(), fusion=PoolingFusion("sum"))(INPUTS), [[7], [5]])


def test_l2_norm_is_part_of_the_tower() -> None:
    np.testing.assert_allclose(Tower(DENSE, identity(), post="l2-norm")(INPUTS), [[0.6, 0.8], [0, 1]])


def test_post_can_be_a_layer() -> None:
    np.testing.assert_allclose(Tower(DENSE, identity(), post=L2Norm())(INPUTS), [[0.6, 0.8], [0, 1]])


def test_width_is_known_before_the_first_input() -> None:
    tower = Tower(SCHEMA, MLPBlock([8, 5]), OPTIONS)
    tower.build()
    assert tower.embedding_dim == 5
    assert tower(batch()).shape == (6, 5)
    assert tower.count_params() == 30 * 4 + 20 * 4 + 7 * 3 + (20 * 8 + 8) + (8 * 5 + 5)


def test_columns_of_no_schema_are_left_out() -> None:
    np.testing.assert_array_equal(Tower(DENSE, identity())(INPUTS | {"c": tf.constant(["x", "y"])}), [[3, 4], [0, 5]])


def test_tower_trains_alone_as_a_keras_model() -> None:
    column = ColumnSchema("id", [Tags.CATEGORICAL], {"domain": {"name": "id", "min": 0, "max": 3}})
    tower = Tower(Schema([column]), keras.layers.Dense(1))
    tower.compile(keras.optimizers.SGD(0.5), "mse")
    ids, wanted = np.array([0, 1, 2, 3]), np.array([[1.0], [-1.0], [2.0], [0.0]])
    losses = tower.fit({"id": ids}, wanted, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]


def test_unknown_post_is_refused() -> None:
    with pytest.raises(ValueError, match=r"post is 'l2-norm', a Keras layer or None. Received 'l1-norm'"):
        Tower(DENSE, identity(), post="l1-norm")


def test_raw_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'title' holds raw strings"):
        Tower(Schema([ColumnSchema("title", [Tags.TEXT], dtype="string")]), identity())
