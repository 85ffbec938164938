"""Pairs and negatives to a loss."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import keras

from tfdual._backend import data_dependent_shapes, ids_by_key, is_ragged
from tfdual._build import build_once, deserialized, serialized
from tfdual._items import Items
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.interactions import InnerProduct, Interaction
from tfdual.losses import LearnedTemperature, sampled_softmax
from tfdual.models.encoded_once import told_apart
from tfdual.models.function_config import function_config, function_from
from tfdual.models.pairs import KnownItems, Pairs
from tfdual.models.scoring import Loss, Scoring
from tfdual.negatives import Batch, InBatch, Negatives, StreamingFrequency

Temperature = float | LearnedTemperature
TEMPERATURE = 0.05


@register
class ContrastiveObjective(keras.layers.Layer):
    """How a retrieval model trains: each query is to tell its own item from negatives.

    `loss = -log(exp(s_own) / (exp(s_own) + sum_n exp(s_n)))`, with `s = query . item / temperature - log E[count]` and
    `n` the negatives. Accidental hits, negatives that are the query's own item or a known one, are masked. While a
    model validates, the other items of the batch are the negatives, and nothing is subtracted.

    Args:
        item_id: str. The column that says which rows hold the same item.
        temperature: float, or `tfdual.losses.LearnedTemperature`. Divides the scores in training; lower is sharper.
            Where `symmetric`, it may be a pair: that of items for a query, and that of queries for an item. Defaults to
            `None`: 0.05, and 1 with another `loss`.
        negatives: a source of `tfdual.negatives`, or several, added up. Defaults to `None`: `InBatch()`.
        sampling_correction: bool, or `tfdual.negatives.StreamingFrequency`. Subtract the logarithm of how often an item
            is expected among the candidates: by the column that `Preprocessor` tags `LOG_PROBABILITY`, or as counted
            while training. Defaults to `None`: `True`, and `False` with another `loss`.
        loss: a function of `tfdual.losses` that takes scores, labels, mask and sample weight, or a `functools.partial`
            of one. It gets the whole matrix of scores. Defaults to `None`: the softmax, in blocks.
        symmetric: bool. The mean of the loss of items for a query and that of queries for an item. Defaults to `False`.
        known_positives: str. A column of id lists: items that are right for the query besides its own. Or a column of
            one value, the query's id: then rows of one query in the batch know each other's items. Defaults to `None`.
        several_positives: bool. Known positives among the candidates are positives of the query; the `loss` must take
            several. Else they are left out. Defaults to `False`.
        distinct_items: bool. Encode and score an item that stands several times in the batch once, by its first row,
            and count it as often: exact where an item's columns depend on the item alone, and faster. Items of ids
            that are of several values, such as 0, what is unknown, or hashed ones, are encoded each, and as negatives
            the first of an id stands for all. On backends other than TensorFlow every row is encoded and scored.
            Defaults to `True`.

    Raises:
        TypeError: a loss that is no function, negatives that are no source, a temperature that is no number.
        ValueError: a temperature that is not positive; arguments that don't fit one another; a batch without the
            columns named here.

    Reference: Yi et al., 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations"
    """

    def __init__(
        self,
        item_id: str,
        temperature: Temperature | tuple[Temperature, Temperature] | None = None,
        negatives: Negatives | None = None,
        sampling_correction: bool | StreamingFrequency | None = None,
        loss: Loss | None = None,
        symmetric: bool = False,
        known_positives: str | None = None,
        several_positives: bool = False,
        distinct_items: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.item_id = item_id
        self.temperature = (TEMPERATURE if loss is None else 1.0) if temperature is None else temperature
        self.negatives = InBatch() if negatives is None else negatives
        self.sampling_correction = loss is None if sampling_correction is None else sampling_correction
        self.loss = loss
        self.symmetric = symmetric
        self.known_positives = known_positives
        self.several_positives = several_positives
        self.distinct_items = distinct_items
        self.shared_ids: dict[str, int] = {}  # by column: how many first ids may be of several values
        self._check()

    def _check(self) -> None:
        if not (self.loss is None or callable(self.loss)):
            raise TypeError(f"loss is a function of scores, such as loss=tfdual.losses.bpr. Received {self.loss!r}.")
        if not isinstance(self.negatives, Negatives):
            raise TypeError(
                f"negatives is a source, or several added up: InBatch() + Uniform(100). Received {self.negatives!r}."
            )
        for temperature in self._temperatures():
            if not isinstance(temperature, (Real, LearnedTemperature)):
                raise TypeError(f"temperature is a number or a LearnedTemperature(). Received {temperature!r}.")
            if not isinstance(temperature, LearnedTemperature) and not 0 < temperature < float("inf"):
                raise ValueError(f"temperature must be above 0. Received {temperature}.")
        if isinstance(self.temperature, (tuple, list)) and not self.symmetric:
            raise ValueError("A pair of temperatures is for symmetric=True: one a direction. Give one, or set that.")
        if self.symmetric and not self.negatives.includes_batch:
            raise ValueError("symmetric=True scores the batch's queries for an item: add `InBatch()` to the negatives.")
        if self.several_positives and (self.known_positives is None or self.loss is None):
            raise ValueError(
                "several_positives=True needs known_positives=..., the column that names them, and a loss that takes "
                "several, such as loss=tfdual.losses.supervised_contrastive."
            )

    def _temperatures(self) -> tuple[Temperature, Temperature]:
        if isinstance(self.temperature, (tuple, list)):
            first, second = self.temperature
            return first, second
        return self.temperature, self.temperature

    def build_for(self, embedding_dim: int) -> None:
        """Make what training keeps: memories of negatives, learned temperatures, counted frequencies.

        Args:
            embedding_dim: int. Width of the embeddings.
        """
        build_once(self.negatives, (None, embedding_dim))
        for layer in (*self._temperatures(), self.sampling_correction):
            if isinstance(layer, keras.layers.Layer):
                build_once(layer)
        self.built = True

    @property
    def once_each(self) -> bool:
        """Whether items that repeat in a batch are encoded and scored once."""
        return self.distinct_items and data_dependent_shapes()

    def pairs(
        self,
        columns: dict[str, Tensor],
        query: Tensor,
        item: Tensor,
        weight: Tensor | None,
        training: bool,
        distinct_queries: str | None = None,
    ) -> Pairs:
        """The pairs of a batch, each row's query and item.

        Args:
            columns: of the batch.
            query: `(batch, dim)`.
            item: `(batch, dim)`.
            weight: `(batch,)` or None.
            training: bool. Whether the items are to have a log-probability.
            distinct_queries: the column whose values say which rows have one query. Where it names the known positives
                too, the rows of a query have the same negatives, and are scored once.
        """
        ids = column_of(columns, self.item_id, "item ids")
        items = Items(item, ids, self.log_probability(columns) if training else None)
        return Pairs(query, items, weight, self._known(columns, distinct_queries))

    def training_loss(
        self,
        pairs: Pairs,
        columns: dict[str, Tensor],
        encode_item: Callable[[dict[str, Tensor]], Tensor],
        interaction: Interaction,
        item_columns: Sequence[str] = (),
    ) -> Tensor:
        """The loss of a training batch. Memories take the batch in.

        Args:
            pairs: Pairs.
            columns: of the batch.
            encode_item: from columns of further items to embeddings.
            interaction: Interaction. What queries and items become scores by.
            item_columns: names of the columns that `encode_item` reads, for messages. Defaults to none.
        """

        def encoded(columns: dict[str, Tensor]) -> Items:
            if self.item_id not in columns:
                raise ValueError(
                    f"The model's item id is '{self.item_id}', and a source of negatives gives items with the columns "
                    f"{sorted(columns)}. Say item_id='{self.item_id}' where you make or adapt it."
                )
            known = self.sampling_correction is not True or self._log_probability_column in columns
            log_probability = self.log_probability(columns) if known else None  # a source asks for it if it needs it
            try:
                return Items(encode_item(columns), columns[self.item_id], log_probability)
            except (KeyError, ValueError) as error:
                if missing := [name for name in item_columns if name not in columns]:
                    raise ValueError(
                        f"The item tower reads the columns {missing}, and a source of negatives gives items with the "
                        f"columns {sorted(columns)} alone, as ColumnNegatives does before `adapt`. Call "
                        "`source.adapt(items)` with items that have all of them."
                    ) from error
                raise

        batch = Batch(columns, pairs.query, pairs.item, encoded, interaction.each)
        extra, log_count = self.negatives.candidates(batch)
        item = replace(pairs.item, log_probability=log_count)
        loss = self._scoring(interaction, self.negatives.includes_batch)(replace(pairs, item=item), extra)
        self.negatives.update(batch)
        if isinstance(self.sampling_correction, StreamingFrequency):
            self.sampling_correction.update(pairs.item.ids)
        return loss

    def validation_loss(self, pairs: Pairs, interaction: Interaction) -> Tensor:
        """The loss among the items of the batch, without correction. Nothing is taken in."""
        return self._scoring(interaction, in_batch=True)(pairs, None)

    def _scoring(self, interaction: Interaction, in_batch: bool) -> Scoring:
        first, second = self._temperatures()
        loss = self.loss
        if loss is None and not isinstance(interaction, InnerProduct):
            loss = sampled_softmax
        settings = self.symmetric, self.several_positives, self.once_each, in_batch, self.negatives.hardest
        return Scoring(interaction, loss, (_scale(first), _scale(second)), *settings)

    @property
    def _log_probability_column(self) -> str:
        return f"{self.item_id}_log_probability"

    def log_probability(self, columns: dict[str, Tensor]) -> Tensor | None:
        """Natural logarithm of the probability that a training row holds the item, `(rows,)`; None: no correction."""
        if not self.sampling_correction:
            return None
        if isinstance(self.sampling_correction, StreamingFrequency):
            return self.sampling_correction.log_probability(columns[self.item_id])
        name = self._log_probability_column
        if name not in columns:
            raise ValueError(
                f"The sampling correction needs the column '{name}', which `Preprocessor` gives for the column tagged "
                f"ITEM_ID. The batch has {sorted(columns)}. Add it, or set sampling_correction=False."
            )
        return columns[name]

    def _known(self, columns: dict[str, Tensor], distinct_queries: str | None) -> KnownItems | None:
        if self.known_positives is None:
            return None
        known = column_of(columns, self.known_positives, "known positives")
        if is_ragged(known) or len(known.shape) == 2:
            return KnownItems(known)
        if once := distinct_queries == self.known_positives:
            known = told_apart(known, self.shared_ids.get(self.known_positives, 1))
        return KnownItems(*ids_by_key(known, columns[self.item_id]), once)

    def get_config(self) -> dict:
        pair = isinstance(self.temperature, (tuple, list))
        temperature = [*map(serialized, self._temperatures())] if pair else serialized(self.temperature)
        return super().get_config() | {
            "item_id": self.item_id,
            "temperature": temperature,
            "negatives": serialized(self.negatives),
            "sampling_correction": serialized(self.sampling_correction),
            "loss": function_config(self.loss),
            "symmetric": self.symmetric,
            "known_positives": self.known_positives,
            "several_positives": self.several_positives,
            "distinct_items": self.distinct_items,
        }

    @classmethod
    def from_config(cls, config: dict) -> "ContrastiveObjective":
        config = deserialized(config)
        return cls(**config | {"loss": function_from(config["loss"])})


def _scale(temperature: Temperature) -> Callable[[Tensor], Tensor]:
    return temperature if isinstance(temperature, LearnedTemperature) else lambda scores: scores / temperature


def column_of(columns: dict[str, Tensor], name: str, what: str) -> Tensor:
    """The column of a batch.

    Raises:
        ValueError: it is not there.
    """
    if name not in columns:
        raise ValueError(f"The batch lacks the {what}, column '{name}'. It has {sorted(columns)}.")
    return columns[name]
