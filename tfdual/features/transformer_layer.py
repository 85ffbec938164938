"""Self-attention and a feed-forward network, each with its residual."""

from typing import Any

import keras

from tfdual._build import build_once
from tfdual._typing import Shape, Tensor


class TransformerLayer(keras.layers.Layer):
    """One pre-norm layer of a transformer; made by `TransformerEncoder`.

    `y = x + attention(norm(x))`, `out = y + W2 relu(W1 norm(y))`.

    Args:
        num_heads: int.
        feed_forward_dim: int.
        dropout: float. Of attention weights and of both branches, in training.
        seed: int or None.

    Input: rows `(batch, length, dim)` and what each may attend to, bool `(batch, length, length)`.
    Output: `(batch, length, dim)`.
    """

    def __init__(
        self, num_heads: int, feed_forward_dim: int, dropout: float, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.feed_forward_dim = feed_forward_dim
        self.dropout = dropout
        self.seed = seed

    def build(self, input_shape: Shape) -> None:
        layers, dim, dtype = keras.layers, int(input_shape[-1] or 0), self.dtype_policy
        self.attention_norm = layers.LayerNormalization(name="attention_norm", dtype=dtype)
        self.attention = layers.MultiHeadAttention(
            self.num_heads, dim // self.num_heads, dropout=self.dropout, seed=self.seed, name="attention", dtype=dtype
        )
        self.feed_forward_norm = layers.LayerNormalization(name="feed_forward_norm", dtype=dtype)
        self.widened = layers.Dense(self.feed_forward_dim, "relu", name="widened", dtype=dtype)
        self.narrowed = layers.Dense(dim, name="narrowed", dtype=dtype)
        self.dropped = layers.Dropout(self.dropout, seed=self.seed, name="dropped", dtype=dtype)
        build_once(self.attention_norm, input_shape)
        if not self.attention.built:
            self.attention.build(input_shape, input_shape)
        build_once(self.feed_forward_norm, input_shape)
        build_once(self.widened, input_shape)
        build_once(self.narrowed, (*input_shape[:-1], self.feed_forward_dim))

    def call(self, rows: Tensor, attends: Tensor) -> Tensor:
        normal = self.attention_norm(rows)
        rows = rows + self.dropped(self.attention(normal, normal, attention_mask=attends))
        return rows + self.dropped(self.narrowed(self.widened(self.feed_forward_norm(rows))))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
