import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.blocks import MLPBlock, ParallelBlock, SequentialBlock
from tfdual.fusion import ConcatFusion, PoolingFusion

INPUTS = tf.constant([[1.0, -2.0], [3.0, 4.0]])


def branches() -> dict[str, keras.layers.Layer]:
    return {"twice": keras.layers.Rescaling(2.0), "minus": keras.layers.Rescaling(-1.0)}


def test_without_fusion_the_output_is_each_branch_by_name() -> None:
    outputs = ParallelBlock(branches())(INPUTS)
    assert set(outputs) == {"twice", "minus"}
    np.testing.assert_allclose(outputs["twice"], [[2, -4], [6, 8]])
    np.testing.assert_allclose(outputs["minus"], [[-1, 2], [-3, -4]])


def test_fusion_takes_the_branches() -> None:
    np.testing.assert_allclose(ParallelBlock(branches(), aggregation=PoolingFusion("sum"))(INPUTS), [[1, -2], [3, 4]])
    concatenated = ParallelBlock(branches(), aggregation=ConcatFusion())(INPUTS)
    np.testing.assert_allclose(concatenated, [[-1, 2, 2, -4], [-3, -4, 6, 8]])


def test_output_shape_is_known_before_the_first_input() -> None:
    deep = {"a": MLPBlock([3]), "b": keras.layers.Dense(4)}
    assert ParallelBlock(deep).compute_output_shape((None, 2)) == {"a": (None, 3), "b": (None, 4)}
    assert ParallelBlock(deep, aggregation=ConcatFusion()).compute_output_shape((None, 2)) == (None, 7)


def test_blocks_nest() -> None:
    inner = ParallelBlock({"a": keras.layers.Dense(3), "b": keras.layers.Dense(2)}, aggregation=ConcatFusion())
    outer = ParallelBlock(
        {"one": SequentialBlock([inner, MLPBlock([6])]), "two": keras.layers.Dense(1)}, aggregation=ConcatFusion()
    )
    assert outer(INPUTS).shape == (2, 7)
    assert len(outer.trainable_weights) == 8


def test_no_branch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least one branch. Received none"):
        ParallelBlock({})
