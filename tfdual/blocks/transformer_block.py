"""Features that attend to one another."""

from typing import Any

import keras
from keras import ops

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block
from tfdual.blocks.named_inputs import as_sequence, sequence_shape
from tfdual.blocks.named_layers import check_dropout, check_positive, dropout_layers
from tfdual.blocks.residual_block import ResidualBlock
from tfdual.blocks.sequential_block import SequentialBlock

POOLINGS = ("mean", "first", None)
EPSILON = 1e-6


@register
class TransformerBlock(Block):
    """Transformer encoder over a stack of feature vectors, normalised before each step; then pooled.

    Each layer is `x = x + attention(norm(x))`, then `x = x + W_2 gelu(W_1 norm(x))`; a last `norm` follows.

    Features are named, not ordered, so there are no positions. Each place of the stack has a learned embedding
    instead, which is added to the vector there: it tells the features apart. Attention has no biases (that of the keys
    would have no effect).

    Args:
        num_layers: int. Defaults to 1.
        num_heads: int. Attention heads; they share the width. Defaults to 4.
        hidden_dim: int. Width between the two Dense layers. Defaults to `None`: four times the input's width.
        dropout: float. Share dropped of the attention weights and of what each step adds. Defaults to 0.
        pooling: `"mean"` over the features, `"first"` (the vector at the first place), or None, the sequence. Defaults
            to `"mean"`.

    Input: `(batch, features, dim)`, or a dict of `(batch, dim)`, stacked in the order of their names. Optional `mask`,
        bool `(batch, features)`: a feature that is False neither gives nor receives.
    Output: `(batch, dim)`; without pooling `(batch, features, dim)`. Zeros for a masked feature, and for a row without
        features.

    Raises:
        ValueError: a size below 1, dropout outside [0, 1), an unknown pooling, a width that the heads don't divide,
            features of different widths.

    Example:
        >>> block = TransformerBlock(num_layers=2, num_heads=2)
        >>> tuple(block({"title": ops.ones((3, 8)), "user": ops.ones((3, 8))}).shape)
        (3, 8)

    Reference: Vaswani et al., 2017, arXiv:1706.03762; Xiong et al., 2020, arXiv:2002.04745
    """

    def __init__(
        self,
        num_layers: int = 1,
        num_heads: int = 4,
        hidden_dim: int | None = None,
        dropout: float = 0.0,
        pooling: str | None = "mean",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive("TransformerBlock", num_layers=num_layers, num_heads=num_heads, hidden_dim=hidden_dim)
        if pooling not in POOLINGS:
            raise ValueError(f"pooling is 'mean', 'first' or None. Received {pooling!r}.")
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.dropout = check_dropout(dropout)
        self.pooling = pooling

    def build(self, input_shape: Shape | dict[str, Shape]) -> None:
        shape = sequence_shape(input_shape)
        _, features, dim = shape
        if dim % self.num_heads:
            raise ValueError(
                f"The heads share the width, so num_heads must divide it. Received a width of {dim} and "
                f"num_heads={self.num_heads}."
            )
        self.place_embeddings = self.add_weight((features, dim), initializer="uniform", name="place_embeddings")
        self.attention_normalizations = [
            self._normalization(f"attention_normalization_{n}") for n in range(self.num_layers)
        ]
        self.attentions = [self._attention(dim, place) for place in range(self.num_layers)]
        self.attention_dropout = keras.layers.Dropout(self.dropout, name="attention_dropout", dtype=self.dtype_policy)
        self.feed_forwards = [self._feed_forward(dim, place) for place in range(self.num_layers)]
        self.normalization = self._normalization("normalization")
        for attention in self.attentions:
            attention.build(shape, shape)
        for layer in (*self.attention_normalizations, *self.feed_forwards, self.normalization):
            build_once(layer, shape)

    def _normalization(self, name: str) -> keras.layers.Layer:
        return keras.layers.LayerNormalization(epsilon=EPSILON, name=name, dtype=self.dtype_policy)

    def _attention(self, dim: int, place: int) -> keras.layers.Layer:
        return keras.layers.MultiHeadAttention(
            self.num_heads,
            dim // self.num_heads,
            dropout=self.dropout,
            use_bias=False,
            name=f"attention_{place}",
            dtype=self.dtype_policy,
        )

    def _feed_forward(self, dim: int, place: int) -> ResidualBlock:
        dtype = self.dtype_policy
        layers = [
            self._normalization(f"normalization_{place}"),
            keras.layers.Dense(self.hidden_dim or 4 * dim, "gelu", name=f"hidden_{place}", dtype=dtype),
            keras.layers.Dense(dim, name=f"dense_{place}", dtype=dtype),
            *dropout_layers(self.dropout, place, dtype),
        ]
        added = SequentialBlock(layers, name="added", dtype=dtype)
        return ResidualBlock(added, name=f"feed_forward_{place}", dtype=dtype)

    def call(self, inputs: Tensor | dict[str, Tensor], mask: Tensor | None = None) -> Tensor:
        sequence = as_sequence(inputs)
        # For a dict, Keras sets `mask` to a dict of the vectors' own masks, which vectors don't have.
        masked = mask is not None and not isinstance(mask, dict)
        present = ops.cast(mask, "bool") if masked else ops.ones(ops.shape(sequence)[:2], "bool")  # (batch, features)
        sequence = _kept(sequence, present) + self.place_embeddings
        for normalization, attention, feed_forward in zip(
            self.attention_normalizations, self.attentions, self.feed_forwards, strict=True
        ):
            normal = normalization(sequence)
            received = attention(normal, normal, attention_mask=present[:, None, :] if masked else None)
            sequence = feed_forward(sequence + self.attention_dropout(received))
        return self._pooled(_kept(self.normalization(sequence), present), present)

    def _pooled(self, sequence: Tensor, present: Tensor) -> Tensor:
        if self.pooling is None:
            return sequence
        if self.pooling == "first":
            return sequence[:, 0]
        total = ops.sum(ops.cast(sequence, "float32"), axis=1)
        features = ops.sum(ops.cast(present, "float32"), axis=1, keepdims=True)
        return ops.cast(total / ops.maximum(features, 1.0), self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask goes on with the sequence."""
        return None if self.pooling or isinstance(previous_mask, dict) else previous_mask

    def compute_output_shape(self, input_shape: Shape | dict[str, Shape]) -> Shape:
        batch, features, dim = sequence_shape(input_shape)
        return (batch, dim) if self.pooling else (batch, features, dim)

    def get_config(self) -> dict:
        return super().get_config() | {
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "dropout": self.dropout,
            "pooling": self.pooling,
        }


def _kept(sequence: Tensor, present: Tensor) -> Tensor:
    return ops.where(present[..., None], sequence, ops.zeros_like(sequence))
