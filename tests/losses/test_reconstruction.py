import numpy as np
import pytest
import tensorflow as tf

from tfdual.losses import reconstruction

RNG = np.random.default_rng(0)
MADE, VECTORS = RNG.normal(size=(2, 5, 3)).astype("float32")


def test_loss_is_the_mean_squared_distance_of_rows() -> None:
    rows = zip(VECTORS.tolist(), MADE.tolist(), strict=True)
    expected = np.mean([sum((x - r) ** 2 for x, r in zip(*row, strict=True)) for row in rows])
    assert float(reconstruction(MADE, VECTORS)) == pytest.approx(expected, rel=1e-5)
    assert float(reconstruction(VECTORS, VECTORS)) == 0


def test_gradient_goes_to_what_was_made_alone() -> None:
    made, vectors = tf.Variable(MADE), tf.Variable(VECTORS)
    with tf.GradientTape() as tape:
        loss = reconstruction(made, vectors)
    gradients = tape.gradient(loss, [made, vectors])
    np.testing.assert_allclose(gradients[0], 2 * (MADE - VECTORS) / 5, rtol=1e-4, atol=1e-6)
    assert gradients[1] is None or not np.asarray(gradients[1]).any()


def test_an_empty_batch_costs_nothing() -> None:
    assert float(reconstruction(MADE[:0], VECTORS[:0])) == 0


def test_sums_are_in_float32() -> None:
    loss = reconstruction(tf.cast(MADE, "float16"), tf.cast(VECTORS, "float16"))
    assert loss.dtype == tf.float32


@pytest.mark.parametrize("shapes", [((5, 3), (5, 2)), ((3,), (3,))], ids=str)
def test_other_shapes_are_refused(shapes: tuple) -> None:
    with pytest.raises(ValueError, match=r"\(batch, dim\) of one shape. Received"):
        reconstruction(*map(np.ones, shapes))
