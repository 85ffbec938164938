from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.fusion import (
    AttentionFusion,
    CrossFusion,
    DotInteractionFusion,
    FactorizationMachineFusion,
    GatedFusion,
    as_fusion,
)

INPUTS = {"b": tf.constant([[3.0, 4.0]]), "a": tf.constant([[1.0, 0.0]])}
RESULTS = {
    "concat": [[1, 0, 3, 4]],
    "cosine": [[0.6]],
    "cosine-similarity": [[0.6]],
    "dot": [[3]],
    "element-wise-multiply": [[3, 0]],
    "element-wise-sum": [[4, 4]],
    "elementwise-multiply": [[3, 0]],
    "fm": [[3, 0]],
    "max": [[3, 4]],
    "mean": [[2, 2]],
    "stack": [[[1, 0], [3, 4]]],
    "sum": [[4, 4]],
}
LEARNED = {"attention": AttentionFusion, "cross": CrossFusion, "gated": GatedFusion}


@pytest.mark.parametrize("name", RESULTS)
def test_name_does_what_it_says(name: str) -> None:
    np.testing.assert_allclose(as_fusion(name)(INPUTS), RESULTS[name], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "cls"), {**LEARNED, "dot": DotInteractionFusion, "fm": FactorizationMachineFusion}.items()
)
def test_name_gives_the_class_with_its_default_arguments(name: str, cls: type) -> None:
    fusion = as_fusion(name)
    assert type(fusion) is cls
    assert fusion.get_config() == cls(name=fusion.name).get_config()


@pytest.mark.parametrize("name", [*RESULTS, *LEARNED])
def test_name_gives_a_new_layer_each_time(name: str) -> None:
    assert as_fusion(name) is not as_fusion(name)


def test_layer_and_none_pass_unchanged() -> None:
    layer = keras.layers.Dense(1)
    assert as_fusion(layer) is layer
    assert as_fusion(None) is None


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"No aggregation is called 'sum-residual'.*") as error:
        as_fusion("sum-residual")
    assert [name for name in [*RESULTS, *LEARNED] if name not in str(error.value)] == []


@pytest.mark.parametrize("aggregation", [3, ["sum"], GatedFusion])
def test_what_is_neither_name_nor_layer_is_refused(aggregation: Any) -> None:
    with pytest.raises(TypeError, match="a name, a Keras layer or None. Received"):
        as_fusion(aggregation)
