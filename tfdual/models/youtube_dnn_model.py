"""A tower for the query, a table for the items."""

from typing import Any

from tfdual._build import build_once, fresh_copy, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.features import EmbeddingOptions, EmbeddingTable, FeatureEncoder
from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.id_column import id_column, shared_ids
from tfdual.models.item_bias import bias_table, with_bias, with_one
from tfdual.models.side import Side
from tfdual.schema import Schema, Tags
from tfdual.towers import Tower
from tfdual.towers.unread_columns import warn_of_unread

QUERY_TAGS = (Tags.USER, Tags.SESSION, Tags.CONTEXT)


@register
class YouTubeDNNModel(DualEncoder):
    """The query tower reads what a user did before, and the request; items are rows of an output table.

    A list of ids in the item's domain, such as the last items watched, is pooled by its own embedding table, which is
    not the output table.

    Args:
        schema: Schema. Model-ready columns: one tagged `ITEM_ID`; those tagged `USER`, `SESSION` or `CONTEXT` are the
            query's. A feature of neither side is left out, and a warning names it.
        query_tower: layer or Block after the query's columns, such as `MLPBlock([256, 64])`; or a Block that reads
            columns by itself. Its width is that of the output table.
        item_bias: bool. Add a learned number for each item to its score, after `post`; the embeddings are wider by 1
            then. Popular items have a place for it that unit vectors lack. Defaults to `False`.
        embedding_options: EmbeddingOptions of the query's columns. Defaults to `None`: `EmbeddingOptions()`.
        post: `"l2-norm"`, a Keras layer, or None; the last step of both sides. Defaults to `"l2-norm"`.
        options: how it trains, see `ContrastiveObjective` and `DualEncoder`.

    Input: dict of column name -> tensor.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`.

    Raises:
        ValueError: not one column tagged `ITEM_ID`; no column for the query; a query that reads the item id; options
            for a column or domain that is not there; and what the objective refuses.

    Example:
        >>> from keras import ops
        >>> from tfdual import ColumnSchema, MLPBlock
        >>> ids = {"domain": {"name": "video", "max": 99}}
        >>> watched = ColumnSchema("watched", [Tags.USER], ids, is_list=True)
        >>> video = ColumnSchema("video", [Tags.ITEM_ID], ids)
        >>> model = YouTubeDNNModel(Schema([watched, video]), MLPBlock([8]))
        >>> tuple(model.encode_query({"watched": ops.convert_to_tensor([[3, 4], [5, 0]])}).shape)
        (2, 8)

    Reference: Covington et al., 2016, "Deep neural networks for YouTube recommendations"
    """

    def __init__(
        self,
        schema: Schema,
        query_tower: LayerLike,
        embedding_options: EmbeddingOptions | None = None,
        post: LayerLike | None = "l2-norm",
        item_bias: bool = False,
        **options: Any,
    ) -> None:
        item_id, cardinality = id_column(schema, Tags.ITEM_ID, options.pop("item_id", None))
        super().__init__(item_id, **options)
        self._schema = schema
        self._cardinality = cardinality
        self.embedding_options = embedding_options or EmbeddingOptions()
        self.embedding_options.check_names(schema)
        self.item_bias = item_bias
        body = Block.from_layer(Block.parse(query_tower))
        if not body.is_input:
            made = {"aggregation": "concat", "name": "features", "dtype": self.dtype_policy}
            body = FeatureEncoder(_query_columns(schema), self.embedding_options, **made).connect(body)
        self.query = Tower(body, post, name="query", dtype=self.dtype_policy)
        if item_id in self.query.schema:
            raise ValueError(f"The query reads '{item_id}', the item that it is to find. Leave it out of the tower.")
        warn_of_unread(schema, (*QUERY_TAGS, Tags.ITEM), self.query.schema.column_names)
        self.item_post = None if post is None else fresh_copy(Block.parse(post))
        self.biases = bias_table(cardinality, self.dtype_policy) if item_bias else None
        self.objective.shared_ids = shared_ids(schema, self.query.schema.column_names, [item_id])

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.query)
        dim = self.query.embedding_dim
        self.item_table = EmbeddingTable(self._cardinality, dim, name="item", dtype=self.dtype_policy)
        build_once(self.item_table)
        if self.item_post is not None:
            build_once(self.item_post, (None, dim))
        if self.biases is not None:
            build_once(self.biases)
        self.build_training(dim + self.item_bias)

    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The query tower, and a 1 to multiply the bias by: `(batch, dim)`."""
        query = self.query(inputs, training=training)
        return query if self.biases is None else with_one(query)

    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The items' rows and biases, `(batch, dim)`."""
        ids = inputs[self.item_id]
        rows = self.item_table(ids)
        rows = rows if self.item_post is None else self.item_post(rows, training=training)
        return rows if self.biases is None else with_bias(rows, self.biases(ids))

    @property
    def query_side(self) -> Side:
        """The query tower."""
        return Side(self.query.schema.column_names, [self.query])

    @property
    def item_side(self) -> Side:
        """The output table, what follows it, and the items' biases."""
        return Side([self.item_id], [self.item_table, self.item_post, self.biases])

    def get_config(self) -> dict:
        return super().get_config() | {
            "schema": self._schema.to_dict(),
            "query_tower": serialized(self.query.block),
            "embedding_options": self.embedding_options.to_dict(),
            "post": serialized(self.query.post),
            "item_bias": self.item_bias,
        }

    @classmethod
    def from_config(cls, config: dict) -> "YouTubeDNNModel":
        options = EmbeddingOptions.from_dict(config["embedding_options"])
        return super().from_config(
            config | {"schema": Schema.from_dict(config["schema"]), "embedding_options": options}
        )


def _query_columns(schema: Schema) -> Schema:
    """The columns of the query, with the weights of its lists."""
    columns = schema.select_by_tag(QUERY_TAGS).excluding_by_tag([Tags.ITEM, Tags.TARGET])
    if not columns:
        raise ValueError(f"The query needs columns tagged USER, SESSION or CONTEXT. There is none in {schema!r}.")
    weights = {column.weights for column in columns}
    return Schema(column for column in schema if column.name in columns or column.name in weights)
