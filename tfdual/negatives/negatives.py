"""What every source of negatives is."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import keras
from keras import ops

from tfdual import negatives  # a sum of sources is a source: a circle by nature
from tfdual._backend import replicas, rows_of_the_batch
from tfdual._items import Items, join_items
from tfdual._typing import Shape, Tensor
from tfdual.negatives.all_replicas import items_of_all_replicas
from tfdual.negatives.batch import Batch
from tfdual.negatives.expected_counts import all_finite, log_of_one_more


class Negatives(keras.layers.Layer):
    """A source of items that the queries of a batch are trained against. Sources add up: `a + b`.

    It is a Keras layer for its state, which is saved with the model that holds it. It has no `call`: a model calls
    `build((None, dim))` once, `candidates(batch)` in each step, and `update(batch)` after it.
    """

    includes_batch = False
    """Whether the other items of the batch are negatives."""
    hardest: int | None = None
    """How many of the batch's items, those of the highest score, are a query's negatives. `None`: all."""
    named_by_rows = False
    """Whether the rows of a batch name the items, so that each replica of a `tf.distribute` strategy draws others."""

    def build(self, query_shape: Shape) -> None:
        """Make what depends on the width of an embedding."""
        self.built = True

    @abstractmethod
    def draw(self, batch: Batch) -> Items | None:
        """The items of this source, beyond the batch's own: negatives of each query of the batch.

        `log_probability` is that of one training example to hold the item. An embedding has a gradient where it was
        made now. `None`: no items but the batch's.
        """

    def log_count(self, ids: Tensor, log_probability: Tensor, batch_size: Tensor) -> Tensor | None:
        """How often each of some items is expected among this source's candidates.

        Args:
            ids: int `(n,)`.
            log_probability: `(n,)`, of one training example to hold the item.
            batch_size: int scalar.

        Returns:
            Natural logarithm, `(n,)` float32; -inf where it never is. `None`: the source follows no distribution; its
            items are there for certain.
        """
        return None

    def update(self, batch: Batch) -> None:
        """Take in what a training step has encoded. Here: nothing."""
        return  # AutoGraph wants a body

    def sources(self) -> Sequence["Negatives"]:
        """The parts of a sum; else the source itself."""
        return [self]

    def candidates(self, batch: Batch) -> tuple[Items | None, Tensor | None]:
        """What the queries are scored against beyond the batch's items, and the correction of both.

        The candidates of a mixture are corrected by what the mixture gives: a score is lessened by the logarithm of how
        often the item is expected from all sources together. An item of a source without a distribution counts 1 more
        there. An item that no source gives is taken for as rare as the rarest of the step.

        Returns:
            `Items` whose `log_probability` is that logarithm, or `None`, and the same of the batch's own items,
            `(batch,)` float32. Where `batch.item.log_probability` is `None`, there is no correction: both are `None`.

        Raises:
            ValueError: the batch has a log-probability, and drawn items have none.

        Reference: Yang et al., 2020, "Mixed negative sampling for learning two-tower neural networks in
        recommendations"
        """
        every = [(source, source.draw(batch)) for source in self.sources()]
        drawn = [(source, _of_the_whole_batch(source, items)) for source, items in every if items is not None]
        if batch.item.log_probability is None:
            return join_items([replace(items, log_probability=None) for _, items in drawn]), None
        batch_size = rows_of_the_batch(batch.query)
        counts = [self._log_count(batch.item, batch_size)]
        for source, items in drawn:
            if items.log_probability is None:
                raise ValueError(
                    f"The sampling correction needs the log-probability of the items of {type(source).__name__}, and "
                    "they have none. Adapt it to items that have that column, or train without the correction."
                )
            count = self._log_count(items, batch_size)
            certain = source.log_count(items.ids, items.log_probability, batch_size) is None
            counts.append(log_of_one_more(count) if certain else count)
        own, *counts = all_finite(counts)
        corrected = [replace(items, log_probability=count) for (_, items), count in zip(drawn, counts, strict=True)]
        return join_items(corrected), own

    def _log_count(self, items: Items, batch_size: Tensor) -> Tensor:
        count = self.log_count(items.ids, ops.cast(items.log_probability, "float32"), batch_size)
        return ops.full_like(items.ids, float("-inf"), dtype="float32") if count is None else count

    def __add__(self, other: "Negatives") -> "negatives.SumOfNegatives":
        if not isinstance(other, Negatives):
            return NotImplemented
        return negatives.SumOfNegatives([*self.sources(), *other.sources()])


def _of_the_whole_batch(source: Negatives, items: Items) -> Items:
    """With those that the rows of other replicas name, unless an item is a candidate of its own row alone."""
    return items_of_all_replicas(items) if replicas() > 1 and source.named_by_rows and items.row is None else items
