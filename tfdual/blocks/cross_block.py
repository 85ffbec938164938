"""Products of the parts of one vector."""

from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block
from tfdual.blocks.named_inputs import as_vector, vector_shape
from tfdual.fusion import CrossFusion


@register
class CrossBlock(Block):
    """The cross network of DCN-v2 as a body: `CrossFusion`, which has the formula, on one vector too.

    Args:
        depth: int. Number of steps. Defaults to 1.
        low_rank_dim: int. Rank of each step's matrix. Defaults to `None`: full rank.
        use_bias: bool. Defaults to `True`.
        kernel_initializer: initialiser of Keras. Defaults to `"truncated_normal"`, as Merlin's.
        kernel_regularizer: regulariser of Keras. Defaults to `None`.

    Input: `(batch, width)`, or a dict of such, concatenated in the order of their names.
    Output: `(batch, width)`.

    Raises:
        ValueError: a size below 1.

    Example:
        >>> tuple(CrossBlock(depth=2)({"a": keras.ops.ones((3, 4)), "b": keras.ops.ones((3, 2))}).shape)
        (3, 6)

    Reference: Wang et al., 2021, arXiv:2008.13535
    """

    def __init__(
        self,
        depth: int = 1,
        low_rank_dim: int | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = "truncated_normal",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cross = CrossFusion(
            depth, low_rank_dim, use_bias, kernel_initializer, kernel_regularizer, name="cross", dtype=self.dtype_policy
        )

    def build(self, input_shape: Shape | dict[str, Shape]) -> None:
        build_once(self.cross, {"inputs": vector_shape(input_shape)})

    def call(self, inputs: Tensor | dict[str, Tensor]) -> Tensor:
        return self.cross({"inputs": as_vector(inputs)})

    def compute_output_shape(self, input_shape: Shape | dict[str, Shape]) -> Shape:
        return vector_shape(input_shape)

    def get_config(self) -> dict:
        of_cross = keras.layers.Layer().get_config().keys()
        return super().get_config() | {n: v for n, v in self.cross.get_config().items() if n not in of_cross}
