"""What every retrieval model is."""

import functools
import inspect
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfdual._backend import data_dependent_shapes, replicas
from tfdual._build import deserialized
from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.data.told_plainly import told_plainly
from tfdual.index import BruteForce, Index
from tfdual.interactions import InnerProduct, Interaction
from tfdual.models.contrastive_objective import ContrastiveObjective, column_of
from tfdual.models.embedding_space import embedding_space
from tfdual.models.encoded_once import encoded_once
from tfdual.models.finite_loss import finite_or_stop
from tfdual.models.fit_rows import fit_rows, with_weights
from tfdual.models.function_config import function_from
from tfdual.models.gradient_cache import gradients_in_parts
from tfdual.models.own_loss import OwnLossModel, refuse_labels
from tfdual.models.pairs import Pairs
from tfdual.models.retriever_of import ServedColumns, query_tower_of, retriever_of
from tfdual.models.self_built import SelfBuiltModel
from tfdual.models.side import Side
from tfdual.preprocessing import Preprocessor
from tfdual.serving import Reranker, Retriever, ServedTower


class DualEncoder(SelfBuiltModel, OwnLossModel):
    """Two encoders and a score; architectures differ in these alone. Trained on pairs of a query and its item.

    A subclass makes its layers in `__init__` and `build`, which ends in `self.build_training(dim)`.

    Args:
        item_id: str. The column that says which rows hold the same item.
        parts: int. Encode a training batch in so many parts, with one part's activations in memory at a time and the
            gradient of the whole batch; each row is encoded twice. TensorFlow backend only. Defaults to 1.
        distinct_queries: str. A column such as the user's id: rows of a training batch with one value have one query,
            which is encoded once, by the first of them, and scored once where the column is `known_positives` too.
            Exact where all the query's columns depend on it alone, and faster where a batch holds many rows of few
            queries. Rows of the value 0, unknown, have a query each. On backends other than TensorFlow every row is
            encoded. Defaults to `None`: every row's.
        objective: arguments of `ContrastiveObjective`: `temperature`, `negatives`, `sampling_correction`, `loss`,
            `symmetric`, `known_positives`, `several_positives`, `distinct_items`.

    Input: dict of column name -> tensor.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`.

    Raises:
        TypeError: arguments that the model doesn't have.
        ValueError: `parts` below 1; a loss or metrics in `compile()`; labels; a loss that is not finite, with the step
            and column that brought it; and what `ContrastiveObjective` refuses.
    """

    def __init__(
        self,
        item_id: str,
        parts: int = 1,
        distinct_queries: str | None = None,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        **objective: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype, trainable=trainable, autocast=False)
        _refuse_unknown(type(self), objective)
        if parts < 1:
            raise ValueError(f"parts is 1 or more. Received {parts}.")
        self.item_id = item_id
        self.parts = parts
        self.distinct_queries = distinct_queries
        self.objective = ContrastiveObjective(item_id, **objective, name="objective")
        self.supports_jit = keras.backend.backend() != "tensorflow"  # XLA there makes sparse updates dense

    @abstractmethod
    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """Model-ready query columns -> `(batch, dim)`."""

    @abstractmethod
    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """Model-ready item columns -> `(batch, dim)`."""

    @property
    @abstractmethod
    def query_side(self) -> Side:
        """What `encode_query` hangs on."""

    @property
    @abstractmethod
    def item_side(self) -> Side:
        """What `encode_item` hangs on."""

    @property
    def item_columns(self) -> Sequence[str]:
        """Names of the columns that `encode_item` reads."""
        return self.item_side.columns

    @property
    def interaction(self) -> Interaction:
        """What the two encodings become a score by: the inner product, unless an architecture says otherwise."""
        return InnerProduct()

    def score(self, query: Tensor, item: Tensor) -> Tensor:
        """Scores of all pairs of encoded queries and items: `(queries, items)`."""
        return self.interaction.among(query, item)

    def exact_index(self) -> Index:
        """An index that scores every item as the model does, not built."""
        return BruteForce()

    def build_training(self, embedding_dim: int) -> None:
        """Make what training needs besides the encoders.

        Args:
            embedding_dim: int. Width of the embeddings.
        """
        self.objective.build_for(embedding_dim)
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        queries = items = None
        if training and self.distinct_queries is not None and data_dependent_shapes():
            queries = column_of(inputs, self.distinct_queries, "ids of queries")
        if training and self.objective.once_each:
            items = column_of(inputs, self.item_id, "item ids")
        shared = self.objective.shared_ids.get
        return {
            "query": encoded_once(self.encode_query, inputs, queries, training, shared(self.distinct_queries or "", 1)),
            "item": encoded_once(self.encode_item, inputs, items, training, shared(self.item_id, 1)),
        }

    def pairs(
        self, inputs: dict[str, Tensor], outputs: dict[str, Tensor], sample_weight: Tensor | None, training: bool
    ) -> Pairs:
        """What a batch trains on: each row's query and item.

        Args:
            inputs: columns of the batch.
            outputs: what `call` gave.
            sample_weight: `(batch,)` or None.
            training: bool. Else the model validates.
        """
        query, item, once = outputs["query"], outputs["item"], self.distinct_queries
        return self.objective.pairs(inputs, query, item, sample_weight, training, once)

    def compute_loss(
        self,
        x: dict[str, Tensor] | None = None,
        y: Tensor | None = None,
        y_pred: dict[str, Tensor] | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Tensor:
        """Mean loss of the batch, and the losses that layers added."""
        if x is None or y_pred is None:
            raise ValueError("The loss needs the columns of the batch and the model's outputs: x=..., y_pred=...")
        refuse_labels(self, y)
        added = sum(map(self._aggregate_additional_loss, self.losses))  # encoding negatives replaces them
        return self._pair_loss(x, y_pred, sample_weight, training) + added

    def _pair_loss(
        self, x: dict[str, Tensor], outputs: dict[str, Tensor], weight: Tensor | None, training: bool
    ) -> Tensor:
        pairs = self.pairs(x, outputs, weight, training)
        if not training:
            return self.objective.validation_loss(pairs, self.interaction)
        encode = functools.partial(self.encode_item, training=True)
        loss = self.objective.training_loss(pairs, x, encode, self.interaction, self.item_columns)
        step = ops.convert_to_tensor(self.optimizer.iterations if self.compiled else 0)
        return finite_or_stop(loss, step, x, outputs, self.trainable_variables, weight)

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        """Keras's step, or one that encodes the batch in parts."""
        if self.parts == 1:
            return super().train_step(*args, **kwargs)
        x, y, weight = keras.utils.unpack_x_y_sample_weight(args[0])
        refuse_labels(self, y)
        self._build_unless_built()
        loss_of = functools.partial(self._pair_loss, x, weight=weight, training=True)
        loss, gradients = gradients_in_parts(self, x, self.parts, loss_of, self.optimizer.scale_loss)
        self._loss_tracker.update_state(loss * replicas(), sample_weight=tf.shape(x[self.item_id])[0])
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        return self.get_metrics_result()

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Keras's `fit`, on model-ready batches; of a dataset, the next is made ready during a step.

        Raises:
            TypeError: rows that aren't batches yet.
            ValueError: labels or weights of classes; a step whose loss is not finite; a bad row.
        """
        x, settings = fit_rows(x, kwargs)
        with told_plainly():
            return super().fit(**with_weights(super().fit, x, args, settings))

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras's `evaluate`: the loss among the items of each batch, without correction.

        Raises:
            ValueError: labels; a bad row.
        """
        with told_plainly():
            return super().evaluate(**with_weights(super().evaluate, x, args, kwargs))

    @functools.cached_property
    def compiled_encode_query(self) -> Callable[[dict[str, Tensor]], Tensor]:
        """`encode_query` as one TensorFlow graph, traced once."""
        self._build_unless_built()
        return tf.function(lambda inputs: self.encode_query(inputs), reduce_retracing=True)

    @functools.cached_property
    def compiled_encode_item(self) -> Callable[[dict[str, Tensor]], Tensor]:
        """`encode_item` as one TensorFlow graph, traced once."""
        self._build_unless_built()
        return tf.function(lambda inputs: self.encode_item(inputs), reduce_retracing=True)

    def served(self) -> "DualEncoder":
        """What serves for it: itself, where nothing is computed ahead."""
        return self

    def to_retriever(
        self,
        items: Rows | tf.data.Dataset,
        index: Index | None = None,
        preprocessor: Preprocessor | None = None,
        attributes: Sequence[str] = (),
        filters: Sequence[str] = (),
        item_tower: bool = True,
        reranker: Reranker | None = None,
    ) -> Retriever:
        """Embed the items, index them, and join preprocessing, query tower and index.

        Args:
            items: the corpus, one row an item: raw rows of `tfdual.read`, or a dataset of model-ready batches.
            index: Index, not built yet, or built of these items' embeddings in this model's space; then no item is
                embedded. Defaults to `None`: `exact_index()`.
            preprocessor: Preprocessor that the model was trained with.
            attributes: names of raw item columns to return with the ids. Defaults to none.
            filters: names of raw item columns, single-valued or lists, to filter by in `search(..., filter=...)`.
                Defaults to none.
            item_tower: bool. Whether the item tower is served too, for `embed_item`, `score` and `upsert`; the
                artefact then holds its weights. Defaults to `True`.
            reranker: Reranker. Scores the index's candidates again, in the same graph. Defaults to `None`.

        Returns:
            `Retriever`.

        Raises:
            ValueError: no preprocessor; an attribute is no single-valued column or is called `id`; a column to filter
                by is missing, of vectors, or no identifier; an id stands twice; a built index of other items or
                another space; a re-ranker's column that neither side has; a preprocessor that knows more ids than the
                model.
        """
        served = ServedColumns(tuple(attributes), tuple(filters), item_tower, reranker)
        return retriever_of(self.served(), items, index, preprocessor, served)

    def to_query_tower(self, preprocessor: Preprocessor) -> ServedTower:
        """This model's query side, to serve with another retriever's index: `retriever.with_query_tower("b", tower)`.

        Args:
            preprocessor: Preprocessor that the model was trained with.
        """
        return query_tower_of(self.served(), preprocessor)

    def embedding_space(self, preprocessor: Preprocessor) -> str:
        """A name of the space that the embeddings lie in: 16 hexadecimal digits of a SHA-256.

        It is of the item side's layers, weights and interaction, and of the preprocessing of its columns. Query towers
        that were trained against one item tower share it; after one more step of that it is another.

        Args:
            preprocessor: Preprocessor that the model was trained with.
        """
        self._build_unless_built()
        return embedding_space(self, preprocessor)

    def get_config(self) -> dict:
        own = {"parts": self.parts, "distinct_queries": self.distinct_queries}
        return self.objective.get_config() | super().get_config() | own

    @classmethod
    def from_config(cls, config: dict) -> "DualEncoder":
        config = deserialized(config)
        return cls(**config | {"loss": function_from(config["loss"])})


def _refuse_unknown(kind: type[DualEncoder], objective: dict[str, Any]) -> None:
    """Name the arguments that neither the model nor its objective has, and those that there are."""
    signatures = [inspect.signature(of.__init__).parameters for of in (kind, DualEncoder, ContrastiveObjective)]
    named = [name for of in signatures for name, each in of.items() if each.kind is not each.VAR_KEYWORD]
    if unknown := sorted(set(objective) - set(named)):
        known = ", ".join(name for name in dict.fromkeys(named) if name != "self")
        raise TypeError(f"{kind.__name__} has no arguments {unknown}. It takes {known}.")
