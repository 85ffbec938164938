"""Many vectors of one width, pooled."""

from typing import Any

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Shape, Tensor

MODES = {"mean": ops.mean, "max": ops.max, "sum": ops.sum}


@register
class PoolingFusion(keras.layers.Layer):
    """Mean, maximum or sum of named vectors.

    Args:
        mode: str. `"mean"`, `"max"` or `"sum"`. Defaults to `"mean"`.

    Input: dict of name -> `(batch, dim)`, all with one `dim`.
    Output: `(batch, dim)`.

    Raises:
        ValueError: the mode is unknown, or the inputs differ in width.

    Example:
        >>> y = PoolingFusion("sum")({"a": ops.ones((1, 2)), "b": ops.ones((1, 2))})
        >>> ops.convert_to_numpy(y).tolist()
        [[2.0, 2.0]]
    """

    def __init__(self, mode: str = "mean", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in MODES:
            raise ValueError(f"PoolingFusion knows the modes {sorted(MODES)}. Received {mode!r}.")
        self.mode = mode

    def build(self, input_shape: dict[str, Shape]) -> None:
        widths = {name: shape[-1] for name, shape in input_shape.items()}
        if len(set(widths.values())) != 1:
            raise ValueError(
                f"PoolingFusion needs inputs of one width. Received widths {widths}. "
                "Give them one width in `EmbeddingOptions`, or project them first."
            )

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        return MODES[self.mode](ops.stack([inputs[name] for name in sorted(inputs)], axis=1), axis=1)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return next(iter(input_shape.values()))

    def get_config(self) -> dict:
        return super().get_config() | {"mode": self.mode}
