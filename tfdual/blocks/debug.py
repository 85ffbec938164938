"""A look at what flows by."""

from typing import Any

from keras import tree

from tfdual._backend import show
from tfdual._register import register
from tfdual._typing import Shape
from tfdual.blocks.block import Block


@register
class Debug(Block):
    """Print shape, type, smallest, mean and largest value of each input on each call; pass the input on unchanged.

    Prints from inside a compiled graph too.

    Input and output: any structure of tensors.

    Example:
        >>> from tfdual.blocks import MLPBlock
        >>> looked_at = MLPBlock([8]) >> Debug() >> MLPBlock([4])
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_jit = False  # XLA prints nothing

    def call(self, inputs: Any) -> Any:
        for path, tensor in tree.flatten_with_path(inputs):
            show(f"{self.name}/{'/'.join(map(str, path))}".rstrip("/"), tensor)
        return inputs

    def compute_output_shape(self, input_shape: Shape | dict[str, Shape]) -> Shape | dict[str, Shape]:
        return input_shape
