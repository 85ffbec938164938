import numpy as np
import pytest
import tensorflow as tf

from tfdual.fusion import FactorizationMachineFusion

VECTORS = {name: np.random.default_rng(seed).normal(size=(6, 4)).astype("float32") for seed, name in enumerate("cadb")}


def test_output_is_the_sum_of_the_products_of_every_pair() -> None:
    wanted = np.zeros((6, 4))
    for left in "abcd":
        for right in "abcd":
            if left < right:
                wanted += VECTORS[left] * VECTORS[right]
    np.testing.assert_allclose(FactorizationMachineFusion()(VECTORS), wanted, rtol=1e-4, atol=1e-5)


def test_squares_that_nearly_cancel_out_are_added_in_float32() -> None:
    inputs = {"large": tf.fill((1, 2), 200.0), "small": tf.fill((1, 2), 0.01)}
    found = FactorizationMachineFusion(dtype="mixed_float16")(inputs)
    assert found.dtype == tf.float16
    np.testing.assert_allclose(found, [[2, 2]], rtol=0.01)


def test_one_vector_is_refused_since_it_has_no_pair() -> None:
    with pytest.raises(ValueError, match=r"at least two vectors. Received \['a'\]"):
        FactorizationMachineFusion()({"a": tf.ones((1, 2))})
