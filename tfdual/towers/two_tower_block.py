"""Two towers made from a schema."""

from typing import Any

import keras

from tfdual._build import fresh_copy, serialized
from tfdual._register import register
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.blocks.with_weights import with_weights
from tfdual.features import EmbeddingOptions, FeatureEncoder
from tfdual.fusion import as_fusion
from tfdual.schema import Schema, Tags
from tfdual.towers.dual_encoder_block import DualEncoderBlock
from tfdual.towers.unread_columns import warn_of_unread


@register
class TwoTowerBlock(DualEncoderBlock):
    """A query tower and an item tower, over the columns of their tags.

    The query side also takes the columns tagged CONTEXT, which describe the request. Columns tagged TARGET are no
    features of either side. A feature with the tag of neither side is in no tower, and a warning names it. Columns of
    one domain share one embedding table, also across the towers.

    Args:
        schema: Schema. Model-ready columns of both sides.
        query_tower: Keras layer from the fused query features to the embedding, e.g. `MLPBlock([128, 64])`, or a block
            that reads columns by itself, e.g. `InputBlock(schema) >> MLPBlock([128, 64])`.
        item_tower: the same for the item side. Defaults to `None`: a copy of the query tower, with its own weights, on
            the item's columns.
        query_tower_tag: tag of the query's columns. Defaults to `Tags.USER`.
        item_tower_tag: tag of the item's columns. Defaults to `Tags.ITEM`.
        embedding_options: EmbeddingOptions of towers that don't read columns by themselves. Defaults to
            `EmbeddingOptions()`.
        post: `"l2-norm"`, a Keras layer, or None; the last step of both towers, also where one is used alone. Defaults
            to `None`.
        fusion: Keras layer from a dict of vectors to one, or its name, copied for each side that doesn't read columns
            by itself. Defaults to `None`: `"concat"`.
        pre: layer that the dict of columns passes first. Defaults to `None`.
        aggregation: a fusion of the two embeddings, or its name such as `"cosine"`. Defaults to `None`: both are the
            output, as training wants them.

    Input: dict of column name -> tensor, of both sides.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`, or what the aggregation gives.

    Raises:
        ValueError: schema or query tower missing, a side without columns, towers of different widths, a fusion where no
            tower needs one, options for a column or domain that is not there.

    Reference: NVIDIA Merlin Models, `TwoTowerBlock`; Yi et al., 2019, doi:10.1145/3298689.3346996
    """

    def __init__(
        self,
        schema: Schema,
        query_tower: LayerLike,
        item_tower: LayerLike | None = None,
        query_tower_tag: str = Tags.USER,
        item_tower_tag: str = Tags.ITEM,
        embedding_options: EmbeddingOptions | None = None,
        post: LayerLike | None = None,
        fusion: str | keras.layers.Layer | None = None,
        pre: LayerLike | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        if schema is None:
            raise ValueError("The schema is required by TwoTower")
        if query_tower is None:
            raise ValueError("The query_tower is required by TwoTower")
        item_columns = _side(schema, item_tower_tag)
        query_columns = _query_side(schema, query_tower_tag, item_columns)
        if both := sorted(set(_tagged(schema, query_tower_tag)) & set(item_columns.column_names)):
            raise ValueError(f"The columns {both} have the tags of both towers. Give each column one side.")
        query = Block.from_layer(Block.parse(query_tower))
        item = query.set_schema(item_columns) if item_tower is None else Block.from_layer(Block.parse(item_tower))
        if fusion is not None and query.is_input and item.is_input:
            raise ValueError("The towers read columns by themselves, and so fuse them too. Leave `fusion` out.")
        options = embedding_options or EmbeddingOptions()
        options.check_names(schema)
        super().__init__(
            _reading(query, query_columns, options, fusion, kwargs.get("dtype")),
            _reading(item, item_columns, options, fusion, kwargs.get("dtype")),
            pre=pre,
            post=post,
            aggregation=aggregation,
            schema=schema,
            **kwargs,
        )
        read = [*self.query.schema.column_names, *self.item.schema.column_names]
        warn_of_unread(schema, (query_tower_tag, Tags.CONTEXT, item_tower_tag), read)
        self.query_tower_tag = str(query_tower_tag)
        self.item_tower_tag = str(item_tower_tag)
        self.embedding_options = options

    def set_schema(self, schema: Schema) -> "TwoTowerBlock":
        """A copy of this block, with weights of its own, on the columns of another schema."""
        item_columns = _side(schema, self.item_tower_tag)
        return TwoTowerBlock(
            schema,
            self.query.block.set_schema(_query_side(schema, self.query_tower_tag, item_columns)),
            self.item.block.set_schema(item_columns),
            self.query_tower_tag,
            self.item_tower_tag,
            self.embedding_options,
            self.query.post,
            pre=self.pre and fresh_copy(self.pre),
            aggregation=self.aggregation and fresh_copy(self.aggregation),
            dtype=self.dtype_policy,
        )

    def _sides(self) -> dict[str, keras.layers.Layer]:
        return {"query_tower": self.query.block, "item_tower": self.item.block}

    def get_config(self) -> dict:
        return super().get_config() | {
            "query_tower_tag": self.query_tower_tag,
            "item_tower_tag": self.item_tower_tag,
            "embedding_options": self.embedding_options.to_dict(),
            "post": serialized(self.query.post),
            "fusion": None,  # a part of the towers by now
        }

    @classmethod
    def from_config(cls, config: dict) -> "TwoTowerBlock":
        options = EmbeddingOptions.from_dict(config["embedding_options"])
        return super().from_config(config | {"embedding_options": options})


def _tagged(schema: Schema, tag: str) -> list[str]:
    """The names of the columns with a tag, but targets."""
    return schema.select_by_tag(tag).excluding_by_tag(Tags.TARGET).column_names


def _side(schema: Schema, tag: str) -> Schema:
    """The columns of a side, with the weights of its lists."""
    if not (names := _tagged(schema, tag)):
        raise ValueError(
            f"A tower needs columns tagged '{tag}', and the schema has none. Its tags are "
            f"{sorted(map(str, schema.tags))}. Tag columns so, or name another tag for the tower."
        )
    return with_weights(schema, names)


def _query_side(schema: Schema, tag: str, item_columns: Schema) -> Schema:
    """The columns of the query side: those of its tag, and the context that is not the item's."""
    query_columns = _side(schema, tag)
    context = [name for name in _tagged(schema, Tags.CONTEXT) if name not in item_columns]
    return with_weights(schema, [*query_columns.column_names, *context])


def _reading(
    block: Block, columns: Schema, options: EmbeddingOptions, fusion: str | keras.layers.Layer | None, dtype: Any
) -> Block:
    """The block, which reads these columns unless it reads columns by itself."""
    if block.is_input:
        return block
    layer = as_fusion("concat" if fusion is None else fusion)
    made: dict[str, Any] = {"aggregation": fresh_copy(layer), "name": "features", "dtype": dtype}
    return FeatureEncoder(columns, options, **made).connect(block)
