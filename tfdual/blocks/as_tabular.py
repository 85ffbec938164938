"""A tensor under a name."""

from typing import Any

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block


@register
class AsTabular(Block):
    """Put the input into a dict.

    Args:
        output_name: str. The only key of the dict.

    Input: a tensor.
    Output: `{output_name: tensor}`.

    Example:
        >>> from keras import ops
        >>> AsTabular("score")(ops.ones((2, 1))).keys()
        dict_keys(['score'])
    """

    def __init__(self, output_name: str, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.output_name = output_name

    def call(self, inputs: Tensor) -> dict[str, Tensor]:
        return {self.output_name: inputs}

    def compute_output_shape(self, input_shape: Shape) -> dict[str, Shape]:
        return {self.output_name: input_shape}

    def get_config(self) -> dict:
        return super().get_config() | {"output_name": self.output_name}
