"""A text as several vectors, which each item looks at."""

from typing import Any

from tfdual._build import build_once, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.features import TextEncoder
from tfdual.index import PolyIndex
from tfdual.interactions import PolyAttention
from tfdual.models.context_codes import LEARNED, ContextCodes
from tfdual.models.contrastive_objective import column_of
from tfdual.models.dialogue_tokens import LAST
from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.id_column import item_id_of, shared_ids
from tfdual.models.side import Side
from tfdual.schema import Kind, Schema, Tags
from tfdual.towers import BertTower, Tower


@register
class PolyEncoder(DualEncoder):
    """A poly-encoder: of a text several codes, of an item one vector, which attends over the codes.

    Items are encoded once and cached, as of a bi-encoder; a query has as many vectors as codes, and the item decides
    which of them counts. `score = sum_c softmax_c(scale code_c . item) (code_c . item)`. Each other item of the batch
    is a negative of a query, as in `TwoTowerModel`.

    The query is a column of strings, or of lists of strings: the turns of a dialogue, oldest first, read as
    `[CLS] turn [SEP] turn [SEP]`. Turns without a character are left out; a dialogue without a turn is read as an empty
    text, which has the two tokens that stand around any.

    Args:
        schema: Schema. With one column of strings, or lists of them, that is not tagged `ITEM`; and, unless `item` is a
            block, one column of strings that is. One column is tagged `ITEM_ID`. Others are left out.
        encoder: TextEncoder. Of the query; where it normalises, so are the codes.
        item: TextEncoder with weights of its own; or a block that reads the item's columns, such as `InputBlock(items)
            >> MLPBlock([384])`. Defaults to `None`: `encoder` reads both sides.
        codes: int. How many; the paper has 16, 64 and 360. Defaults to 64.
        reduction: `"learned"`: each code attends over the states of all tokens by a learned vector; `"first"` or
            `"last"`: the codes are the states of the first or last tokens, and zeros where there are fewer. Defaults to
            `"learned"`.
        scale: float. Sharpens the attention, see `PolyAttention`. Defaults to 1.
        post: `"l2-norm"`, a Keras layer, or a list of them, which codes and items pass last, with the same weights.
            Defaults to `None`.
        keep: `"last"` or `"first"`. Which tokens of a long query are read; of an item the first are. Defaults to
            `"last"`: the end of a dialogue.
        query_length: int. Tokens of the query that are read, with the two around them. Defaults to `None`: the
            encoder's `max_length`.
        seed: int. Of the learned codes, at the start. Defaults to `None`.
        options: how it trains, see `ContrastiveObjective` and `DualEncoder`; `temperature=1` is the paper's, for
            vectors of any length, and the default of 0.05 fits those of length 1.

    Input: dict of column name -> tensor; lists of strings are ragged, or padded with `""`.
    Output: `{"query": (batch, codes, dim), "item": (batch, dim)}`.

    Raises:
        ValueError: not one column for a side; codes below 1; another reduction or `keep`; a length beyond the encoder's
            positions; an item of another width than the codes; and what the options
            refuse.

    Example:
        >>> import tensorflow as tf
        >>> from tfdual import ColumnSchema
        >>> from tfdual.features.text import TextTransformer, WordPieceTokenizer
        >>> tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "##s"])
        >>> encoder = TextEncoder(tokenizer, TextTransformer(6, num_layers=1, num_heads=2, dim=8, feed_forward_dim=16))
        >>> history = ColumnSchema("history", [Tags.USER], dtype="string", is_list=True)
        >>> answer = ColumnSchema("answer", [Tags.ITEM], dtype="string")
        >>> model = PolyEncoder(Schema([history, answer, ColumnSchema("id", [Tags.ITEM_ID])]), encoder, codes=4)
        >>> batch = {"history": tf.ragged.constant([["tea", "teas"], []]), "answer": tf.constant(["tea", "no"])}
        >>> {side: tuple(vectors.shape) for side, vectors in model(batch).items()}
        {'query': (2, 4, 8), 'item': (2, 8)}

    Reference: Humeau et al., 2020, "Poly-encoders: architectures and pre-training strategies for fast and accurate
    multi-sentence scoring", arXiv:1905.01969
    """

    def __init__(
        self,
        schema: Schema,
        encoder: TextEncoder,
        item: TextEncoder | LayerLike | None = None,
        codes: int = 64,
        reduction: str = LEARNED,
        scale: float = 1.0,
        post: LayerLike | None = None,
        keep: str = LAST,
        query_length: int | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(options.pop("item_id", None) or item_id_of(schema), **options)
        self._schema, self._item = schema, item
        self._query_column = _query_column(schema)
        self._interaction = PolyAttention(scale)
        self.post = None if post is None else Block.parse(post)
        dtype = self.dtype_policy
        self.query = ContextCodes(
            encoder, codes, reduction, keep, query_length, self.post, seed, name="query", dtype=dtype
        )
        block = _item_block(schema, encoder if item is None else item)
        block = block if self.post is None else block.connect(self.post)
        self.item = Tower(block, name="item", dtype=dtype)
        self.objective.shared_ids = shared_ids(schema, self.query_side.columns, self.item_side.columns)

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.query)
        build_once(self.item)
        if self.query.dim != self.item.embedding_dim:
            raise ValueError(
                f"Codes and items are of one width. The codes have {self.query.dim}, and the items "
                f"{self.item.embedding_dim}. End the item's block in {self.query.dim}."
            )
        self.build_training(self.query.dim)

    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """Texts, or lists of them, to codes: `(batch, codes, dim)`."""
        return self.query(column_of(inputs, self._query_column, "texts of the queries"), training=training)

    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """Item columns -> `(batch, dim)`."""
        return self.item(inputs, training=training)

    @property
    def query_side(self) -> Side:
        """The text, and what makes codes of it."""
        return Side([self._query_column], [self.query])

    @property
    def item_side(self) -> Side:
        """The item's tower."""
        return Side(self.item.schema.column_names, [self.item])

    @property
    def interaction(self) -> PolyAttention:
        """The item's attention over the codes."""
        return self._interaction

    def exact_index(self) -> PolyIndex:
        """A `PolyIndex` that scores every item."""
        return PolyIndex(scale=self._interaction.scale)

    def get_config(self) -> dict:
        return super().get_config() | {
            "schema": self._schema.to_dict(),
            **serialized({"encoder": self.query.encoder, "item": self._item}),
            "codes": self.query.count,
            "reduction": self.query.reduction,
            "scale": self._interaction.scale,
            "post": serialized(self.post),
            "keep": self.query.keep,
            "query_length": self.query.length,
            "seed": self.query.seed,
        }

    @classmethod
    def from_config(cls, config: dict) -> "PolyEncoder":
        return super().from_config(config | {"schema": Schema.from_dict(config["schema"])})


def _query_column(schema: Schema) -> str:
    texts = [
        column.name
        for column in schema
        if Tags.ITEM not in column.tags
        and (column.kind is Kind.STRING or (column.is_list and column.dtype == "string"))
    ]
    if len(texts) != 1:
        raise ValueError(
            "A PolyEncoder reads one column of strings, or of lists of strings, that is not tagged ITEM. The schema "
            f"has {texts} among {schema.column_names}. Select one by `schema.select_by_name`."
        )
    return texts[0]


def _item_block(schema: Schema, item: TextEncoder | LayerLike) -> Block:
    if isinstance(item, TextEncoder):
        return BertTower(schema.select_by_tag(Tags.ITEM), item)
    return Block.from_layer(Block.parse(item))
