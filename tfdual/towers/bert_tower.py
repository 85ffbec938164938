"""One column of text to an embedding."""

from typing import Any

import keras

from tfdual._build import build_chain, chain_output_shape, fresh_copy, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.features import FeatureEncoder, TextEncoder
from tfdual.features.text.text_transformer import check_layers
from tfdual.schema import ColumnSchema, Kind, Schema


@register
class BertTower(Block):
    """A text, through a pretrained encoder and what follows it: a tower of its own, or a side of a two-tower.

    Two towers with one encoder share its weights; give each its own to tune them apart.

    Args:
        schema: Schema. With one column of strings; others are left out.
        encoder: TextEncoder.
        num_layers: int. How many of the encoder's last layers are trained; said to the encoder, and so to all who share
            it. Defaults to `None`: as the encoder is.
        head: Keras layer, name or list of them that the encoder's vector passes. Defaults to `None`.

    Input: dict of column name -> tensor.
    Output: `(batch, dim)`.

    Raises:
        ValueError: not one column of strings, a number of layers below 1 or above those that there are.

    Example:
        >>> from tfdual.features.text import TextTransformer, WordPieceTokenizer
        >>> tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea"])
        >>> encoder = TextEncoder(tokenizer, TextTransformer(5, num_layers=2, num_heads=2, dim=8, feed_forward_dim=16))
        >>> title = Schema([ColumnSchema("title", dtype="string")])
        >>> tower = BertTower(title, encoder, num_layers=1, head=keras.layers.Dense(4))
        >>> tuple(tower({"title": keras.ops.convert_to_tensor(["Tea", "milk"])}).shape)
        (2, 4)

    Reference: Reimers and Gurevych, 2019, arXiv:1908.10084
    """

    def __init__(
        self,
        schema: Schema,
        encoder: TextEncoder,
        num_layers: int | None = None,
        head: LayerLike | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        column = _text_column(schema)
        if num_layers is not None:
            encoder.transformer.train_last(check_layers(num_layers, encoder.transformer.num_layers))
        self.encoder = encoder
        made: dict[str, Any] = {"aggregation": "concat", "dtype": self.dtype_policy}
        self.features = FeatureEncoder(Schema([column]), encoders={column.name: encoder}, **made)
        self.head = None if head is None else self.parse(head)

    def input_blocks(self) -> list[Block]:
        """The one that reads the column."""
        return [self.features]

    def _chain(self) -> list[keras.layers.Layer]:
        return [self.features] if self.head is None else [self.features, self.head]

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_chain(self._chain(), input_shape)

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        for layer in self._chain():
            inputs = layer(inputs)
        return inputs

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return chain_output_shape(self._chain(), input_shape)

    def set_schema(self, schema: Schema) -> "BertTower":
        """A tower on the column of strings of another schema, with weights of its own that start from the same."""
        head = self.head and fresh_copy(self.head)
        return BertTower(schema, fresh_copy(self.encoder), head=head, dtype=self.dtype_policy)

    def get_config(self) -> dict:
        return super().get_config() | {
            "schema": self.features.schema.to_dict(),
            "encoder": serialized(self.encoder),
            "num_layers": None,  # as the encoder is by then
            "head": serialized(self.head),
        }


def _text_column(schema: Schema) -> ColumnSchema:
    texts = [column for column in schema if column.kind is Kind.STRING]
    if len(texts) != 1:
        raise ValueError(
            f"A BertTower reads one column of strings. The schema has {[column.name for column in texts]} among "
            f"{schema.column_names}. Select one by `schema.select_by_name`."
        )
    return texts[0]
