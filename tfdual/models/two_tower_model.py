"""Two towers trained with in-batch softmax."""

from collections.abc import Sequence
from typing import Any

import keras

from tfdual._backend import data_dependent_shapes
from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.losses import in_batch_softmax
from tfdual.models.dual_encoder import DualEncoder
from tfdual.schema import Tags
from tfdual.towers import DualEncoderBlock


@register
class TwoTowerModel(DualEncoder):
    """Two-tower retrieval: every other item of the batch is a negative of a query.

    `loss = in_batch_softmax(query . item / temperature - log q(item))`, with accidental hits (the positive at another
    place of the batch) masked. Training data are dicts of model-ready columns, one row a (query, positive) pair.

    Args:
        towers: TwoTowerBlock or DualEncoderBlock, without an aggregation.
        temperature: float. Divides the scores in training; lower is sharper. Defaults to 0.05.
        item_id: str. The column that says which rows hold the same item. Defaults to `None`: the schema's column
            tagged `ITEM_ID`.
        sampling_correction: bool. Subtract the log-probability of an item to be in the batch, from the column that
            `Preprocessor` tags `LOG_PROBABILITY`. Defaults to `True`.
        distinct_items: bool. Score an item that stands several times in the batch once, by its first row, and count
            it as often: exact where an item's columns depend on the item alone, and faster. On backends other
            than TensorFlow every row is scored. Defaults to `True`.

    Input: dict of column name -> tensor.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`.

    Raises:
        ValueError: a temperature that is not positive; towers that aggregate; no item id; a training batch without the
            columns named here.

    Reference: Yi et al., 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations"
    """

    def __init__(
        self,
        towers: DualEncoderBlock,
        temperature: float = 0.05,
        item_id: str | None = None,
        sampling_correction: bool = True,
        distinct_items: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0. Received {temperature}.")
        if towers.aggregation is not None:
            raise ValueError("TwoTowerModel scores the two embeddings itself. Give it towers without an aggregation.")
        self.towers = towers
        self.temperature = temperature
        self.item_id = item_id or _item_id(towers)
        self.sampling_correction = sampling_correction
        self.distinct_items = distinct_items
        self.supports_jit = keras.backend.backend() != "tensorflow"  # XLA there makes sparse updates dense

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.towers, input_shape)
        self.built = True

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.towers(inputs)

    def encode_query(self, inputs: dict[str, Tensor]) -> Tensor:
        """Model-ready query columns -> `(batch, dim)`."""
        return self.towers.query(inputs)

    def encode_item(self, inputs: dict[str, Tensor]) -> Tensor:
        """Model-ready item columns -> `(batch, dim)`."""
        return self.towers.item(inputs)

    @property
    def query_columns(self) -> Sequence[str]:
        """Names of the columns that `encode_query` reads."""
        return self.towers.query.schema.column_names

    @property
    def query_variables(self) -> list:
        """The variables that `encode_query` reads."""
        return [variable.value for variable in self.towers.query.variables]

    def compute_loss(
        self,
        x: dict[str, Tensor] | None = None,
        y: Tensor | None = None,
        y_pred: dict[str, Tensor] | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Tensor:
        """Mean in-batch softmax of the batch, and the losses that layers added."""
        if self._compile_loss is not None:
            raise ValueError("TwoTowerModel trains with its in-batch softmax. Leave `loss` out of compile().")
        if y is not None:
            raise ValueError(
                "TwoTowerModel takes no labels: each row is a positive pair. Pass x alone, or (x, None, weight)."
            )
        if x is None or y_pred is None or self.item_id not in x:
            raise ValueError(f"The batch lacks the item ids, column '{self.item_id}'. It has {sorted(x or {})}.")
        loss = in_batch_softmax(
            y_pred["query"] / self.temperature,
            y_pred["item"],
            x[self.item_id],
            self._log_probability(x),
            sample_weight,
            distinct=self.distinct_items and data_dependent_shapes(),
        )
        return loss + sum(self.losses) if self.losses else loss

    def _log_probability(self, x: dict[str, Tensor]) -> Tensor | None:
        if not self.sampling_correction:
            return None
        name = f"{self.item_id}_log_probability"
        if name not in x:
            raise ValueError(
                f"The sampling correction needs the column '{name}', which `Preprocessor` gives for the column tagged "
                f"ITEM_ID. The batch has {sorted(x)}. Add it, or set sampling_correction=False."
            )
        return x[name]

    def get_config(self) -> dict:
        return super().get_config() | {
            "towers": keras.saving.serialize_keras_object(self.towers),
            "temperature": self.temperature,
            "item_id": self.item_id,
            "sampling_correction": self.sampling_correction,
            "distinct_items": self.distinct_items,
        }

    @classmethod
    def from_config(cls, config: dict) -> "TwoTowerModel":
        config = dict(config)
        return cls(keras.saving.deserialize_keras_object(config.pop("towers")), **config)


def _item_id(towers: DualEncoderBlock) -> str:
    columns = towers.schema.select_by_tag(Tags.ITEM_ID)
    if len(columns) != 1:
        raise ValueError(
            f"The schema has {len(columns)} columns tagged ITEM_ID; TwoTowerModel needs one to know which rows hold "
            "the same item. Tag one, or pass item_id=..."
        )
    return columns.first.name
