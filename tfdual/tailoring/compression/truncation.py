"""The first numbers of a vector."""

from typing import Any

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block, L2Norm


@register
class Truncation(Block):
    """Cut vectors to their first `width` numbers, and bring these to length 1 again.

    `out = x[:width] / |x[:width]|`

    Args:
        width: int.

    Input: `(batch, dim)`.
    Output: `(batch, width)`.

    Raises:
        ValueError: a width below 1, or over that of the input.

    Example:
        >>> from keras import ops
        >>> ops.convert_to_numpy(Truncation(2)(ops.convert_to_tensor([[3.0, 4.0, 12.0]]))).round(2)
        array([[0.6, 0.8]], dtype=float32)

    Reference: Kusupati et al., 2022, "Matryoshka representation learning", arXiv:2205.13147
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if width < 1:
            raise ValueError(f"Truncation needs a width of at least 1. Received {width}.")
        self.width = width
        self.normalization = L2Norm(dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        if input_shape[-1] is not None and input_shape[-1] < self.width:
            raise ValueError(f"Vectors of width {input_shape[-1]} can't be cut to {self.width}. Take a smaller width.")

    def call(self, inputs: Tensor) -> Tensor:
        return self.normalization(inputs[..., : self.width])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.width)

    def get_config(self) -> dict:
        return super().get_config() | {"width": self.width}
