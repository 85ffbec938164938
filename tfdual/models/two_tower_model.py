"""Two towers, trained on pairs."""

from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.models.contrastive_objective import Temperature
from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.id_column import item_id_of, shared_ids
from tfdual.models.side import Side
from tfdual.towers import DualEncoderBlock, Tower


@register
class TwoTowerModel(DualEncoder):
    """Two-tower retrieval: every other item of the batch is a negative of a query.

    `loss = in_batch_softmax(query . item / temperature - log q(item))`, with accidental hits (the positive at another
    place of the batch) masked. Training data are dicts of model-ready columns, one row a (query, positive) pair.

    Args:
        towers: TwoTowerBlock or DualEncoderBlock, without an aggregation.
        temperature: float, or `tfdual.losses.LearnedTemperature`. Divides the scores in training; lower is sharper.
            Defaults to `None`: 0.05, and 1 with another `loss`.
        item_id: str. The column that says which rows hold the same item. Defaults to `None`: the schema's column
            tagged `ITEM_ID`.
        options: how it trains, see `ContrastiveObjective`: `negatives` (those of the batch), `sampling_correction`
            (on), `loss`, `symmetric`, `known_positives`, `several_positives`, `distinct_items`; and `parts` and
            `distinct_queries`, see `DualEncoder`.

    Input: dict of column name -> tensor.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`.

    Raises:
        TypeError: a schema or anything else in place of the towers.
        ValueError: towers that aggregate; no item id; and what `ContrastiveObjective` refuses.

    Reference: Yi et al., 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations"
    """

    def __init__(
        self,
        towers: DualEncoderBlock,
        temperature: Temperature | tuple[Temperature, Temperature] | None = None,
        item_id: str | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(towers, DualEncoderBlock):
            raise TypeError(
                "TwoTowerModel takes the towers: TwoTowerModel(TwoTowerBlock(schema, query_tower=...)). Received "
                f"{type(towers).__name__}."
            )
        if towers.aggregation is not None:
            raise ValueError("TwoTowerModel scores the two embeddings itself. Give it towers without an aggregation.")
        super().__init__(item_id or item_id_of(towers.schema), temperature=temperature, **options)
        self.towers = towers
        self.objective.shared_ids = shared_ids(towers.schema, self.query_side.columns, self.item_side.columns)

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.towers, input_shape)
        self.build_training(self.towers.query.embedding_dim)

    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """Model-ready query columns -> `(batch, dim)`."""
        return self.towers.encode_query(inputs, training)

    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """Model-ready item columns -> `(batch, dim)`."""
        return self.towers.encode_item(inputs, training)

    @property
    def query_side(self) -> Side:
        """The query tower, and what is before it."""
        return self._side(self.towers.query)

    @property
    def item_side(self) -> Side:
        """The item tower, and what is before it."""
        return self._side(self.towers.item)

    def _side(self, tower: Tower) -> Side:
        pre = [] if self.towers.pre is None else [self.towers.pre]
        return Side(tower.schema.column_names, [*pre, tower])

    def get_config(self) -> dict:
        return super().get_config() | {"towers": keras.saving.serialize_keras_object(self.towers)}
