"""Queries with lists of candidates as pairs, one a row, and what was found for the pairs as lists again."""

from collections.abc import Collection
from dataclasses import dataclass

import tensorflow as tf

from tfdual._backend import is_ragged, require_one_shape, rows_of_values
from tfdual._typing import Tensor

NOTHING = -float("inf")


@dataclass(frozen=True)
class CandidatePairs:
    """The columns of a batch, one pair a row.

    Args:
        columns: name -> `(pairs, ...)`.
        lists: what the items of the batch were: `(batch,)`, `(batch, candidates)`, or ragged.
    """

    columns: dict[str, Tensor]
    lists: Tensor | tf.RaggedTensor

    def as_lists(self, scores: Tensor) -> Tensor:
        """`(pairs,)` -> `(batch,)`, or `(batch, candidates)`, minus infinity behind the end of a ragged list."""
        if isinstance(self.lists, tf.RaggedTensor):
            return self.lists.with_values(scores).to_tensor(NOTHING)
        if len(self.lists.shape) == 1:
            return scores
        shape = tf.shape(self.lists)
        return tf.ensure_shape(tf.reshape(scores, shape), self.lists.shape)


def candidate_pairs(
    inputs: dict[str, Tensor], item: str, query_columns: Collection[str], item_columns: Collection[str]
) -> CandidatePairs:
    """Each query with each of its candidates.

    Args:
        inputs: query columns `(batch, ...)`; item columns `(batch, ...)`, or lists of candidates, `(batch, candidates,
            ...)`, dense or ragged.
        item: str. The item column, one value a candidate, that says which of these it is.
        query_columns: names.
        item_columns: names, `item` among them.

    Raises:
        ValueError: a column is missing; item columns are lists and no lists, or ragged and dense; their lists differ in
            length, which in a graph is TensorFlow's `InvalidArgumentError`.
    """
    if missing := [name for name in (*query_columns, *item_columns) if name not in inputs]:
        raise ValueError(f"The input lacks the columns {missing}. It has {sorted(inputs)}.")
    columns = {name: as_tensor(inputs[name]) for name in (*query_columns, *item_columns)}
    lists = columns[item]
    if len(lists.shape) == 1:
        return CandidatePairs(columns, lists)
    if len(lists.shape) != 2:
        raise ValueError(f"Items are (batch,), or lists (batch, candidates). '{item}' has the shape {lists.shape}.")
    rows = rows_of_values(lists)
    of_query = {name: tf.gather(columns[name], rows) for name in query_columns}
    return CandidatePairs(of_query | {name: _flat(name, columns[name], lists) for name in item_columns}, lists)


def as_tensor(values: Tensor) -> Tensor | tf.RaggedTensor:
    """Arrays as a tensor; ragged ones stay."""
    return values if isinstance(values, tf.RaggedTensor) else tf.convert_to_tensor(values)


def _flat(name: str, values: Tensor | tf.RaggedTensor, lists: Tensor | tf.RaggedTensor) -> Tensor | tf.RaggedTensor:
    """`(batch, candidates, ...)` -> `(pairs, ...)`."""
    ragged = is_ragged(values)
    if not values.shape[:2].is_compatible_with(lists.shape[:2]) or (is_ragged(lists) and not ragged):
        raise ValueError(
            f"Items come as lists of candidates {lists.shape}, and their column '{name}' as {values.shape}. Give one "
            "value a candidate, ragged where the items are."
        )
    if not ragged:
        return tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], axis=0))
    require_one_shape(
        lists if is_ragged(lists) else tf.RaggedTensor.from_tensor(lists),
        values.with_values(values.value_rowids()),
        f"The column {name} has lists of other lengths than the items. Give one value a candidate.",
    )
    return values.values
