"""The rows of a list -> one row, by self-attention."""

from typing import Any

import keras
from keras import ops

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual._vectors import zero_missing
from tfdual.blocks.masked_mean import masked_mean
from tfdual.blocks.named_layers import check_dropout, check_positive
from tfdual.blocks.transformer_layer import transformer_layers
from tfdual.features.sequence_places import last_places, take_places

POOLINGS = ("last", "mean", None)


@register
class TransformerEncoder(keras.layers.Layer):
    """Let the entries of a list attend to one another, and give the last of them or their mean.

    Learnt positions are added to the rows. Each layer is `x = x + attention(norm(x))`, then
    `x = x + W_2 gelu(W_1 norm(x))`; a last `norm` follows. Attention has no biases. Of a list longer than `max_length`
    the last `max_length` entries are read, and counted from the first of these. Padding may stand anywhere; it is
    skipped. An empty list gives zeros. With weights, each row is multiplied by its own first.

    Args:
        num_layers: int. Defaults to 2.
        num_heads: int. The width of the rows is a multiple of it. Defaults to 2.
        max_length: int. Defaults to 50.
        feed_forward_dim: int. Width of the feed-forward networks. Defaults to `None`: four times that of the rows.
        dropout: float. Share dropped, in training, of the attention weights and of what each branch adds. Defaults
            to 0.
        causal: bool. An entry attends to itself and to those before it, not to later ones. Defaults to `True`.
        pooling: str. `"last"`: the last entry's row; `"mean"`: the mean of all; None: every entry's, moved to the
            front, and zeros after them. Defaults to `"last"`.
        seed: int. Of the dropout. Defaults to `None`.

    Input: rows `(batch, length, dim)`, mask `(batch, length)`, true where there is an entry; weights `(batch, length)`.
    Output: `(batch, dim)`; without pooling `(batch, kept, dim)`, `kept` at most `max_length`.

    Raises:
        ValueError: a size below 1, dropout outside [0, 1), an unknown pooling, a width that isn't a multiple of the
            number of heads.

    Example:
        >>> encoded = TransformerEncoder(num_layers=1)(ops.ones((2, 3, 4)), ops.ones((2, 3), dtype="bool"))
        >>> tuple(encoded.shape)
        (2, 4)

    Reference: Kang and McAuley, 2018, arXiv:1808.09781; Xiong et al., 2020, arXiv:2002.04745
    """

    def __init__(
        self,
        num_layers: int = 2,
        num_heads: int = 2,
        max_length: int = 50,
        feed_forward_dim: int | None = None,
        dropout: float = 0.0,
        causal: bool = True,
        pooling: str | None = "last",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(
            "TransformerEncoder",
            num_layers=num_layers,
            num_heads=num_heads,
            max_length=max_length,
            feed_forward_dim=feed_forward_dim,
        )
        if pooling not in POOLINGS:
            raise ValueError(f"pooling is one of {POOLINGS}. Received {pooling!r}.")
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.max_length = max_length
        self.feed_forward_dim = feed_forward_dim
        self.dropout = check_dropout(dropout)
        self.causal = causal
        self.pooling = pooling
        self.seed = seed

    def build(self, input_shape: Shape) -> None:
        self.layers, self.normalization = transformer_layers(
            self.num_layers, self.num_heads, self.feed_forward_dim, self.dropout, self.seed, self.dtype_policy
        )
        for layer in (*self.layers, self.normalization):
            build_once(layer, input_shape)
        self.positions = self.add_weight((self.max_length, input_shape[-1]), initializer="uniform", name="positions")

    def call(self, rows: Tensor, mask: Tensor, weights: Tensor | None = None) -> Tensor:
        rows = rows if weights is None else rows * weights[..., None]
        places, mask = last_places(mask, self.max_length)
        rows = self._encoded(take_places(rows, places, mask), mask)
        if self.pooling == "mean":
            return masked_mean(rows, mask)
        if self.pooling is None:
            return zero_missing(rows, mask)
        behind = ops.pad(mask[:, 1:], [[0, 0], [0, 1]])
        last = ops.logical_and(mask, ops.logical_not(behind))[..., None]
        return ops.sum(ops.where(last, rows, ops.zeros_like(rows)), axis=1)

    def _encoded(self, rows: Tensor, mask: Tensor) -> Tensor:
        """Each entry's row after all layers, `(batch, kept, dim)`; the entries stand in front."""
        length = ops.shape(rows)[1]
        rows = rows + self.positions[:length]
        attends = mask[:, None, :]  # (batch, 1, kept)
        if self.causal:
            places = ops.arange(length)
            attends = ops.logical_and(attends, places[:, None] >= places)  # (batch, kept, kept)
        for layer in self.layers:
            rows = layer(rows, attends)
        return self.normalization(rows)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if self.pooling is None:
            length = None if input_shape[1] is None else min(max(input_shape[1], 1), self.max_length)
            return (input_shape[0], length, input_shape[-1])
        return (input_shape[0], input_shape[-1])

    def get_config(self) -> dict:
        return super().get_config() | {
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "max_length": self.max_length,
            "feed_forward_dim": self.feed_forward_dim,
            "dropout": self.dropout,
            "causal": self.causal,
            "pooling": self.pooling,
            "seed": self.seed,
        }
