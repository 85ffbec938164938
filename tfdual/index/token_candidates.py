"""From the tokens that a query's vectors found to items that are worth an exact score."""

import tensorflow as tf

from tfdual._typing import Tensor

NOTHING = -1


def candidate_items(items: Tensor, scores: Tensor, count: Tensor) -> Tensor:
    """The items of the highest rough scores, int32 `(batch, at most count)`; -1 where there are fewer.

    A rough score is the sum over the query's vectors of the best token of the item that was found by it, or where none
    was, of the last token that was: what is missing scores no higher.

    Args:
        items: int32 `(batch, vectors, n)`. Which items the tokens found are of, best first; -1 is none.
        scores: float32 `(batch, vectors, n)`.
        count: int32 scalar.

    Reference: on scores of what is missing, Lee et al., 2023, "XTR", arXiv:2304.01982
    """
    batch, width = tf.shape(items)[0], tf.shape(items)[1] * tf.shape(items)[2]
    found = scores > -float("inf")
    last = tf.reduce_min(tf.where(found, scores, float("inf")), axis=2, keepdims=True)
    above = tf.where(found & (items >= 0), scores - last, 0.0)
    items, above = _ordered(items, above)
    again = tf.pad(tf.equal(items[:, :, 1:], items[:, :, :-1]), [[0, 0], [0, 0], [1, 0]])
    above = tf.where(again, 0.0, above)  # the best token of an item comes first
    items, above = _ordered(tf.reshape(items, [batch, width]), tf.reshape(above, [batch, width]))
    begins = tf.reshape(tf.pad(tf.not_equal(items[:, 1:], items[:, :-1]), [[0, 0], [1, 0]], constant_values=True), [-1])
    begins = begins[: batch * width]  # a row of no item has no beginning
    sums = tf.math.segment_sum(tf.reshape(above, [-1]), tf.cumsum(tf.cast(begins, tf.int32)) - 1)
    heads = tf.cast(tf.where(begins)[:, 0], tf.int32)
    distinct = tf.gather(tf.reshape(items, [-1]), heads)
    rough = tf.where(distinct < 0, -float("inf"), sums)
    rows = heads // tf.maximum(width, 1)
    rough, distinct = (
        tf.RaggedTensor.from_value_rowids(values, rows, tf.cast(batch, rows.dtype), validate=False).to_tensor(filling)
        for values, filling in ((rough, -float("inf")), (distinct, NOTHING))
    )
    best, places = tf.math.top_k(rough, tf.minimum(count, tf.shape(rough)[1]))
    return tf.where(tf.equal(best, -float("inf")), NOTHING, tf.gather(distinct, places, batch_dims=1))


def _ordered(items: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Both by item; those of one item stay in their order."""
    order = tf.argsort(items, axis=-1, stable=True)
    return tuple(tf.gather(values, order, batch_dims=items.shape.rank - 1) for values in (items, scores))
