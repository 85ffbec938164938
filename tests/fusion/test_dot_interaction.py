import numpy as np
import pytest
import tensorflow as tf

from tfdual.fusion import DotInteractionFusion

RNG = np.random.default_rng(0)
VECTORS = {name: RNG.normal(size=(6, 4)).astype("float32") for name in ("c", "a", "d", "b")}


def by_hand(include_self: bool) -> list[list[float]]:
    rows = []
    for row in range(6):
        dots = []
        for left in "abcd":
            for right in "abcd":
                if left < right or (include_self and left == right):
                    dots.append(sum(VECTORS[left][row] * VECTORS[right][row]))
        rows.append(dots)
    return rows


def test_each_pair_is_multiplied_once_in_the_order_of_the_names() -> None:
    found = DotInteractionFusion()(VECTORS)
    assert found.shape == (6, 6)
    np.testing.assert_allclose(found, by_hand(include_self=False), rtol=1e-5, atol=1e-6)


def test_squares_can_be_included() -> None:
    found = DotInteractionFusion(include_self=True)(VECTORS)
    assert found.shape == (6, 10)
    np.testing.assert_allclose(found, by_hand(include_self=True), rtol=1e-5, atol=1e-6)


def test_inputs_can_be_kept_before_the_products() -> None:
    found = DotInteractionFusion(keep_inputs=True)(VECTORS).numpy()
    np.testing.assert_array_equal(found[:, :16], np.concatenate([VECTORS[name] for name in "abcd"], axis=1))
    np.testing.assert_allclose(found[:, 16:], by_hand(include_self=False), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("include_self", "keep_inputs", "width"), [(False, False, 3), (True, False, 6), (True, True, 21)]
)
def test_output_shape_counts_pairs_and_inputs(include_self: bool, keep_inputs: bool, width: int) -> None:
    shapes = dict.fromkeys("abc", (None, 5))
    assert DotInteractionFusion(include_self, keep_inputs).compute_output_shape(shapes) == (None, width)


def test_one_vector_has_no_pair_but_a_square() -> None:
    with pytest.raises(ValueError, match=r"at least two vectors. Received \['a'\].*include_self=True"):
        DotInteractionFusion()({"a": tf.ones((1, 2))})
    np.testing.assert_array_equal(DotInteractionFusion(include_self=True)({"a": tf.fill((1, 2), 3.0)}), [[18]])


@pytest.mark.parametrize("argument", ["include_self", "keep_inputs"])
def test_argument_that_is_no_bool_is_refused(argument: str) -> None:
    with pytest.raises(TypeError, match=f"{argument} is a bool. Received 'yes'"):
        DotInteractionFusion(**{argument: "yes"})
