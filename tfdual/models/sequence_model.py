"""A query tower over the last items, trained at every position."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfdual._build import build_once, fresh_copy, serialized
from tfdual._items import Items
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.features import EmbeddingTable, TransformerEncoder
from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.id_column import id_column
from tfdual.models.pairs import KnownItems, Pairs
from tfdual.models.side import Side
from tfdual.negatives import StreamingFrequency
from tfdual.schema import Schema, Tags


@register
class SequenceModel(DualEncoder):
    """The items so far -> the next one, by a causal encoder over the rows of the item table.

    A training row is one list of ids, the oldest first. Each of its positions but the last is a query, made of the
    items up to there, and the item after it is its positive: a list of `n` items gives `n - 1` pairs in one pass. The
    item table is input and output. Items of the same list, of all of it, are no negatives of its positions, so nothing
    ranks what the list holds already lower: leave it out of the search, as `tfdual.evaluate(..., seen=...)` does.

    A query that is served is a list as well: its last position finds what comes next. An unknown item, id 0, is left
    out of its list. For an empty list every score is 0, unless `post` adds something.

    Args:
        schema: Schema. Model-ready columns: one tagged `ITEM_ID`, and the id list, in the domain of the item.
        sequence: str. The column of id lists. Defaults to `None`: the one tagged `SEQUENCE`.
        dim: int. Width of the embeddings. Defaults to 64.
        encoder: layer, called as `encoder(rows, mask)`: from `(batch, length, dim)`, and which of them are there, the
            first ones of each list, to `(batch, length, dim)`, where no position sees a later one. Defaults to `None`:
            `TransformerEncoder(max_length=max_length, pooling=None)`, two layers of two heads.
        max_length: int. Items that the encoder sees, the last ones. Defaults to 50.
        post: `"l2-norm"`, a Keras layer, or None; the last step of both sides. Defaults to `"l2-norm"`.
        options: how it trains, see `ContrastiveObjective`; but `known_positives`, since the list holds them. A column
            can't hold the log-probability of each item of a list: the sampling correction, where it is on, counts while
            it trains, by a `StreamingFrequency`.

    Input: dict of column name -> tensor; the id list is ragged `(batch, None)`, or `(batch, length)` padded with 0.
    Output: `{"query": (batch, length, dim), "item": (batch, length, dim)}`: what each position asks for, and the items.

    Raises:
        ValueError: not one column tagged `ITEM_ID`; no list, or one of another domain; an encoder that pools, sees what
            comes later, or reads fewer items; `parts`, `distinct_queries`, `known_positives`; and what the objective
            refuses.

    Example:
        >>> from tfdual import ColumnSchema
        >>> ids = {"domain": {"name": "video", "max": 99}}
        >>> watched = ColumnSchema("watched", [Tags.USER, Tags.SEQUENCE], ids, is_list=True)
        >>> video = ColumnSchema("video", [Tags.ITEM_ID], ids)
        >>> model = SequenceModel(Schema([watched, video]), dim=8)
        >>> tuple(model.encode_query({"watched": ops.convert_to_tensor([[3, 4], [5, 0]])}).shape)
        (2, 8)

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
        item_id, cardinality = id_column(schema, Tags.ITEM_ID, options.pop("item_id", None))
        super().__init__(item_id, **_counting(options, cardinality))
        if self.parts > 1:
            raise ValueError("SequenceModel pads a batch to its longest list, and so can't be trained in parts.")
        if self.distinct_queries is not None:
            raise ValueError("A list of a SequenceModel is encoded once already. Leave distinct_queries out.")
        if self.objective.known_positives is not None:
            raise ValueError("The items of a list know one another. Leave known_positives out of a SequenceModel.")
        if max_length < 1:
            raise ValueError(f"max_length is 1 or more. Received {max_length}.")
        self._schema = schema
        self.sequence = _sequence(schema, sequence, item_id)
        self.dim = dim
        self.max_length = max_length
        if encoder is None:
            encoder = TransformerEncoder(max_length=max_length, pooling=None, name="encoder", dtype=self.dtype_policy)
        self.encoder = _checked(encoder, max_length)
        self.item_table = EmbeddingTable(cardinality, dim, name="item", dtype=self.dtype_policy)
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
        return {"query": self._states(ids[:, :-1], training), "item": self._items(ids[:, 1:], training)}

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
        known = KnownItems(inputs[self.sequence], rows)
        return Pairs(tf.gather_nd(outputs["query"], places), items, weight, known, rows)

    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """What the last position asks for, `(batch, dim)`."""
        ids = self._last(inputs, self.max_length)
        last = ops.maximum(ops.sum(ops.cast(ids != 0, "int32"), axis=1) - 1, 0)
        return tf.gather(self._states(ids, training), last, batch_dims=1)

    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The items' rows, `(batch, dim)`."""
        return self._items(inputs[self.item_id], training)

    def _last(self, inputs: dict[str, Tensor], count: int) -> Tensor:
        """The last known ids of each list, in front, `(batch, length)` padded with 0; at least two places."""
        ids = inputs[self.sequence]
        ids = tf.ragged.boolean_mask(ids, ids != 0)[:, -count:].to_tensor()
        return tf.pad(ids, [[0, 0], [0, tf.maximum(2 - tf.shape(ids)[1], 0)]])

    def _states(self, ids: Tensor, training: bool | None) -> Tensor:
        states = self.encoder(self._rows(ids), ids != 0, training=training)
        if len(states.shape) != 3 or states.shape[-1] != self.dim:
            raise ValueError(
                f"The encoder gives a state of width {self.dim} for each position, (batch, length, {self.dim}). "
                f"Received {tuple(states.shape)} of '{self.encoder.name}'."
            )
        return states if self.query_post is None else self.query_post(states, training=training)

    def _items(self, ids: Tensor, training: bool | None) -> Tensor:
        rows = self._rows(ids)
        return rows if self.item_post is None else self.item_post(rows, training=training)

    def _rows(self, ids: Tensor) -> Tensor:
        """Rows of the item table, one an id, zeros at the padding of lists."""
        return self.item_table(ids, combiner="none", column_name=self.sequence)

    @property
    def query_side(self) -> Side:
        """The item table, the encoder and the last step."""
        return Side([self.sequence], [self.item_table, self.encoder, self.query_post])

    @property
    def item_side(self) -> Side:
        """The item table and the last step."""
        return Side([self.item_id], [self.item_table, self.item_post])

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


