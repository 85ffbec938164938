"""What an auto-encoder loses."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor


@register
def reconstruction(reconstructed: Tensor, vectors: Tensor) -> Tensor:
    """Mean squared distance of vectors from what was made of their codes.

    `loss = mean_b |x_b - r_b|^2`

    Args:
        reconstructed: `(batch, dim)`, `r`.
        vectors: `(batch, dim)`, `x`. No gradient goes to them.

    Returns:
        A scalar, float32; 0 for an empty batch.

    Raises:
        ValueError: not two matrices of one shape.

    Example:
        >>> float(reconstruction([[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 2.0]]))  # (1 + 4) / 2
        2.5

    Reference: Hinton and Salakhutdinov, 2006, "Reducing the dimensionality of data with neural networks"
    """
    reconstructed, vectors = (ops.cast(ops.convert_to_tensor(each), "float32") for each in (reconstructed, vectors))
    if len(vectors.shape) != 2 or tuple(reconstructed.shape[1:]) != tuple(vectors.shape[1:]):
        raise ValueError(
            "Vectors and what was made of them are (batch, dim) of one shape. Received the shapes "
            f"{tuple(reconstructed.shape)} and {tuple(vectors.shape)}."
        )
    distances = ops.sum(ops.square(ops.stop_gradient(vectors) - reconstructed), axis=1)
    return ops.sum(distances) / ops.cast(ops.maximum(ops.shape(distances)[0], 1), "float32")
