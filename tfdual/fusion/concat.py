"""Many vectors side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfdual._build import build_once, deserialized, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.fusion.named_vectors import batch_size, checked_widths, ordered


def concatenate(inputs: Mapping[str, Tensor], names: Sequence[str] | None = None) -> Tensor:
    """Named tensors side by side on the last axis, in the order of their names; `names`: see `ordered`."""
    return ops.concatenate(ordered(inputs, names), axis=-1)


@register
class ConcatFusion(keras.layers.Layer):
    """Concatenate named vectors, in the order of their names, and transform the result where asked for.

    `out = transform([x_1, ..., x_n])`

    Args:
        transform: Keras layer that takes the concatenation, e.g. a Dense layer. Defaults to `None`: the
            concatenation is the output.

    Input: dict of name -> `(batch, width of its own)`.
    Output: `(batch, sum of widths)`, or what the transform makes of it.

    Raises:
        TypeError: the transform is no Keras layer, or the input no dict.
        ValueError: there is no input, or one is no vector.

    Example:
        >>> y = ConcatFusion()({"b": ops.zeros((1, 2)), "a": ops.ones((1, 1))})
        >>> ops.convert_to_numpy(y).tolist()
        [[1.0, 0.0, 0.0]]
    """

    def __init__(self, transform: keras.layers.Layer | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if transform is not None and not isinstance(transform, keras.layers.Layer):
            raise TypeError(f"transform is a Keras layer or None. Received {transform!r}.")
        self.transform = transform

    def build(self, input_shape: dict[str, Shape]) -> None:
        self.names = tuple(checked_widths(self, input_shape))
        if self.transform is not None:
            build_once(self.transform, self._concatenated(input_shape))

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        if self.transform is None:
            return concatenate(inputs)
        return self.transform(concatenate(inputs, self.names))

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        shape = self._concatenated(input_shape)
        return shape if self.transform is None else self.transform.compute_output_shape(shape)

    def _concatenated(self, input_shape: dict[str, Shape]) -> Shape:
        return (batch_size(input_shape), sum(checked_widths(self, input_shape).values()))

    def get_config(self) -> dict:
        return super().get_config() | {"transform": serialized(self.transform)}

    @classmethod
    def from_config(cls, config: dict) -> "ConcatFusion":
        return super().from_config(deserialized(config))
