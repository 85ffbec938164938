import numpy as np
import pytest
import tensorflow as tf

from tfdual.fusion import PoolingFusion

INPUTS = {"a": tf.constant([[1.0, -2.0]]), "b": tf.constant([[4.0, -5.0]]), "c": tf.constant([[1.0, 10.0]])}


@pytest.mark.parametrize(("mode", "wanted"), [("mean", [[2, 1]]), ("max", [[4, 10]]), ("sum", [[6, 3]])])
def test_vectors_are_pooled_element_by_element(mode: str, wanted: list) -> None:
    np.testing.assert_allclose(PoolingFusion(mode)(INPUTS), wanted)


def test_default_is_the_mean() -> None:
    np.testing.assert_allclose(PoolingFusion()(INPUTS), [[2, 1]])


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"knows the modes \['max', 'mean', 'sum'\]. Received 'median'"):
        PoolingFusion("median")


def test_vectors_of_different_widths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one width. Received widths \{'a': 2, 'd': 3\}"):
        PoolingFusion()({"a": INPUTS["a"], "d": tf.ones((1, 3))})
