"""The second stage of a search: the index's candidates, scored again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfdual._typing import Tensor

Columns = dict[str, Tensor]


@dataclass(frozen=True)
class Reranker:
    """A model that scores pairs of a query and an item by features of both, for `to_retriever(..., reranker=...)`.

    Args:
        model: a Keras model, or a layer: from a dict of model-ready columns of `query_columns` and `item_columns`,
            one pair a row, to scores `(pairs,)` or `(pairs, 1)`, the highest the best; a NaN is the least of all.
        query_columns: sequence of str. Names of query columns that it reads.
        item_columns: sequence of str. Names of item columns that it reads.
        candidates: int. How many items of the index are scored for each query; k where that is more. Defaults to 100.

    Raises:
        ValueError: candidates below 1, no item column, or a column on both sides.

    Reference: Covington et al., 2016, "Deep neural networks for YouTube recommendations"
    """

    model: Callable[[Columns], Tensor]
    query_columns: Sequence[str]
    item_columns: Sequence[str]
    candidates: int = 100

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ValueError(f"A re-ranker scores at least 1 candidate. Received {self.candidates}.")
        both = sorted(set(self.query_columns) & set(self.item_columns))
        if not self.item_columns or both:
            raise ValueError(
                "A re-ranker reads columns of the item, and of the query others. "
                f"Received item_columns={list(self.item_columns)} and query_columns={list(self.query_columns)}."
            )

    @property
    def variables(self) -> list[Any]:
        """Those of the model."""
        return [getattr(variable, "value", variable) for variable in getattr(self.model, "variables", [])]

    def describe(self) -> dict[str, Any]:
        """What it reads and how much it scores, as plain JSON types."""
        columns = {"query_columns": list(self.query_columns), "item_columns": list(self.item_columns)}
        return {"kind": type(self.model).__name__, "candidates": self.candidates, **columns}

    def best(
        self,
        positions: Tensor,
        k: Tensor,
        query: Columns,
        item_at: Callable[[str, Tensor], Tensor],
    ) -> tuple[Tensor, Tensor]:
        """The best `k` of the candidates, by the model's scores.

        Args:
            positions: int32 `(batch, candidates)`, -1 where there is none.
            k: int32 scalar.
            query: model-ready columns, one row a query.
            item_at: from a column and positions `(pairs,)` to its values.

        Returns:
            Positions and scores, `(batch, k)`; -1 and -inf where no candidate is left.
        """
        batch, count = tf.unstack(tf.shape(positions))
        pairs = self._pairs(positions, query, item_at)
        scores = tf.reshape(tf.cast(self.model(pairs), tf.float32), [batch, count])
        scores = tf.where(tf.math.is_nan(scores), tf.float32.min, scores)  # which `top_k` would put anywhere
        scores = tf.where(positions >= 0, scores, -float("inf"))
        best, places = tf.math.top_k(scores, tf.minimum(k, count))
        return tf.gather(positions, places, batch_dims=1), best

    def try_out(self, query: Columns, item_at: Callable[[str, Tensor], Tensor]) -> None:
        """Score two pairs, which makes the weights of a model that was never called.

        Args:
            query: model-ready columns, one row.
            item_at: as in `best`.

        Raises:
            ValueError: a query column is missing, or the scores are not one a pair.
        """
        if lacking := sorted(set(self.query_columns) - set(query)):
            raise ValueError(
                f"The re-ranker reads the query columns {lacking}, which the query tower lacks. It has {sorted(query)}."
            )
        shape = tuple(self.model(self._pairs(tf.zeros([1, 2], tf.int32), query, item_at)).shape)
        if shape not in ((2,), (2, 1)):
            raise ValueError(f"A re-ranker gives one score a pair, (pairs,) or (pairs, 1). Of 2 pairs it gave {shape}.")

    def _pairs(self, positions: Tensor, query: Columns, item_at: Callable[[str, Tensor], Tensor]) -> Columns:
        """The columns of each query with each of its candidates, one pair a row."""
        batch, count = tf.unstack(tf.shape(positions))
        rows, flat = tf.repeat(tf.range(batch), count), tf.reshape(positions, [-1])
        pairs = {name: tf.gather(query[name], rows) for name in self.query_columns}
        return pairs | {name: item_at(name, flat) for name in self.item_columns}
