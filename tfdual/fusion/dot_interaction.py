"""Dot products of many vectors of one width."""

from typing import Any

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.fusion.concat import concatenate
from tfdual.fusion.named_vectors import batch_size, checked_one_width
from tfdual.fusion.stack import stack


@register
class DotInteractionFusion(keras.layers.Layer):
    """The dot product of every pair of named vectors.

    `out = [x_i . x_j for i < j]`, in the order of the names: for a, b, c it is `[a.b, a.c, b.c]`.

    Args:
        include_self: bool. Also the product of each vector with itself, before those with later names: `i <= j`.
            Defaults to `False`.
        keep_inputs: bool. Put the inputs, concatenated by name, before the products. Defaults to `False`.

    Input: dict of name -> `(batch, dim)`, all with one `dim`; at least two, or one with `include_self`.
    Output: `(batch, n (n - 1) / 2)` for `n` inputs; `n` more with `include_self`, `n dim` more with `keep_inputs`.

    Raises:
        TypeError: an argument is no bool, or the input no dict.
        ValueError: there is no pair, an input is no vector, or the inputs differ in width.

    Example:
        >>> y = DotInteractionFusion()({"a": ops.ones((1, 4)), "b": ops.ones((1, 4)), "c": ops.zeros((1, 4))})
        >>> ops.convert_to_numpy(y).tolist()
        [[4.0, 0.0, 0.0]]

    Reference: Naumov et al., 2019, arXiv:1906.00091
    """

    def __init__(self, include_self: bool = False, keep_inputs: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for argument, value in (("include_self", include_self), ("keep_inputs", keep_inputs)):
            if not isinstance(value, bool):
                raise TypeError(f"{argument} is a bool. Received {value!r}.")
        self.include_self = include_self
        self.keep_inputs = keep_inputs

    def build(self, input_shape: dict[str, Shape]) -> None:
        widths = checked_one_width(self, input_shape)
        if not self._pairs(len(widths)):
            raise ValueError(
                f"DotInteractionFusion needs at least two vectors. Received {list(widths)}. "
                "Give it another one, or set include_self=True."
            )

    def _pairs(self, features: int) -> list[int]:
        """Places of the pairs in a matrix of all products that is read row by row."""
        skipped = 0 if self.include_self else 1
        return [row * features + column for row in range(features) for column in range(row + skipped, features)]

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        vectors = stack(inputs)  # (batch, n, dim)
        features = vectors.shape[1]
        products = ops.matmul(vectors, ops.transpose(vectors, (0, 2, 1)))  # (batch, n, n)
        products = ops.reshape(products, (-1, features * features))
        pairs = ops.take(products, self._pairs(features), axis=1)
        return ops.concatenate([concatenate(inputs), pairs], axis=-1) if self.keep_inputs else pairs

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        widths = checked_one_width(self, input_shape)
        kept = sum(widths.values()) if self.keep_inputs else 0
        return (batch_size(input_shape), len(self._pairs(len(widths))) + kept)

    def get_config(self) -> dict:
        return super().get_config() | {"include_self": self.include_self, "keep_inputs": self.keep_inputs}
