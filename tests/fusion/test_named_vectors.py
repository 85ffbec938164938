"""What holds for every fusion."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual import fusion as package
from tfdual.fusion import (
    AttentionFusion,
    ConcatFusion,
    CosineFusion,
    CrossFusion,
    DotInteractionFusion,
    FactorizationMachineFusion,
    GatedFusion,
    MultiplicationFusion,
    PoolingFusion,
    StackFusion,
    WeightedSumFusion,
)

DIM = 4
FUSIONS: dict[str, Callable[[], keras.layers.Layer]] = {
    "attention": lambda: AttentionFusion(2),
    "attention_concat": lambda: AttentionFusion(2, pooling="concat"),
    "concat": ConcatFusion,
    "concat_transform": lambda: ConcatFusion(keras.layers.Dense(3)),
    "cosine": CosineFusion,
    "cross": CrossFusion,
    "cross_low_rank": lambda: CrossFusion(low_rank_dim=2),
    "dot": DotInteractionFusion,
    "dot_and_inputs": lambda: DotInteractionFusion(include_self=True, keep_inputs=True),
    "factorization_machine": FactorizationMachineFusion,
    "gated": GatedFusion,
    "max": lambda: PoolingFusion("max"),
    "mean": lambda: PoolingFusion("mean"),
    "multiplication": MultiplicationFusion,
    "stack": StackFusion,
    "sum": lambda: PoolingFusion("sum"),
    "weighted_sum": lambda: WeightedSumFusion(DIM),
}
ANY_WIDTH = {"concat", "concat_transform", "cross", "cross_low_rank", "weighted_sum"}
WITH_WEIGHTS = ANY_WIDTH - {"concat"} | {"attention", "attention_concat", "gated"}
every_fusion = pytest.mark.parametrize("name", FUSIONS)


def vectors(rows: int = 3) -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(0)
    return {name: tf.constant(rng.normal(size=(rows, DIM)), tf.float32) for name in ("user", "item")}


def randomized(fusion: keras.layers.Layer, inputs: dict[str, tf.Tensor]) -> keras.layers.Layer:
    fusion(inputs)
    fusion.set_weights([np.random.default_rng(1).normal(size=weight.shape) for weight in fusion.weights])
    return fusion


def test_every_public_fusion_is_put_through_this() -> None:
    layers = {name for name in package.__all__ if name.endswith("Fusion")}
    assert {type(make()).__name__ for make in FUSIONS.values()} == layers


@every_fusion
def test_order_of_the_dict_does_not_matter(name: str) -> None:
    inputs = vectors()
    backwards = dict(reversed(inputs.items()))
    fusion, built_backwards = randomized(FUSIONS[name](), inputs), randomized(FUSIONS[name](), backwards)
    np.testing.assert_array_equal(fusion(backwards), fusion(inputs))
    np.testing.assert_array_equal(built_backwards(inputs), fusion(inputs))


@every_fusion
def test_widths_that_differ_are_refused_where_they_must_not(name: str) -> None:
    inputs = {"user": tf.ones((2, DIM)), "item": tf.ones((2, 3))}
    if name in ANY_WIDTH:
        assert FUSIONS[name]()(inputs).shape[0] == 2
        return
    with pytest.raises(
        ValueError, match=r"needs inputs of one width. Received widths \{'item': 3, 'user': 4\}. Give them"
    ):
        FUSIONS[name]()(inputs)


@every_fusion
@pytest.mark.parametrize("inputs", [tf.ones((2, DIM)), [tf.ones((2, DIM)), tf.ones((2, DIM))]])
def test_what_is_no_dict_is_refused_before_and_after_building(name: str, inputs: Any) -> None:
    with pytest.raises(TypeError, match=r"Fusion needs a dict of name -> \(batch, width\). Received a value of shape"):
        FUSIONS[name]()(inputs)
    fusion = FUSIONS[name]()
    fusion(vectors())
    with pytest.raises(TypeError, match=r"needs a dict of name -> \(batch, width\). Received a \w+"):
        fusion(inputs)


@every_fusion
def test_no_vector_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"Fusion needs at least one vector. Received an empty dict"):
        FUSIONS[name]()({})


@every_fusion
@pytest.mark.parametrize("shape", [(3,), (3, 2, DIM)])
def test_what_is_no_vector_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Fusion needs vectors of shape \(batch, width\).* Received shapes"):
        FUSIONS[name]()({**vectors(), "age": tf.ones(shape)})


@pytest.mark.parametrize("name", sorted(WITH_WEIGHTS))
def test_weights_are_never_applied_to_a_vector_of_another_name(name: str) -> None:
    fusion = FUSIONS[name]()
    fusion(vectors())
    with pytest.raises(ValueError, match=r"belong to the vectors \['item', 'user'\]. Received \['bio', 'item'\]"):
        fusion({"bio": tf.ones((3, DIM)), "item": tf.ones((3, DIM))})


@every_fusion
def test_output_shape_is_the_promised_one(name: str) -> None:
    fusion = FUSIONS[name]()
    shape = fusion(vectors()).shape
    symbolic = fusion({name: keras.Input((DIM,)) for name in ("user", "item")})
    assert fusion.compute_output_shape({"user": (None, DIM), "item": (None, DIM)}) == (None, *shape[1:])
    assert symbolic.shape == (None, *shape[1:])


@every_fusion
def test_empty_batch_gives_no_rows(name: str) -> None:
    fusion = FUSIONS[name]()
    assert fusion(vectors(rows=0)).shape == (0, *fusion(vectors()).shape[1:])


@every_fusion
def test_zero_vectors_give_finite_outputs_and_gradients(name: str) -> None:
    inputs = {name: tf.zeros((3, DIM)) for name in ("user", "item")}
    fusion = FUSIONS[name]()
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = fusion(inputs)
    assert np.isfinite(output).all()
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(output, inputs).values())


@every_fusion
def test_compiled_by_xla_it_gives_the_same(name: str) -> None:
    inputs = vectors()
    fusion = randomized(FUSIONS[name](), inputs)
    np.testing.assert_allclose(tf.function(fusion, jit_compile=True)(inputs), fusion(inputs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(set(FUSIONS) - {"concat_transform"}))
def test_precision_of_the_layer_is_that_of_its_parts(name: str) -> None:
    fusion = FUSIONS[name]()
    reduced = type(fusion).from_config(fusion.get_config() | {"dtype": "mixed_bfloat16"})
    assert reduced(vectors()).dtype == tf.bfloat16
