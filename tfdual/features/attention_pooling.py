"""The rows of a list -> one row, by attention."""

import math
from typing import Any

import keras
from keras import ops

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features.list_pooling import LOWEST


@register
class AttentionPooling(keras.layers.Layer):
    """Sum the rows of a list, each by how much a learnt query attends to it.

    `out = sum_i a_i x_i`, with `a = softmax(s)` over the entries of the list; `s_i = v . tanh(W x_i + b)` with
    `hidden_dim`, and `s_i = v . x_i / sqrt(dim)` without. With weights `w`, `a_i = w_i exp(s_i) / sum_j w_j exp(s_j)`.
    An empty list gives zeros. Softmax and sum are in float32.

    Args:
        hidden_dim: int. Width of the hidden layer. Defaults to `None`: no hidden layer.

    Input: rows `(batch, length, dim)`, mask `(batch, length)`, true where there is an entry; weights `(batch, length)`.
    Output: `(batch, dim)`.

    Raises:
        ValueError: `hidden_dim` is below 1.

    Example:
        >>> pooled = AttentionPooling()(ops.ones((2, 3, 4)), ops.ones((2, 3), dtype="bool"))
        >>> tuple(pooled.shape)
        (2, 4)

    Reference: Yang et al., 2016, "Hierarchical Attention Networks for Document Classification"
    """

    def __init__(self, hidden_dim: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if hidden_dim is not None and hidden_dim < 1:
            raise ValueError(f"hidden_dim is at least 1, or None. Received {hidden_dim}.")
        self.hidden_dim = hidden_dim

    def build(self, input_shape: Shape) -> None:
        if self.hidden_dim is not None:
            self.hidden = keras.layers.Dense(self.hidden_dim, "tanh", name="hidden", dtype=self.dtype_policy)
            build_once(self.hidden, input_shape)
        width = self.hidden_dim or int(input_shape[-1] or 0)
        self.query = self.add_weight((width, 1), initializer="glorot_uniform", name="query")
        self._scale = 1.0 if self.hidden_dim else 1 / math.sqrt(width)

    def call(self, rows: Tensor, mask: Tensor, weights: Tensor | None = None) -> Tensor:
        hidden = rows if self.hidden_dim is None else self.hidden(rows)
        scores = ops.cast(ops.matmul(hidden, self.query), "float32")[..., 0] * self._scale  # (batch, length)
        scores = ops.where(mask, scores, LOWEST)
        highest = ops.stop_gradient(ops.max(scores, axis=1, keepdims=True, initial=LOWEST))
        shares = ops.where(mask, ops.exp(scores - highest), 0.0)
        if weights is not None:
            shares = shares * ops.where(mask, ops.cast(weights, "float32"), 0.0)
        shares = ops.divide_no_nan(shares, ops.sum(shares, axis=1, keepdims=True))
        kept = ops.where(mask[..., None], ops.cast(rows, "float32"), 0.0)
        return ops.cast(ops.sum(shares[..., None] * kept, axis=1), self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], input_shape[-1])

    def get_config(self) -> dict:
        return super().get_config() | {"hidden_dim": self.hidden_dim}
