"""A score of a pair of texts, read together."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfdual._build import build_once, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.features import TextEncoder
from tfdual.features.text import TextPairEncoder
from tfdual.features.text.text_transformer import check_layers
from tfdual.models.candidate_pairs import candidate_pairs
from tfdual.models.pair_rankings import Rankings, rankings
from tfdual.models.ranking_labels import of_width_one
from tfdual.models.ranking_model import RankingModel
from tfdual.models.self_built import SelfBuiltModel
from tfdual.schema import Tags
from tfdual.towers import Tower

JOINS = ("token", "state")


@register
class CrossEncoder(SelfBuiltModel, RankingModel):
    """Score a query and an item by full attention over both texts: the best judge, and too slow for a whole corpus.

    `score = w . dropout(tanh(W state + b)) + c`, with `state` that of the first token of `[CLS] query [SEP] item [SEP]`

    So it scores again what a first stage found: `to_retriever(..., reranker=cross.to_reranker(100))`. It is trained on
    lists of candidates with labels: 1 and 0, or grades; -1 marks a place without a candidate, whatever text stands
    there. Single pairs with a label each will do for `binary_cross_entropy`.

    Further columns of both sides may be read by `features`. As a `"token"`, their vector is projected to the
    transformer's width, and all tokens attend to it from the first layer on (early fusion); its gradient passes through
    frozen layers too. As `"state"`, it stands beside the first token's state, before the layer on it.

    An empty text is read as no token. A pair that is too long is cut as `TextPairEncoder` says.

    Args:
        encoder: TextEncoder, or a TextPairEncoder with options of its own: pooling, length, which end of a query is
            kept. Whose weights are read, its layer on the first token starts as the checkpoint's.
        query: str. The column of queries. Defaults to `"query"`.
        item: str. The column of items. Defaults to `"item"`.
        features: block or tower that reads columns, e.g. `InputBlock(schema, aggregation="concat") >> MLPBlock([16])`.
            Those tagged `ITEM` are the item's, the others the query's. Defaults to `None`.
        join: str. `"token"` or `"state"`. Defaults to `"token"`.
        pooler: str. Activation of the layer on the state, as wide as that; `None`: no layer. Defaults to `"tanh"`.
        num_layers: int. How many of the encoder's last layers are trained, said to it. Defaults to `None`: as it is.
        ranking_loss: as of `RankingModel`: pointwise, pairwise or listwise. Defaults to `None`: `binary_cross_entropy`,
            for which each label above 0 is a positive.

    Input: dict of string queries `(batch,)`, or lists of turns `(batch, turns)`; string items `(batch,)`, or lists of
        candidates `(batch, candidates)`, dense or ragged; and the columns of `features`, those of items as lists where
        the items are.
    Output: `(batch,)`, or `(batch, candidates)`; minus infinity behind the end of a ragged list.

    Raises:
        ValueError: one name for both columns, an unknown `join`, features that read no columns or give no vector, a
            number of layers below 1 or above those that there are; no labels; lists of one for a loss that compares.
        TypeError: no strings.

    Example:
        >>> from tfdual.features.text import TextTransformer, WordPieceTokenizer
        >>> tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "##s"])
        >>> transformer = TextTransformer(6, num_layers=1, num_heads=2, dim=8, feed_forward_dim=16)
        >>> model = CrossEncoder(TextEncoder(tokenizer, transformer))
        >>> tuple(model({"query": tf.constant(["tea"]), "item": tf.constant([["Teas", "tea", "milk"]])}).shape)
        (1, 3)

    Reference: Nogueira and Cho, 2019, "Passage re-ranking with BERT", arXiv:1901.04085; for features as tokens: Kiela
    et al., 2019, arXiv:1909.02950
    """

    def __init__(
        self,
        encoder: TextEncoder | TextPairEncoder,
        query: str = "query",
        item: str = "item",
        features: Block | Tower | None = None,
        join: str = "token",
        pooler: str | None = "tanh",
        num_layers: int | None = None,
        ranking_loss: Callable[..., Tensor] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(ranking_loss, **kwargs)
        self.supports_jit = False
        if query == item:
            raise ValueError(f"A cross-encoder reads two columns. Received {query!r} for both.")
        if join not in JOINS:
            raise ValueError(f"join is one of {JOINS}. Received {join!r}.")
        self.encoder = encoder if isinstance(encoder, TextPairEncoder) else TextPairEncoder(encoder)
        self.query = query
        self.item = item
        self.features = features
        self.join = join
        self.pooler = pooler
        self._columns_of_sides = self._sides(features)
        if num_layers is not None:
            self.encoder.train_last(check_layers(num_layers, self.encoder.encoder.transformer.num_layers))

    def _sides(self, features: Block | Tower | None) -> tuple[list[str], list[str]]:
        """Names of the further columns of queries, and of items."""
        if features is None:
            return [], []
        schema = features.schema if isinstance(features, Block | Tower) else None
        if schema is None:
            raise ValueError(
                "features is a block that reads columns, such as InputBlock(schema, aggregation='concat') >> "
                f"MLPBlock([16]). Received {features!r}."
            )
        if both := sorted({self.query, self.item} & set(schema.column_names)):
            raise ValueError(f"The texts {both} are read by the encoder. Take them out of the schema of the features.")
        items = schema.select_by_tag(Tags.ITEM)
        return schema.excluding_by_tag(Tags.ITEM).column_names, items.column_names

    @property
    def query_columns(self) -> list[str]:
        """The text, and those of the features that are not the item's."""
        return [self.query, *self._columns_of_sides[0]]

    @property
    def item_columns(self) -> list[str]:
        """The text, and those of the features that are tagged `ITEM`."""
        return [self.item, *self._columns_of_sides[1]]

    def build(self, input_shape: Any = None) -> None:
        build_once(self.encoder)
        dim, width = self.encoder.dim, 0
        if self.features is not None:
            width = self._width(self.features)
            if self.join == "token":
                self.to_token = keras.layers.Dense(dim, dtype=self.dtype_policy, name="to_token")
                build_once(self.to_token, (None, width))
        width = dim + (width if self.join == "state" else 0)
        if self.pooler is not None:
            start = _start(self.encoder.pair_arrays(), width, dim)
            self.pooling = keras.layers.Dense(dim, self.pooler, dtype=self.dtype_policy, name="pooling", **start)
            build_once(self.pooling, (None, width))
            width = dim
        dropout = self.encoder.encoder.transformer.dropout
        self.dropped = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropped")
        self.to_score = keras.layers.Dense(1, dtype=self.dtype_policy, name="score")
        build_once(self.to_score, (None, width))
        self.built = True

    def _width(self, features: Block | Tower) -> int:
        """Of the features' vector."""
        build_once(features)
        names = [name for side in self._columns_of_sides for name in side]
        given: Any = features.compute_output_shape(dict.fromkeys(names, (None,)))
        if isinstance(given, dict) or len(given) != 2:
            raise ValueError(
                f"features gives one vector, (batch, dim). The block '{features.name}' gives {given}. Fuse its "
                'outputs, e.g. by aggregation="concat".'
            )
        return int(given[-1])

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        pairs = candidate_pairs(inputs, self.item, self.query_columns, self.item_columns)
        columns, beside, joined = pairs.columns, None, None
        if self.features is not None:
            beside = self.features(columns)
            joined = self.to_token(beside) if self.join == "token" else None
        state = self.encoder(columns[self.query], columns[self.item], joined=joined, training=training)
        if beside is not None and joined is None:
            state = ops.concatenate([state, ops.cast(beside, state.dtype)], axis=-1)
        if self.pooler is not None:
            state = self.pooling(state)
        scores = ops.squeeze(self.to_score(self.dropped(state, training=training)), axis=-1)
        return pairs.as_lists(scores)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return input_shape[self.item][:2]

    def compute_loss(
        self,
        x: dict[str, Tensor] | None = None,
        y: Any = None,
        y_pred: Tensor | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Tensor:
        """Mean ranking loss of the lists of a batch; a pair with a label is a list of one."""
        if y_pred is not None and len(y_pred.shape) == 1 and y is not None:
            y_pred = y_pred[:, None]
            y = keras.tree.map_structure(of_width_one, y)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Keras's `fit`, as of `RankingModel`."""
        self._build_unless_built()
        return super().fit(x, *args, **kwargs)

    @functools.cached_property
    def compiled_score(self) -> Callable[[dict[str, Tensor]], Tensor]:
        """The model as one TensorFlow graph, traced once."""
        self._build_unless_built()
        return tf.function(lambda inputs: self(inputs), reduce_retracing=True, autograph=False)

    def rank(self, queries: Any, items: Any, k: int | None = None, pairs_at_once: int = 1_024) -> Rankings:
        """The candidates of each query, best first, outside a graph of retrieval.

        Args:
            queries: a sequence of strings, or of lists of turns; or a dict of column name -> a value a query, where
                `features` reads further columns. Arrays, tensors, and columns of pandas and Arrow go by position.
            items: for each query a sequence of strings; or a dict of column name -> such lists.
            k: int. How many to return. Defaults to `None`: as many as the longest list holds.
            pairs_at_once: int. Pairs that are scored in one call, which bounds the memory. Defaults to 1,024.

        Returns:
            `Rankings(positions, scores)`: places in the lists and scores, `(queries, k)`, -1 and minus infinity where a
            list has ended.

        Raises:
            ValueError: not a list for each query, columns of differing lengths, `k` or `pairs_at_once` below 1.
            TypeError: a text is no `str`.
        """
        query = dict(queries) if isinstance(queries, dict) else {self.query: queries}
        item = dict(items) if isinstance(items, dict) else {self.item: items}
        return rankings(self.compiled_score, query, item, (self.query, self.item), k, pairs_at_once)

    def get_config(self) -> dict:
        return super().get_config() | {
            **serialized({"encoder": self.encoder, "features": self.features}),
            "query": self.query,
            "item": self.item,
            "join": self.join,
            "pooler": self.pooler,
            "num_layers": None,  # as the encoder is by then
        }

    @classmethod
    def from_directory(
        cls, path: str | Path, encoder_options: dict[str, Any] | None = None, **options: Any
    ) -> "CrossEncoder":
        """The cross-encoder of a local directory of Hugging Face, a model for the classification of sequences.

        It holds what `TextEncoder.from_directory` reads, and in `model.safetensors` a layer on the first token, and a
        classifier with one label, whose logit is the score. With `join="state"` it starts with the scores that the
        model has, whatever the features are.

        Args:
            path: of the directory.
            encoder_options: dict. Options of `TextEncoder.from_directory` such as `trainable_layers` and `max_length`.
                Defaults to none.
            options: arguments of `CrossEncoder` but the encoder and the pooler.

        Raises:
            FileNotFoundError: no directory, or a file is missing in it.
            ValueError: no classifier, or one with several labels; and what `TextEncoder.from_directory` refuses.
            ImportError: the extra `text` is not installed.
        """
        pairs = TextPairEncoder(TextEncoder.from_directory(path, **encoder_options or {}))
        held = pairs.pair_arrays()
        if "score_kernel" not in held or held["score_kernel"].shape[1] != 1:
            labels = held["score_kernel"].shape[1] if "score_kernel" in held else "no"
            raise ValueError(
                f"A cross-encoder's classifier has one label. That of {path} has {labels} labels. To start from the "
                "encoder alone, take CrossEncoder(TextEncoder.from_directory(path))."
            )
        model = cls(pairs, pooler=pairs.pooler if "pooler_kernel" in held else None, **options)
        model.build()
        rows = model.to_score.kernel.shape[0]
        model.to_score.set_weights([_with_rows(held["score_kernel"], rows), held["score_bias"]])
        return model


def _start(held: Mapping[str, np.ndarray], rows: int, dim: int) -> dict[str, Any]:
    """Initialisers of the layer on the state: what the checkpoint holds of it, and zeros for the features beside it."""
    if "pooler_kernel" not in held or held["pooler_kernel"].shape != (dim, dim):
        return {}
    kernel, bias = _with_rows(held["pooler_kernel"], rows), held["pooler_bias"]
    return {
        "kernel_initializer": lambda shape, dtype=None: ops.convert_to_tensor(kernel, dtype),
        "bias_initializer": lambda shape, dtype=None: ops.convert_to_tensor(bias, dtype),
    }


def _with_rows(kernel: np.ndarray, rows: int) -> np.ndarray:
    """A kernel with rows of zeros behind its own, `rows` of them in all."""
    return np.pad(kernel, [(0, rows - len(kernel)), (0, 0)])
