"""Many vectors that attend to one another, pooled."""

from typing import Any

import keras
from keras import ops

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual._vectors import zero_missing
from tfdual.fusion.named_vectors import batch_size, check_positive_integer, checked_one_width, one_vector_shape
from tfdual.fusion.stack import stack, stack_masks

POOLINGS = ("concat", "mean")


@register
class AttentionFusion(keras.layers.Layer):
    """Let named vectors attend to one another, then pool them.

    `z_i = x_i + e_i`, `h = LayerNorm(z + MultiHeadAttention(z, z))`, `out = pooling(h)`, where `e_i` is a learned
    vector for each name. Attention alone sees a set: an age and a price with equal vectors would be one and the same
    to it. `e_i` tells it which is which. The attention has no biases; that of the keys could not change anything.

    Args:
        num_heads: int. Defaults to 4.
        key_dim: int. Width of each head. Defaults to `None`: `dim // num_heads`, at least 1.
        dropout: float. Share of attention weights dropped in training. Defaults to 0.
        pooling: str. `"mean"` of the vectors, or `"concat"`: side by side, in the order of the names. Defaults to
            `"mean"`.
        seed: int. Seed of the dropout. Defaults to `None`: a random one.

    Input: dict of name -> `(batch, dim)`, all with one `dim`. Optional `mask`: dict of name -> bool `(batch,)`, False
        where the feature is missing; a name without mask is never missing. A missing feature neither gives nor
        receives, whatever its vector holds: the mean leaves it out, in the concatenation it is zero.
    Output: `(batch, dim)`, or `(batch, features * dim)` for `"concat"`; zeros where every feature is missing.

    Raises:
        TypeError: the input or the mask is no dict.
        ValueError: a bad argument, there is no input, one is no vector, the inputs differ in width, or have other names
            than at first, or a mask has no vector or is not `(batch,)`.

    Example:
        >>> vectors = {"age": ops.ones((2, 8)), "bio": ops.ones((2, 8))}
        >>> y = AttentionFusion(num_heads=2)(vectors, mask={"bio": ops.array([True, False])})
        >>> tuple(y.shape)
        (2, 8)

    Reference: Vaswani et al., 2017, arXiv:1706.03762; over features: Song et al., 2019, arXiv:1810.11921
    """

    def __init__(
        self,
        num_heads: int = 4,
        key_dim: int | None = None,
        dropout: float = 0.0,
        pooling: str = "mean",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integer(self, "num_heads", num_heads)
        if key_dim is not None:
            check_positive_integer(self, "key_dim", key_dim)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is a share in [0, 1). Received {dropout}.")
        if pooling not in POOLINGS:
            raise ValueError(f"AttentionFusion knows the poolings {list(POOLINGS)}. Received {pooling!r}.")
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.dropout = dropout
        self.pooling = pooling
        self.seed = seed

    def build(self, input_shape: dict[str, Shape]) -> None:
        widths = checked_one_width(self, input_shape)
        self.names = tuple(widths)
        shape = (None, len(widths), widths[self.names[0]])
        self.feature_embeddings = self.add_weight(shape[1:], initializer="uniform", name="feature_embeddings")
        self.attention = keras.layers.MultiHeadAttention(
            self.num_heads,
            self.key_dim or max(1, shape[-1] // self.num_heads),
            dropout=self.dropout,
            use_bias=False,
            seed=self.seed,
            name="attention",
            dtype=self.dtype_policy,
        )
        self.attention.build(shape, shape)
        self.normalization = keras.layers.LayerNormalization(name="normalization", dtype=self.dtype_policy)
        build_once(self.normalization, shape)

    def call(self, inputs: dict[str, Tensor], mask: dict[str, Tensor] | None = None) -> Tensor:
        vectors = stack(inputs, self.names)  # (batch, features, dim)
        present = stack_masks(mask, self.names)
        vectors = zero_missing(vectors, present) + self.feature_embeddings
        attended = self.attention(vectors, vectors, attention_mask=_keys(present))
        vectors = zero_missing(self.normalization(vectors + attended), present)
        if self.pooling == "concat":
            return ops.reshape(vectors, (-1, vectors.shape[1] * vectors.shape[2]))
        if present is None:
            return ops.mean(vectors, axis=1)
        count = ops.cast(ops.sum(ops.cast(present, "int32"), axis=1, keepdims=True), vectors.dtype)  # (batch, 1)
        return ops.sum(vectors, axis=1) / ops.maximum(count, 1)

    def compute_mask(self, inputs: dict[str, Tensor], previous_mask: Any = None) -> None:
        """The result has no features left to mask."""

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        if self.pooling == "concat":
            return (batch_size(input_shape), sum(checked_one_width(self, input_shape).values()))
        return one_vector_shape(self, input_shape)

    def get_config(self) -> dict:
        return super().get_config() | {
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "dropout": self.dropout,
            "pooling": self.pooling,
            "seed": self.seed,
        }


def _keys(present: Tensor | None) -> Tensor | None:
    """What may be attended to, `(batch, 1, features)`. In a row of nothing it is everything: no softmax of nothing."""
    if present is None:
        return None
    nothing = ops.logical_not(ops.any(present, axis=1, keepdims=True))
    return ops.logical_or(present, nothing)[:, None, :]
