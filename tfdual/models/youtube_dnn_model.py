"""A tower for the query, a table for the items."""

from collections.abc import Sequence
from typing import Any

from tfdual._build import build_once, fresh_copy, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.features import EmbeddingOptions, EmbeddingTable, FeatureEncoder
from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.id_column import id_column
from tfdual.schema import Schema, Tags
from tfdual.towers import Tower


@register
class YouTubeDNNModel(DualEncoder):
    """The query tower reads what a user did before, and the request; items are rows of an output table.

    A list of ids in the item's domain, such as the last items watched, is pooled by its own embedding table, which is
    not the output table.

    Args:
        schema: Schema. Model-ready columns: one tagged `ITEM_ID`; all that are neither tagged `ITEM` nor `TARGET` are
            the query's.
        query_tower: layer or Block after the query's columns, such as `MLPBlock([256, 64])`; or a Block that reads
            columns by itself. Its width is that of the output table.
        embedding_options: EmbeddingOptions of the query's columns. Defaults to `None`: `EmbeddingOptions()`.
        post: `"l2-norm"`, a Keras layer, or None; the last step of both sides. Defaults to `"l2-norm"`.
        options: how it trains, see `ContrastiveObjective` and `DualEncoder`.

    Input: dict of column name -> tensor.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`.

    Raises:
        ValueError: not one column tagged `ITEM_ID`; no column for the query; and what the options refuse.

    Reference: Covington et al., 2016, "Deep neural networks for YouTube recommendations"
    """

    def __init__(
        self,
        schema: Schema,
        query_tower: LayerLike,
        embedding_options: EmbeddingOptions | None = None,
        post: LayerLike | None = "l2-norm",
        **options: Any,
    ) -> None:
        item_id, self._cardinality = id_column(schema, Tags.ITEM_ID)
        super().__init__(options.pop("item_id", item_id), **options)
        self.embedding_options = embedding_options or EmbeddingOptions()
        self._schema = schema
        body = Block.from_layer(Block.parse(query_tower))
        if not body.is_input:
            columns = schema.excluding_by_tag([Tags.ITEM, Tags.ITEM_ID, Tags.TARGET])
            if not columns:
                raise ValueError(f"No column is left for the query. All are the item's: {schema.column_names}.")
            body = FeatureEncoder(columns, self.embedding_options, aggregation="concat", name="features").connect(body)
        self.query = Tower(body, post, name="query")
        self.item_post = None if post is None else fresh_copy(Block.parse(post))

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.query)
        dim = self.query.embedding_dim
        self.item_table = EmbeddingTable(self._cardinality, dim, name="item")
        build_once(self.item_table)
        if self.item_post is not None:
            build_once(self.item_post, (None, dim))
        self.build_training(dim)

    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The query tower, `(batch, dim)`."""
        return self.query(inputs, training=training)

    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The items' rows, `(batch, dim)`."""
        rows = self.item_table(inputs[self.item_id])
        return rows if self.item_post is None else self.item_post(rows)

    @property
    def query_columns(self) -> Sequence[str]:
        """Names of the columns that the query tower reads."""
        return self.query.schema.column_names

    @property
    def query_variables(self) -> list:
        """The variables of the query tower."""
        return [variable.value for variable in self.query.variables]

    def get_config(self) -> dict:
        return super().get_config() | {
            "schema": self._schema.to_dict(),
            "query_tower": serialized(self.query.block),
            "embedding_options": self.embedding_options.to_dict(),
            "post": serialized(self.query.post),
        }

    @classmethod
    def from_config(cls, config: dict) -> "YouTubeDNNModel":
        options = EmbeddingOptions.from_dict(config["embedding_options"])
        return super().from_config(
            config | {"schema": Schema.from_dict(config["schema"]), "embedding_options": options}
        )
