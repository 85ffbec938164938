"""Features that attend to one another."""

from typing import Any

from keras import ops

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual._vectors import zero_missing
from tfdual.blocks.block import Block
from tfdual.blocks.masked_mean import masked_mean
from tfdual.blocks.named_inputs import as_sequence, sequence_mask, sequence_shape
from tfdual.blocks.named_layers import check_dropout, check_positive
from tfdual.blocks.transformer_layer import transformer_layers

POOLINGS = ("mean", "first", None)


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
        feed_forward_dim: int. Width of the feed-forward networks. Defaults to `None`: four times the input's width.
        dropout: float. Share dropped, in training, of the attention weights and of what each branch adds. Defaults
            to 0.
        pooling: `"mean"` over the features, `"first"` (the vector at the first place), or None, the sequence. Defaults
            to `"mean"`.
        seed: int. Of the dropout. Defaults to `None`.

    Input: `(batch, features, dim)`, or a dict of `(batch, dim)`, stacked in the order of their names. Optional `mask`,
        bool `(batch, features)`, or a dict of `(batch,)`: a feature that is False neither gives nor receives.
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
        feed_forward_dim: int | None = None,
        dropout: float = 0.0,
        pooling: str | None = "mean",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(
            "TransformerBlock", num_layers=num_layers, num_heads=num_heads, feed_forward_dim=feed_forward_dim
        )
        if pooling not in POOLINGS:
            raise ValueError(f"pooling is 'mean', 'first' or None. Received {pooling!r}.")
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.feed_forward_dim = feed_forward_dim
        self.dropout = check_dropout(dropout)
        self.pooling = pooling
        self.seed = seed

    def build(self, input_shape: Shape | dict[str, Shape]) -> None:
        shape = sequence_shape(input_shape)
        self.layers, self.normalization = transformer_layers(
            self.num_layers, self.num_heads, self.feed_forward_dim, self.dropout, self.seed, self.dtype_policy
        )
        for layer in (*self.layers, self.normalization):
            build_once(layer, shape)
        self.place_embeddings = self.add_weight(shape[1:], initializer="uniform", name="place_embeddings")

    def call(self, inputs: Tensor | dict[str, Tensor], mask: Tensor | dict[str, Tensor] | None = None) -> Tensor:
        sequence = as_sequence(inputs)
        present = sequence_mask(inputs, mask)
        keys = None if present is None else present[:, None, :]
        sequence = zero_missing(sequence, present) + self.place_embeddings
        for layer in self.layers:
            sequence = layer(sequence, keys)
        sequence = self.normalization(sequence)
        if self.pooling == "mean":
            return masked_mean(sequence, ops.ones(ops.shape(sequence)[:2], "bool") if present is None else present)
        sequence = zero_missing(sequence, present)
        return sequence[:, 0] if self.pooling == "first" else sequence

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask goes on with the sequence."""
        return None if self.pooling else sequence_mask(inputs, previous_mask)

    def compute_output_shape(self, input_shape: Shape | dict[str, Shape]) -> Shape:
        batch, features, dim = sequence_shape(input_shape)
        return (batch, dim) if self.pooling else (batch, features, dim)

    def get_config(self) -> dict:
        return super().get_config() | {
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "feed_forward_dim": self.feed_forward_dim,
            "dropout": self.dropout,
            "pooling": self.pooling,
            "seed": self.seed,
        }
