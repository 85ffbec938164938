"""A query tower over the last items, trained at every position."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfdual._backend import is_ragged
from tfdual._build import build_once, fresh_copy, serialized
from tfdual._items import Items
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.features import EmbeddingTable, TransformerEncoder
from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.id_column import id_column
from tfdual.models.pairs import Pairs
from tfdual.negatives import StreamingFrequency
from tfdual.schema import Schema, Tags


@register
class SequenceModel(DualEncoder):
    """The items so far -> the next one, by a causal encoder over the rows of the item table.

    A training row is one list of ids, the oldest first. Each of its positions but the last is a query, made of the
    items up to there, and the item after it is its positive: a list of `n` items gives `n - 1` pairs in one pass. The
    item table is input and output. Items of the same list are no negatives of its positions.

    A query that is served is a list as well: its last position finds what comes next.

    Args:
        schema: Schema. Model-ready columns: one tagged `ITEM_ID`, and the id list, in the domain of the item.
        sequence: str. The column of id lists. Defaults to `None`: the one tagged `SEQUENCE`.
        dim: int. Width of the embeddings. Defaults to 64.
        encoder: layer from rows `(batch, length, dim)` and a mask to `(batch, length, dim)`, where no position sees a
            later one. Defaults to `None`: `TransformerEncoder(max_length=max_length, pooling=None)`, two layers of two
            heads.
        max_length: int. Items that the encoder sees, the last ones. Defaults to 50.
        post: `"l2-norm"`, a Keras layer, or None; the last step of both sides. Defaults to `"l2-norm"`.
        options: how it trains, see `ContrastiveObjective`. A column can't hold the log-probability of each item of a
            list: the sampling correction counts while it trains, by a `StreamingFrequency`, unless it is False.

    Input: dict of column name -> tensor; the id list is ragged `(batch, None)`, or `(batch, length)` padded with 0.
    Output: `{"query": (batch, length, dim), "item": (batch, length, dim)}`: what each position asks for, and the items.

    Raises:
        ValueError: not one column tagged `ITEM_ID`; no list, or one of another domain; an encoder that sees what comes
            later; `parts`; and what the options refuse.

    Reference: Kang and McAuley, 2018, arXiv:1808.09781 (SASRec); Petrov and Macdonald, 2023, arXiv:2308.07192
    """

    def __init__(
        self,
        schema: Schema,
        sequence: str | None = None,
        dim: int = 64,
        encoder: keras.layers.Layer | None = None,
        max_length: int = 50,
        post: LayerLike | None = "l2-norm",
        **options: Any,
    ) -> None:
        item_id, cardinality = id_column(schema, Tags.ITEM_ID)
        if options.get("sampling_correction", True) is True:
            options["sampling_correction"] = StreamingFrequency(cardinality)
        super().__init__(options.pop("item_id", item_id), **options)
        if self.parts > 1:
            raise ValueError("SequenceModel pads a batch to its longest list, and so can't be trained in parts.")
        if max_length < 1:
            raise ValueError(f"max_length is 1 or more. Received {max_length}.")
        self._schema = schema
        self.sequence = sequence or _sequence(schema)
        self.dim = dim
        self.max_length = max_length
        self.encoder = encoder or TransformerEncoder(max_length=max_length, pooling=None, name="encoder")
        if getattr(self.encoder, "causal", True) is not True:
            raise ValueError("The encoder lets a position see later ones, where its answer stands. Give causal=True.")
        self.item_table = EmbeddingTable(cardinality, dim, name="item")
        self.query_post = None if post is None else fresh_copy(Block.parse(post))
        self.item_post = None if post is None else fresh_copy(Block.parse(post))

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.item_table)
        build_once(self.encoder, (None, None, self.dim))
        for post in (self.query_post, self.item_post):
            if post is not None:
                build_once(post, (None, self.dim))
        self.build_training(self.dim)

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        ids = self._last(inputs, self.max_length + 1)
        return {"query": self._states(ids[:, :-1]), "item": self._items(ids[:, 1:])}

    def pairs(
        self, inputs: dict[str, Tensor], outputs: dict[str, Tensor], sample_weight: Tensor | None, training: bool
    ) -> Pairs:
        """Each position and the item after it.

        Args:
            inputs: columns of the batch.
            outputs: what `call` gave.
            sample_weight: `(batch,)` or None; each pair has that of its list.
            training: bool. Else the model validates.
        """
        ids = self._last(inputs, self.max_length + 1)
        places = tf.where(ids[:, 1:] != 0)  # (pairs, 2), row and position
        rows, following = places[:, 0], tf.gather_nd(ids[:, 1:], places)
        log_probability = self.objective.log_probability({self.item_id: following}) if training else None
        items = Items(tf.gather_nd(outputs["item"], places), following, log_probability)
        weight = None if sample_weight is None else tf.gather(sample_weight, rows)
        return Pairs(tf.gather_nd(outputs["query"], places), items, weight, tf.gather(ids, rows))

    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """What the last position asks for, `(batch, dim)`."""
        ids = self._last(inputs, self.max_length)
        last = ops.maximum(ops.sum(ops.cast(ids != 0, "int32"), axis=1) - 1, 0)
        return ops.take_along_axis(self._states(ids), last[:, None, None], axis=1)[:, 0]

    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The items' rows, `(batch, dim)`."""
        return self._items(inputs[self.item_id])

    def _last(self, inputs: dict[str, Tensor], count: int) -> Tensor:
        """The last ids of each list, in front, `(batch, length)` padded with 0; at least two places."""
        ids = inputs[self.sequence]
        if not is_ragged(ids):
            ids = tf.ragged.boolean_mask(ids, ids != 0)
        ids = ids[:, -count:].to_tensor()
        return tf.pad(ids, [[0, 0], [0, tf.maximum(2 - tf.shape(ids)[1], 0)]])

    def _states(self, ids: Tensor) -> Tensor:
        mask = ids != 0
        rows = ops.where(mask[..., None], self.item_table.rows(ids), 0.0)
        states = self.encoder(ops.cast(rows, self.compute_dtype), mask)
        return states if self.query_post is None else self.query_post(states)

    def _items(self, ids: Tensor) -> Tensor:
        rows = ops.cast(self.item_table.rows(ids), self.compute_dtype)
        return rows if self.item_post is None else self.item_post(rows)

    @property
    def query_columns(self) -> Sequence[str]:
        """The id list."""
        return [self.sequence]

    @property
    def query_variables(self) -> list:
        """The item table, and those of the encoder."""
        return [variable.value for variable in (*self.item_table.variables, *self.encoder.variables)]

    def get_config(self) -> dict:
        return super().get_config() | {
            "schema": self._schema.to_dict(),
            "sequence": self.sequence,
            "dim": self.dim,
            "encoder": serialized(self.encoder),
            "max_length": self.max_length,
            "post": serialized(self.query_post),
        }

    @classmethod
    def from_config(cls, config: dict) -> "SequenceModel":
        return super().from_config(config | {"schema": Schema.from_dict(config["schema"])})


def _sequence(schema: Schema) -> str:
    columns = schema.select_by_tag(Tags.SEQUENCE)
    if len(columns) != 1:
        raise ValueError(f"Wanted one column tagged SEQUENCE. There is {columns.column_names}: pass sequence=...")
    return columns.first.name
