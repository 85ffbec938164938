"""A query tower trained against item vectors that stay as they are."""

from typing import Any

from keras import ops

from tfdual._build import build_once, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.models import DualEncoder, Side
from tfdual.models.id_column import item_id_of, shared_ids
from tfdual.preprocessing import Preprocessor
from tfdual.schema import ColumnSchema, Kind, Schema, Tags
from tfdual.serving import Reranker
from tfdual.tailoring.tower_score import TowerScore
from tfdual.towers import Tower


@register
class FrozenItemModel(DualEncoder):
    """A query tower for an index that is there already: item vectors are read as a column, and never computed.

    The rows of a batch hold the vectors of their items, e.g. by `tfdual.data.join(rows, frozen.rows(), on="item_id")`.
    They have no gradient and no weights, so that a tower costs what its query costs. Towers that were trained so for
    several tasks stand beside one another over one index: `retriever.with_query_tower("claims",
    model.to_query_tower(preprocessor))`.

    Args:
        schema: Schema. Model-ready columns of both sides, one tagged `ITEM_ID`, and one of vectors tagged `ITEM`.
        query_tower: block that reads the query's columns, e.g. `InputBlock(queries, aggregation="concat") >>
            LowRankTransform()`.
        space: str. The embedding space of the item vectors: `frozen.space`, or `index.space`.
        post: `"l2-norm"`, a Keras layer, or None; the query tower's last step. Defaults to `"l2-norm"`, for item
            vectors of length 1.
        options: how it trains, see `ContrastiveObjective` and `DualEncoder`.

    Input: dict of column name -> tensor.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`.

    Raises:
        ValueError: not one such column each; the query tower reads an item column, or gives another width than the
            item vectors; and what the options refuse.

    Example:
        >>> from keras import ops
        >>> from tfdual import InputBlock
        >>> from tfdual.tailoring import LinearTransform
        >>> vectors = {"dtype": "float32", "is_list": True, "dims": (None, 4)}
        >>> query, item = ColumnSchema("asked", **vectors), ColumnSchema("vector", [Tags.ITEM], **vectors)
        >>> tower = InputBlock(Schema([query]), aggregation="concat") >> LinearTransform()
        >>> model = FrozenItemModel(Schema([query, item, ColumnSchema("id", [Tags.ITEM_ID])]), tower, space="minilm")
        >>> model.encode_query({"asked": ops.array([[0.0, 5.0, 0.0, 0.0]])}).numpy().tolist()  # not trained yet
        [[0.0, 1.0, 0.0, 0.0]]
    """

    def __init__(
        self, schema: Schema, query_tower: LayerLike, space: str, post: LayerLike | None = "l2-norm", **options: Any
    ) -> None:
        super().__init__(options.pop("item_id", None) or item_id_of(schema), **options)
        self._schema = schema
        self._vector = _item_vector(schema)
        self.space = space
        block = Block.from_layer(Block.parse(query_tower))
        self.query = Tower(block, post, name="query", dtype=self.dtype_policy)
        if both := [name for name in (self.item_id, self._vector.name) if name in self.query.schema]:
            raise ValueError(f"The query tower reads {both}, of the item that it is to find. Leave them out.")
        self.objective.shared_ids = shared_ids(schema, self.query_side.columns, self.item_side.columns)

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.query)
        dim = self.query.embedding_dim
        if dim != self._vector.width:
            raise ValueError(
                f"The query tower gives vectors of width {dim}, and the item vectors '{self._vector.name}' have "
                f"{self._vector.width}. End the tower in that width."
            )
        self.build_training(dim)

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        encoded = super().call(inputs, training)
        return encoded | {"item": ops.cast(encoded["item"], self.compute_dtype)}

    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The query tower: `(batch, dim)`."""
        return self.query(inputs, training=training)

    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The items' vectors as they are, `(batch, dim)`."""
        return inputs[self._vector.name]

    @property
    def query_side(self) -> Side:
        """The query tower."""
        return Side(self.query.schema.column_names, [self.query])

    @property
    def item_side(self) -> Side:
        """The item vectors, which nothing computes."""
        return Side([self._vector.name], [])

    def embedding_space(self, preprocessor: Preprocessor) -> str:
        """The space of the item vectors, whatever the query tower learned."""
        self._build_unless_built()
        return self.space

    def to_reranker(self, candidates: int = 100) -> Reranker:
        """The query tower as a second stage: it scores again what the index finds for another tower.

        For `FrozenItemModel.to_retriever(items, ..., reranker=...)` of a model whose query tower finds the candidates;
        the item vectors are among the columns of its items.

        Args:
            candidates: int. Items a query to score again. Defaults to 100.
        """
        self._build_unless_built()
        score = TowerScore(self.query, self._vector.name, dtype=self.dtype_policy)
        return Reranker(score, self.query_side.columns, self.item_side.columns, candidates)

    def get_config(self) -> dict:
        return super().get_config() | {
            "schema": self._schema.to_dict(),
            "query_tower": serialized(self.query.block),
            "space": self.space,
            "post": serialized(self.query.post),
        }

    @classmethod
    def from_config(cls, config: dict) -> "FrozenItemModel":
        return super().from_config(config | {"schema": Schema.from_dict(config["schema"])})


def _item_vector(schema: Schema) -> ColumnSchema:
    found = [column for column in schema.select_by_tag(Tags.ITEM) if column.kind is Kind.EMBEDDING]
    if len(found) != 1:
        raise ValueError(
            "A FrozenItemModel needs one column of vectors tagged ITEM. The schema has "
            f"{[column.name for column in found]}."
        )
    return found[0]
