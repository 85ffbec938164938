"""A query side and an item side."""

from typing import Any

import keras
from keras import ops

from tfdual._build import build_chain, build_once, chain_output_shape, fresh_copy, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.features import Table
from tfdual.fusion import as_fusion
from tfdual.schema import Schema, Tags
from tfdual.towers.sharing import share_layers
from tfdual.towers.tower import Tower


@register
class DualEncoderBlock(Block):
    """Two blocks that read columns, each a tower; both see all inputs and take their own columns.

    Columns of one domain share one embedding table, also across the sides. `dtype` is that of the towers and of tables
    that are made here; layers that are given keep their own.

    Args:
        query_block: Block from the query's columns to the embedding, or a `Tower`.
        item_block: the same for the item.
        pre: layer that the dict of columns passes first. Defaults to `None`.
        post: `"l2-norm"`, a Keras layer, or None; the last step of each tower, also where a tower is used alone. Each
            gets a copy. Defaults to `None`.
        aggregation: a fusion of the two embeddings, or its name such as `"cosine"`. Defaults to `None`: both are the
            output.
        schema: Schema. Defaults to `None`: the columns that the two blocks read.

    Input: dict of column name -> tensor, of both sides.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`, or what the aggregation gives.

    Raises:
        ValueError: a block reads no columns; towers of different widths; tables of one domain that differ.

    Example:
        >>> from tfdual import ColumnSchema, InputBlock, MLPBlock
        >>> user, item = (Schema([ColumnSchema(name, dtype="float32")]) for name in ("age", "price"))
        >>> towers = DualEncoderBlock(InputBlock(user) >> MLPBlock([4]), InputBlock(item) >> MLPBlock([4]))
        >>> sorted(towers({"age": ops.ones(2), "price": ops.ones(2)}))
        ['item', 'query']

    Reference: NVIDIA Merlin Models, `DualEncoderBlock`
    """

    def __init__(
        self,
        query_block: Block | Tower,
        item_block: Block | Tower,
        pre: LayerLike | None = None,
        post: LayerLike | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        schema: Schema | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.query = _tower(query_block, post, "query", self.dtype_policy)
        self.item = _tower(item_block, post, "item", self.dtype_policy)
        self.pre = None if pre is None else self.parse(pre)
        self.aggregation = as_fusion(aggregation)
        self._schema = schema
        share_layers(self.query, self.item)

    @property
    def schema(self) -> Schema:
        """The columns of both sides, and others that were given."""
        return (super().schema or Schema()) if self._schema is None else self._schema

    def input_blocks(self) -> list[Block]:
        """Those of both towers."""
        return [*self.query.block.input_blocks(), *self.item.block.input_blocks()]

    @property
    def tables(self) -> dict[str, Table]:
        """The embedding tables of both sides by domain."""
        return self.item.tables | self.query.tables

    def query_block(self) -> Tower:
        """The query tower, a Keras model."""
        return self.query

    def item_block(self) -> Tower:
        """The item tower, a Keras model."""
        return self.item

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        if self.pre is not None:
            build_once(self.pre, input_shape)
        build_once(self.query)
        build_once(self.item)
        if self.query.embedding_dim != self.item.embedding_dim:
            raise ValueError(
                f"Both towers must end in one width. The query tower ends in {self.query.embedding_dim}, "
                f"the item tower in {self.item.embedding_dim}."
            )
        build_chain(self._after(), self._shapes())

    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The query side alone: its columns, through `pre`, to `(batch, dim)`."""
        return self.query(self._prepared(inputs), training=training)

    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The item side alone: its columns, through `pre`, to `(batch, dim)`."""
        return self.item(self._prepared(inputs), training=training)

    def _prepared(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return inputs if self.pre is None else self.pre(inputs)

    def call(self, inputs: dict[str, Tensor]) -> Any:
        inputs = self._prepared(inputs)
        outputs: Any = {"query": self.query(inputs), "item": self.item(inputs)}
        for layer in self._after():
            outputs = layer(outputs)
        return outputs

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Any:
        return chain_output_shape(self._after(), self._shapes())

    def _after(self) -> list[keras.layers.Layer]:
        return [] if self.aggregation is None else [self.aggregation]

    def _shapes(self) -> dict[str, Shape]:
        return {"query": (None, self.query.embedding_dim), "item": (None, self.item.embedding_dim)}

    def select_by_name(self, name: str) -> keras.layers.Layer | None:
        """The tower called `"query"` or `"item"`; else None."""
        return {"query": self.query, "item": self.item}.get(name)

    def apply_to_branch(self, branch_name: str, *layers: LayerLike) -> "DualEncoderBlock":
        """This block, with these layers after its `"query"` or its `"item"` side.

        Raises:
            ValueError: another name.
        """
        if branch_name not in ("query", "item"):
            raise ValueError(f"The branches are 'query' and 'item'. Received {branch_name!r}.")
        tower = self.query if branch_name == "query" else self.item
        whole = tower.block if tower.post is None else tower.block.connect(tower.post)
        return self._with(**{f"{branch_name}_block": whole.connect(*layers)})

    def set_pre(self, value: LayerLike | None) -> "DualEncoderBlock":
        """This block with another `pre`."""
        return self._with(pre=value)

    def set_post(self, value: LayerLike | None) -> "DualEncoderBlock":
        """This block with another last step of both towers."""
        return self._with(query_block=self.query.block, item_block=self.item.block, post=value)

    def set_aggregation(self, value: str | keras.layers.Layer | None) -> "DualEncoderBlock":
        """This block with another aggregation."""
        return self._with(aggregation=value)

    def _with(self, **changes: Any) -> "DualEncoderBlock":
        arguments: dict[str, Any] = {
            "query_block": self.query,
            "item_block": self.item,
            "pre": self.pre,
            "aggregation": self.aggregation,
            "schema": self._schema,
            "dtype": self.dtype_policy,
        }
        return DualEncoderBlock(**(arguments | changes))

    def get_item_ids_from_inputs(self, inputs: dict[str, Tensor]) -> Tensor:
        """The values of the column tagged ITEM_ID.

        Raises:
            ValueError: not one column is tagged so, or the inputs lack it.
        """
        names = self.schema.select_by_tag(Tags.ITEM_ID).column_names
        if len(names) != 1 or names[0] not in inputs:
            raise ValueError(f"Wanted one column tagged ITEM_ID among the inputs {sorted(inputs)}. There is {names}.")
        return inputs[names[0]]

    def get_padding_mask_from_item_id(self, inputs: dict[str, Tensor], pad_token: int = 0) -> Tensor:
        """Where the item id is no padding: bool, of the ids' shape."""
        return ops.not_equal(self.get_item_ids_from_inputs(inputs), pad_token)

    def _sides(self) -> dict[str, keras.layers.Layer]:
        """What the two towers are made from, by the names of the arguments."""
        return {"query_block": self.query, "item_block": self.item}

    def get_config(self) -> dict:
        return super().get_config() | {
            **serialized({**self._sides(), "pre": self.pre, "aggregation": self.aggregation}),
            "post": None,  # a part of the towers by now
            "schema": None if self._schema is None else self._schema.to_dict(),
        }


def _tower(block: Block | Tower, post: LayerLike | None, name: str, dtype: keras.DTypePolicy) -> Tower:
    """The block as a tower that ends in a copy of `post`."""
    last = None if post is None else fresh_copy(Block.parse(post))
    if isinstance(block, Tower):
        if last is None:
            return block
        block = block.block if block.post is None else block.block.connect(block.post)
    return Tower(block, last, name=name, dtype=dtype)
