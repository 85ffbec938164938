"""Two towers that share what they should."""

from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features import EmbeddingOptions
from tfdual.schema import Schema, Tags
from tfdual.towers.tower import Tower


@register
class TwoTowerBlock(keras.layers.Layer):
    """A query tower and an item tower, over the columns of their tags.

    Columns of one domain share one embedding table, also across the towers.

    Args:
        schema: Schema. Model-ready columns of both sides.
        query_tower: Keras layer from the fused query features to the embedding, e.g. `MLPBlock([128, 64])`.
        item_tower: the same for the item side. Defaults to `None`: a copy of the query tower, with its own weights.
        query_tower_tag: tag of the query's columns. Defaults to `Tags.USER`.
        item_tower_tag: tag of the item's columns. Defaults to `Tags.ITEM`.
        embedding_options: EmbeddingOptions of both sides. Defaults to `EmbeddingOptions()`.
        post: `"l2-norm"`, a Keras layer, or None; the last step of both towers. Defaults to `None`.
        fusion: Keras layer from a dict of vectors to one, copied for each side. Defaults to `None`: `ConcatFusion()`.

    Input: dict of column name -> tensor, of both sides.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`.

    Raises:
        ValueError: schema or query tower missing, a side without columns, towers of different widths.

    Reference: NVIDIA Merlin Models, `TwoTowerBlock`
    """

    def __init__(
        self,
        schema: Schema,
        query_tower: keras.layers.Layer,
        item_tower: keras.layers.Layer | None = None,
        query_tower_tag: str = Tags.USER,
        item_tower_tag: str = Tags.ITEM,
        embedding_options: EmbeddingOptions | None = None,
        post: str | keras.layers.Layer | None = None,
        fusion: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if schema is None:
            raise ValueError("The schema is required by TwoTower")
        if query_tower is None:
            raise ValueError("The query_tower is required by TwoTower")
        self.schema = schema
        self.query_tower_tag = str(query_tower_tag)
        self.item_tower_tag = str(item_tower_tag)
        self.embedding_options = embedding_options or EmbeddingOptions()
        item_tower = _copy(query_tower) if item_tower is None else item_tower
        query_columns, item_columns = self._side(self.query_tower_tag), self._side(self.item_tower_tag)
        if both := sorted(set(query_columns.column_names) & set(item_columns.column_names)):
            raise ValueError(f"The columns {both} have the tags of both towers. Give each column one side.")
        self.query = Tower(query_columns, query_tower, self.embedding_options, _copy(fusion), _copy(post), name="query")
        self.item = Tower(item_columns, item_tower, self.embedding_options, _copy(fusion), _copy(post), name="item")
        self.item.features.share_tables(self.query.features.tables)

    def _side(self, tag: str) -> Schema:
        columns = self.schema.select_by_tag(tag)
        if not len(columns):
            raise ValueError(
                f"A tower needs columns tagged '{tag}', and the schema has none. Its tags are "
                f"{sorted(map(str, self.schema.tags))}. Tag columns so, or name another tag for the tower."
            )
        return columns

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.query)
        build_once(self.item)
        if self.query.embedding_dim != self.item.embedding_dim:
            raise ValueError(
                f"Both towers must end in one width. The query tower ends in {self.query.embedding_dim}, "
                f"the item tower in {self.item.embedding_dim}."
            )

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"query": self.query(inputs), "item": self.item(inputs)}

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "schema": self.schema.to_dict(),
            "query_tower": serialize(self.query.body),
            "item_tower": serialize(self.item.body),
            "query_tower_tag": self.query_tower_tag,
            "item_tower_tag": self.item_tower_tag,
            "embedding_options": self.embedding_options.to_dict(),
            "post": None if self.query.post is None else serialize(self.query.post),
            "fusion": serialize(self.query.fusion),
        }

    @classmethod
    def from_config(cls, config: dict) -> "TwoTowerBlock":
        config = dict(config)
        deserialize = keras.saving.deserialize_keras_object
        names = ("query_tower", "item_tower", "post", "fusion")
        layers: dict[str, Any] = {name: config.pop(name) for name in names}
        return cls(
            schema=Schema.from_dict(config.pop("schema")),
            embedding_options=EmbeddingOptions(**config.pop("embedding_options")),
            **{name: layer and deserialize(layer) for name, layer in layers.items()},
            **config,
        )


def _copy(layer: str | keras.layers.Layer | None) -> str | keras.layers.Layer | None:
    """A layer of the same structure with weights of its own."""
    return type(layer).from_config(layer.get_config()) if isinstance(layer, keras.layers.Layer) else layer
