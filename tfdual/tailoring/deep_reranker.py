"""A network over the vectors of a query and an item, for the second stage of a search."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from tfdual._build import build_chain
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import MLPBlock
from tfdual.blocks.named_layers import check_dropout, check_positive
from tfdual.models.ranking_model import RankingModel
from tfdual.schema import ColumnSchema, Schema

SCALE = 20.0  # one over the temperature that sentence encoders are trained with


@register
class DeepReranker(RankingModel):
    """Score a query's and an item's vector by a network over both.

    `score = network([query, item])`; with interactions, `network([query, item, query * item, abs(query - item)])`;
    with residual, `scale * query . item` and the network's correction of it, which is 0 at the start

    It is trained on lists of candidates (`reranking_lists`) with their labels: 1 and 0, or grades; -1 marks a place
    without a candidate.

    Args:
        query: str. The column of query vectors. Defaults to `"query_vector"`.
        item: str. The column of item vectors. Defaults to `"vector"`.
        hidden: sequence of int. Widths of the layers before the last, which is 1 wide. Defaults to `(256, 128, 64)`.
        interactions: bool. Add the product and the difference, for vectors of one width. Defaults to `False`.
        residual: bool. Begin as the vectors' own inner product, for few labels; `scale` is learned, from 20 on.
            Defaults to `False`.
        activation: str. Of the hidden layers. Defaults to `"relu"`.
        dropout: float. Share dropped after each hidden layer, in training. Defaults to 0.
        ranking_loss: as of `RankingModel`. Defaults to `None`: `binary_cross_entropy`, for which each label above 0 is
            a positive.

    Input: dict of queries `(batch, dim)` and items `(batch, dim)`, or lists of items `(batch, candidates, dim)`.
    Output: `(batch,)`, or `(batch, candidates)`.

    Raises:
        ValueError: a width below 1, dropout outside [0, 1), one name for both columns; vectors of two widths with
            interactions or residual; no labels.

    Example:
        >>> model = DeepReranker(hidden=(8,), interactions=True)
        >>> tuple(model({"query_vector": ops.ones((2, 4)), "vector": ops.ones((2, 5, 4))}).shape)
        (2, 5)

    Reference: He et al., 2017, "Neural collaborative filtering", arXiv:1708.05031
    """

    def __init__(
        self,
        query: str = "query_vector",
        item: str = "vector",
        hidden: Sequence[int] = (256, 128, 64),
        interactions: bool = False,
        residual: bool = False,
        activation: str = "relu",
        dropout: float = 0.0,
        ranking_loss: Callable[..., Tensor] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(ranking_loss, **kwargs)
        if query == item:
            raise ValueError(f"A re-ranker reads two columns. Received {query!r} for both.")
        if not hidden:
            raise ValueError("A re-ranker has at least one hidden layer. Received none.")
        check_positive("DeepReranker", **{f"hidden[{place}]": width for place, width in enumerate(hidden)})
        self.query = query
        self.item = item
        self.hidden = tuple(hidden)
        self.interactions = interactions
        self.residual = residual
        self.activation = activation
        self.dropout = check_dropout(dropout)

    def build(self, input_shape: dict[str, Shape]) -> None:
        self._widths = {name: int(input_shape[name][-1] or 0) for name in (self.query, self.item)}
        if (self.interactions or self.residual) and len(set(self._widths.values())) > 1:
            raise ValueError(
                f"Interactions and the residual need vectors of one width. Received {self._widths}. Leave them out."
            )
        width = sum(self._widths.values()) * (2 if self.interactions else 1)
        start = "zeros" if self.residual else "glorot_uniform"
        self.layers_of_network = [
            MLPBlock(self.hidden, self.activation, dropout=self.dropout, dtype=self.dtype_policy),
            keras.layers.Dropout(self.dropout, dtype=self.dtype_policy),  # the block drops nothing after its last layer
            keras.layers.Dense(1, kernel_initializer=start, dtype=self.dtype_policy),
        ]
        if self.residual:
            self.scale = self.add_weight((), initializer=keras.initializers.Constant(SCALE), name="scale")
        build_chain(self.layers_of_network, (None, width))
        self.built = True

    @property
    def schema(self) -> Schema:
        """The two columns."""
        if not self.built:
            raise ValueError("The re-ranker doesn't know the widths of its vectors yet. Train or load it first.")
        return Schema(
            ColumnSchema(name, dtype="float32", is_list=True, dims=(None, width))
            for name, width in self._widths.items()
        )

    @property
    def query_columns(self) -> list[str]:
        """That of query vectors."""
        return [self.query]

    @property
    def item_columns(self) -> list[str]:
        """That of item vectors."""
        return [self.item]

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        query, item = (ops.cast(inputs[name], self.compute_dtype) for name in (self.query, self.item))
        if len(item.shape) == 3:
            query = ops.repeat(query[:, None, :], ops.shape(item)[1], axis=1)  # (batch, candidates, dim)
        parts = [query, item]
        if self.interactions:
            parts += [query * item, ops.abs(query - item)]
        x = ops.concatenate(parts, axis=-1)
        for layer in self.layers_of_network:
            x = layer(x)
        score = ops.squeeze(x, axis=-1)
        return score + self.scale * ops.sum(query * item, axis=-1) if self.residual else score

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return input_shape[self.item][:-1]

    def get_config(self) -> dict:
        return super().get_config() | {
            "query": self.query,
            "item": self.item,
            "hidden": list(self.hidden),
            "interactions": self.interactions,
            "residual": self.residual,
            "activation": self.activation,
            "dropout": self.dropout,
        }
