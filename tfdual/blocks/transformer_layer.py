"""Self-attention and a feed-forward network, each with its residual."""

from typing import Any

import keras

from tfdual._build import build_once
from tfdual._typing import Shape, Tensor

EPSILON = 1e-6


class TransformerLayer(keras.layers.Layer):
    """One pre-norm layer of a transformer; made by `TransformerBlock` and `TransformerEncoder`.

    `y = x + attention(norm(x))`, `out = y + W_2 gelu(W_1 norm(y) + b_1) + b_2`. Attention has no biases: that of the
    keys would have no effect.

    Args:
        num_heads: int. They share the width.
        feed_forward_dim: int or None: four times the width.
        dropout: float. Share dropped, in training, of the attention weights and of what each branch adds.
        seed: int or None. Of the dropout.

    Input: rows `(batch, length, dim)`; optional, what each may attend to, bool `(batch, length or 1, length)`.
    Output: `(batch, length, dim)`.

    Raises:
        ValueError: a width that the heads don't divide.
    """

    def __init__(
        self, num_heads: int, feed_forward_dim: int | None, dropout: float, seed: int | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.feed_forward_dim = feed_forward_dim
        self.dropout = dropout
        self.seed = seed

    def build(self, input_shape: Shape) -> None:
        layers, dim, dtype = keras.layers, int(input_shape[-1] or 0), self.dtype_policy
        if dim % self.num_heads:
            raise ValueError(
                f"The heads share the width, so num_heads must divide it. Received a width of {dim} and "
                f"num_heads={self.num_heads}."
            )
        wide = self.feed_forward_dim or 4 * dim
        self.attention_normalization = layers.LayerNormalization(
            epsilon=EPSILON, name="attention_normalization", dtype=dtype
        )
        self.attention = layers.MultiHeadAttention(
            self.num_heads,
            dim // self.num_heads,
            dropout=self.dropout,
            use_bias=False,
            seed=self.seed,
            name="attention",
            dtype=dtype,
        )
        self.feed_forward_normalization = layers.LayerNormalization(
            epsilon=EPSILON, name="feed_forward_normalization", dtype=dtype
        )
        self.widened = layers.Dense(wide, "gelu", name="widened", dtype=dtype)
        self.narrowed = layers.Dense(dim, name="narrowed", dtype=dtype)
        self.dropped = layers.Dropout(self.dropout, seed=self.seed, name="dropped", dtype=dtype)
        self.attention.build(input_shape, input_shape)
        for layer in (self.attention_normalization, self.feed_forward_normalization, self.widened):
            build_once(layer, input_shape)
        build_once(self.narrowed, (*input_shape[:-1], wide))

    def call(self, rows: Tensor, attends: Tensor | None = None) -> Tensor:
        normal = self.attention_normalization(rows)
        rows = rows + self.dropped(self.attention(normal, normal, attention_mask=attends))
        return rows + self.dropped(self.narrowed(self.widened(self.feed_forward_normalization(rows))))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def transformer_layers(
    num_layers: int, num_heads: int, feed_forward_dim: int | None, dropout: float, seed: int | None, dtype: Any
) -> tuple[list[TransformerLayer], keras.layers.Layer]:
    """The layers of a transformer, `layer_0`, `layer_1`, ..., and the `normalization` that follows them."""
    layers = [
        TransformerLayer(
            num_heads,
            feed_forward_dim,
            dropout,
            None if seed is None else seed + place,
            name=f"layer_{place}",
            dtype=dtype,
        )
        for place in range(num_layers)
    ]
    return layers, keras.layers.LayerNormalization(epsilon=EPSILON, name="normalization", dtype=dtype)