def _counting(options: dict[str, Any], cardinality: int) -> dict[str, Any]:
    """The options with a sampling correction that counts, where it is on."""
    correction = options.get("sampling_correction")
    if correction is True or (correction is None and options.get("loss") is None):
        return options | {"sampling_correction": StreamingFrequency(cardinality)}
    return options


def _checked(encoder: keras.layers.Layer, max_length: int) -> keras.layers.Layer:
    """The encoder, unless it is a transformer of another kind."""
    if isinstance(encoder, TransformerEncoder):
        if not encoder.causal:
            raise ValueError("The encoder lets a position see later ones, where its answer stands. Give causal=True.")
        if encoder.pooling is not None or encoder.max_length < max_length:
            raise ValueError(
                f"The encoder gives a state for each of {max_length} items. Received pooling={encoder.pooling!r}, "
                f"max_length={encoder.max_length}. Give pooling=None, max_length={max_length}."
            )
    return encoder


def _sequence(schema: Schema, name: str | None, item_id: str) -> str:
    """The name of the id list."""
    if name is not None and name not in schema:
        raise ValueError(f"The schema has no column '{name}'. It has {schema.column_names}.")
    columns = schema.select_by_tag(Tags.SEQUENCE) if name is None else schema.select_by_name(name)
    if len(columns) != 1:
        raise ValueError(f"Wanted one column tagged SEQUENCE. There is {columns.column_names}: pass sequence=...")
    column, domain = columns.first, schema[item_id].domain_name
    if not column.is_list or column.domain_name != domain:
        raise ValueError(
            f"The sequence is a list of ids of the domain '{domain}'. '{column.name}' is {column.kind} of the domain "
            f"'{column.domain_name}'. Name another: sequence=..."
        )
    return column.name
