"""Self-attention and a feed-forward network, each added to its input and normalised: a layer of BERT."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tfdual._typing import Shape, Tensor
from tfdual.features.text.fused_products import gelu, linear

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": gelu,
    "gelu_tanh": functools.partial(ops.gelu, approximate=True),
    "relu": ops.relu,
}


class PostNormLayer(keras.layers.Layer):
    """One post-norm layer of a transformer; made by `TextTransformer`.

    `y = norm(x + attention(x))`, `out = norm(y + W_2 f(W_1 y + b_1) + b_2)`. Queries, keys and values come from one
    product. Rows of all texts stand in one matrix, so that each product is one of matrices.

    Args:
        num_heads: int. They share the width.
        feed_forward_dim: int.
        activation: str. One of `ACTIVATIONS`.
        epsilon: float. Of the normalisation.
        dropout: float. Share dropped, in training, of the attention weights and of what each branch adds.

    Input: rows `(batch * length, dim)`; where there is a token, bool `(batch, length)`.
    Output: `(batch * length, dim)`.
    """

    def __init__(
        self, num_heads: int, feed_forward_dim: int, activation: str, epsilon: float, dropout: float, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.feed_forward_dim = feed_forward_dim
        self.activation = activation
        self.epsilon = epsilon
        self.dropped = keras.layers.Dropout(dropout, name="dropped", dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        dim, wide = int(input_shape[-1] or 0), self.feed_forward_dim
        for name, shape in {
            "attention": (dim, 3 * dim),
            "mixed": (dim, dim),
            "up": (dim, wide),
            "down": (wide, dim),
        }.items():
            self._add(name, "kernel", shape, keras.initializers.TruncatedNormal(stddev=0.02))
            self._add(name, "bias", shape[1:], "zeros")
        for name in ("attention_norm", "feed_forward_norm"):
            self._add(name, "gamma", (dim,), "ones")
            self._add(name, "beta", (dim,), "zeros")

    def _add(self, part: str, kind: str, shape: Shape, initializer: Any) -> None:
        weight = self.add_weight(shape, initializer=initializer, name=f"{part}_{kind}")
        setattr(self, f"{part}_{kind}", weight)

    def call(self, rows: Tensor, mask: Tensor) -> Tensor:
        added = linear(self._attention(rows, mask), self.mixed_kernel, self.mixed_bias)
        rows = normalized(rows + self.dropped(added), self.attention_norm_gamma, self.attention_norm_beta, self.epsilon)
        hidden = ACTIVATIONS[self.activation](linear(rows, self.up_kernel, self.up_bias))
        added = linear(hidden, self.down_kernel, self.down_bias)
        return normalized(
            rows + self.dropped(added), self.feed_forward_norm_gamma, self.feed_forward_norm_beta, self.epsilon
        )

    def _attention(self, rows: Tensor, mask: Tensor) -> Tensor:
        """Each row's mean of the values of its text, weighed by its query and their keys, `(batch * length, dim)`."""
        batch, length = ops.shape(mask)[0], ops.shape(mask)[1]
        dim = rows.shape[-1]
        width = dim // self.num_heads
        projected = linear(rows, self.attention_kernel, self.attention_bias)  # (batch * length, 3 * dim)
        parts = ops.reshape(projected, (batch, length, 3, self.num_heads, width))
        query, key, value = ops.unstack(ops.transpose(parts, (2, 0, 3, 1, 4)), 3)  # (batch, heads, length, width)
        scores = ops.matmul(query / math.sqrt(width), ops.swapaxes(key, -1, -2))
        # Most groups hold texts of one length: then a pass over all scores is saved.
        scores = ops.cond(
            ops.all(mask), lambda: scores, lambda: ops.where(mask[:, None, None, :], scores, -math.inf)
        )  # (batch, heads, length, length)
        mixed = ops.matmul(self.dropped(ops.softmax(scores)), value)
        return ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, dim))

    def compute_output_shape(self, input_shape: Shape, *others: Shape) -> Shape:
        return input_shape


def normalized(rows: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    """Layer normalisation of the last axis; the moments in float32."""
    wide = ops.cast(rows, "float32")
    centred = wide - ops.mean(wide, axis=-1, keepdims=True)
    deviation = ops.rsqrt(ops.mean(ops.square(centred), axis=-1, keepdims=True) + epsilon)
    return ops.cast(centred * deviation, rows.dtype) * gamma + beta
