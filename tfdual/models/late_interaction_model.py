"""Two texts as the vectors of their tokens, and the best match of each."""

from typing import Any

import keras

from tfdual._build import build_once, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features import TextEncoder
from tfdual.features.text.text_transformer import check_layers
from tfdual.features.text.token_vectors import TokenVectors
from tfdual.index import Index
from tfdual.index.max_sim_index import MaxSimIndex
from tfdual.interactions import Interaction
from tfdual.interactions.max_sim import MaxSim
from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.id_column import item_id_of, shared_ids
from tfdual.models.side import Side
from tfdual.schema import Kind, Schema, Tags

TEMPERATURE = 1.0  # a score is a sum over tokens


@register
class LateInteractionModel(DualEncoder):
    """ColBERT: a vector for each token of query and item; a score is the sum of each query token's best match.

    `score = sum_i max_j query_i . item_j`, of vectors of length 1. Items are encoded without the query, so that they
    can be kept; `MaxSimIndex` searches them.

    Queries are filled up to `query_length` with `[MASK]` tokens, whose vectors count. Items have no vectors of
    punctuation. Where `[CLS]` and `[SEP]` stand around a text, they have vectors, too: so an empty text, or one of
    punctuation alone, has two.

    Args:
        schema: Schema. Model-ready columns: one of text tagged `USER`, one of text tagged `ITEM`, and the item's id.
        encoder: TextEncoder. Its tokenizer and transformer read queries, and items unless these have their own.
        item_encoder: TextEncoder. Defaults to `None`: both sides share weights, and the projection.
        dim: int. Width of the vectors, by a projection without bias; None: states of the transformer as they are.
            Defaults to 128.
        query_length: int. Tokens of a query, with `[CLS]` and `[SEP]`. Defaults to 32.
        item_length: int. Tokens of an item; the rest is left out. Defaults to `None`: as of its encoder.
        augment: bool. Fill queries up with `[MASK]`. Defaults to `True`.
        skip_punctuation: bool. Leave the vectors of punctuation out of items. Defaults to `True`.
        markers: pair of str. Pieces of the vocabulary that stand after the first token of queries and of items, such as
            `("[unused0]", "[unused1]")`. Defaults to `None`: none; a pretrained encoder knows none.
        num_layers: int. How many of the encoders' last layers are trained; said to the encoders. Defaults to `None`: as
            they are.
        options: how it trains, see `ContrastiveObjective` and `DualEncoder`. `temperature` defaults to 1.

    Input: dict of column name -> tensor.
    Output: `{"query": (batch, query tokens, dim), "item": (batch, item tokens, dim)}`.

    Raises:
        ValueError: not one column of text each; a width below 1; and what `TokenVectors` and the options refuse.

    Example:
        >>> import tensorflow as tf
        >>> from tfdual.features.text import TextTransformer, WordPieceTokenizer
        >>> from tfdual.schema import ColumnSchema
        >>> tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tea", "milk", "!"])
        >>> encoder = TextEncoder(tokenizer, TextTransformer(8, num_layers=1, num_heads=2, dim=8, feed_forward_dim=16))
        >>> text = {"dtype": "string"}
        >>> columns = [ColumnSchema("asked", [Tags.USER], **text), ColumnSchema("title", [Tags.ITEM], **text)]
        >>> schema = Schema([*columns, ColumnSchema("id", [Tags.ITEM_ID])])
        >>> model = LateInteractionModel(schema, encoder, dim=4, query_length=6)
        >>> query = model.encode_query({"asked": tf.constant(["tea", "milk tea"])})
        >>> item = model.encode_item({"title": tf.constant(["tea!", "milk", "tea and milk"])})
        >>> tuple(query.shape), tuple(item.shape), tuple(model.score(query, item).shape)
        ((2, 6, 4), (3, 5, 4), (2, 3))

    Reference: Khattab and Zaharia, 2020, "ColBERT", arXiv:2004.12832
    """

    def __init__(
        self,
        schema: Schema,
        encoder: TextEncoder,
        item_encoder: TextEncoder | None = None,
        dim: int | None = 128,
        query_length: int = 32,
        item_length: int | None = None,
        augment: bool = True,
        skip_punctuation: bool = True,
        markers: tuple[str, str] | None = None,
        num_layers: int | None = None,
        **options: Any,
    ) -> None:
        if options.get("temperature") is None:
            options["temperature"] = TEMPERATURE
        super().__init__(options.pop("item_id", None) or item_id_of(schema), **options)
        if dim is not None and dim < 1:
            raise ValueError(f"dim is at least 1, or None: no projection. Received {dim}.")
        self._schema = schema
        self._columns = _text_column(schema, Tags.USER), _text_column(schema, Tags.ITEM)
        self.encoder, self.item_encoder = encoder, item_encoder
        self.dim = dim
        self.markers = None if markers is None else tuple(markers)
        for one in (encoder, item_encoder):
            if one is not None and num_layers is not None:
                one.transformer.train_last(check_layers(num_layers, one.transformer.num_layers))
        first, second = self.markers or (None, None)
        self.query = TokenVectors(
            encoder, self._projection(), query_length, augment, marker=first, name="query", dtype=self.dtype_policy
        )
        self.item = TokenVectors(
            item_encoder or encoder,
            self._projection() if item_encoder else self.query.projection,
            item_length,
            skip_punctuation=skip_punctuation,
            marker=second,
            name="item",
            dtype=self.dtype_policy,
        )
        self.objective.shared_ids = shared_ids(schema, self.query_side.columns, self.item_side.columns)

    def _projection(self) -> keras.layers.Layer | None:
        if self.dim is None:
            return None
        return keras.layers.Dense(self.dim, use_bias=False, name="projection", dtype=self.dtype_policy)

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        for side in (self.query, self.item):
            build_once(side, (None,))
        if self.query.dim != self.item.dim:
            raise ValueError(
                f"Without a projection both encoders have one width. Received {self.query.dim} and {self.item.dim}. "
                "Take another encoder, or dim=128."
            )
        self.build_training(self.query.dim)

    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """Model-ready query columns -> `(batch, tokens, dim)`."""
        return self.query(inputs[self._columns[0]], training=training)

    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """Model-ready item columns -> `(batch, tokens, dim)`, with zeros where there is no token."""
        return self.item(inputs[self._columns[1]], training=training)

    @property
    def query_side(self) -> Side:
        """The query's text."""
        return Side([self._columns[0]], [self.query])

    @property
    def item_side(self) -> Side:
        """The item's text."""
        return Side([self._columns[1]], [self.item])

    @property
    def interaction(self) -> Interaction:
        """The sum of best matches."""
        return MaxSim()

    def exact_index(self) -> Index:
        """An index that scores every item as the model does, not built."""
        return MaxSimIndex()

    def get_config(self) -> dict:
        return super().get_config() | {
            "schema": self._schema.to_dict(),
            **serialized({"encoder": self.encoder, "item_encoder": self.item_encoder}),
            "dim": self.dim,
            "query_length": self.query.max_length,
            "item_length": self.item.max_length,
            "augment": self.query.augment,
            "skip_punctuation": self.item.skip_punctuation,
            "markers": self.markers and list(self.markers),
            "num_layers": None,  # as the encoder is by then
        }

    @classmethod
    def from_config(cls, config: dict) -> "LateInteractionModel":
        return super().from_config(config | {"schema": Schema.from_dict(config["schema"])})


def _text_column(schema: Schema, tag: Tags) -> str:
    """The name of the column of text with this tag."""
    found = [column.name for column in schema.select_by_tag(tag) if column.kind is Kind.STRING]
    if len(found) != 1:
        raise ValueError(
            f"A LateInteractionModel reads one column of text tagged {tag.name}. The schema has {found}, among "
            f"{schema.column_names}. Select one by `schema.select_by_name`."
        )
    return found[0]
