"""The second-order part of a factorisation machine."""

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.fusion.named_vectors import checked_one_width, one_vector_shape
from tfdual.fusion.stack import stack


@register
class FactorizationMachineFusion(keras.layers.Layer):
    """Sum the element-wise product of every pair of named vectors.

    `out = sum_{i < j} x_i * x_j = ((sum_i x_i)^2 - sum_i x_i^2) / 2`

    This is the bi-interaction pooling of neural factorisation machines: a vector, which a tower can go on with. Its
    elements add up to the one number that Rendle's machine gives. The work grows with the number of inputs, not with
    that of the pairs. Computed in float32 under mixed precision, since the two sums nearly cancel out.

    Input: dict of name -> `(batch, dim)`, all with one `dim`, at least two.
    Output: `(batch, dim)`.

    Raises:
        TypeError: the input is no dict.
        ValueError: there are fewer than two inputs, one is no vector, or they differ in width.

    Example:
        >>> y = FactorizationMachineFusion()({"a": ops.full((1, 2), 3.0), "b": ops.full((1, 2), 2.0)})
        >>> ops.convert_to_numpy(y).tolist()
        [[6.0, 6.0]]

    Reference: Rendle, 2010, doi:10.1109/ICDM.2010.127; He & Chua, 2017, arXiv:1708.05027
    """

    def build(self, input_shape: dict[str, Shape]) -> None:
        widths = checked_one_width(self, input_shape)
        if len(widths) < 2:
            raise ValueError(
                f"FactorizationMachineFusion needs at least two vectors. Received {list(widths)}: "
                "it has no pair, and the result would be zero."
            )

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        vectors = ops.cast(stack(inputs), "float32")  # (batch, features, dim)
        square_of_sum = ops.square(ops.sum(vectors, axis=1))
        sum_of_squares = ops.sum(ops.square(vectors), axis=1)
        return ops.cast(0.5 * (square_of_sum - sum_of_squares), self.compute_dtype)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return one_vector_shape(self, input_shape)
