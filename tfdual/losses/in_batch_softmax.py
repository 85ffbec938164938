"""Softmax over the items of the batch, in blocks of rows."""

from dataclasses import dataclass

from keras import ops

from tfdual._backend import distinct_rows
from tfdual._typing import Tensor

BLOCK_ROWS = 256
BLOCKS_OF_UNKNOWN_BATCH = 16


def in_batch_softmax(
    query: Tensor,
    item: Tensor,
    item_ids: Tensor | None = None,
    log_probability: Tensor | None = None,
    sample_weight: Tensor | None = None,
    distinct: bool = False,
) -> Tensor:
    """Mean cross-entropy of each query's own item among all items of the batch.

    `score[b, j] = query[b] . item[j] - log_probability[j]`, left out where `item_ids` says that item `j` is the
    positive of row `b`, at another place. `loss[b] = logsumexp_j(score[b]) - score[b, b]`.

    The `batch x batch` matrix never exists: rows are taken in blocks, and the gradient is computed in the same pass.
    Sums are in float32.

    Args:
        query: `(batch, dim)`, already divided by the temperature.
        item: `(batch, dim)`; row `b` is the positive of query `b`.
        item_ids: int `(batch,)`. Which rows hold the same item. Defaults to `None`: no accidental hit is masked.
        log_probability: `(batch,)`, natural logarithm of the probability that an item is in the batch, up to a
            constant. Defaults to `None`: no correction.
        sample_weight: `(batch,)`. Defaults to `None`: 1 each.
        distinct: bool. Score an item that stands `n` times in the batch once as a negative, by its first row, and
            count it `n` times. Where rows of one id have one embedding, the result is the same, and faster the
            more often items repeat. TensorFlow backend only. Defaults to `False`.

    Returns:
        A scalar, float32.

    Raises:
        ValueError: `distinct` without `item_ids`.

    Reference: Yi et al., 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations"
    """
    if distinct and item_ids is None:
        raise ValueError("distinct=True needs item_ids, to know which rows hold the same item. Received none.")
    query, item = ops.cast(query, "float32"), ops.cast(item, "float32")
    rows = ops.shape(query)[0]
    weight = ops.ones((rows,), "float32") if sample_weight is None else ops.cast(sample_weight, "float32")
    weight = weight / ops.maximum(ops.sum(weight), 1e-12)
    offset = ops.zeros((rows,)) if log_probability is None else ops.stop_gradient(ops.cast(log_probability, "float32"))
    candidates = _distinct_items(item_ids, offset) if distinct else _all_rows(item_ids, offset)

    @ops.custom_gradient
    def blocked(query: Tensor, item: Tensor) -> tuple:
        loss, query_gradient, item_gradient = _loss_and_gradients(query, item, candidates, offset, weight[:, None])

        def gradient(*arguments: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
            upstream = arguments[0] if upstream is None else upstream
            return upstream * query_gradient, upstream * item_gradient

        return loss, gradient

    return blocked(query, item)


@dataclass(frozen=True)
class _Candidates:
    """What the queries are scored against."""

    own: Tensor  # (batch,), which candidate is the row's own item
    bias: Tensor  # (candidates,), what is added to their scores
    first: Tensor | None = None  # (candidates,), the row that stands for each; None: each row is one
    repeats: Tensor | None = None  # (batch,), equal where rows hold one item; None: nothing is to be masked


def _all_rows(item_ids: Tensor | None, offset: Tensor) -> _Candidates:
    """Every row's item. Repeats are marked by float32 places below the batch size, which compare faster than int64."""
    repeats = None if item_ids is None else ops.cast(ops.searchsorted(ops.sort(item_ids), item_ids), "float32")
    return _Candidates(ops.arange(ops.shape(offset)[0]), -offset, repeats=repeats)


def _distinct_items(item_ids: Tensor, offset: Tensor) -> _Candidates:
    """Every item once, by its first row; `n` rows of it add `log(n)` to its score."""
    first, own, counts = distinct_rows(item_ids)
    return _Candidates(own, ops.log(ops.cast(counts, "float32")) - ops.take(offset, first), first)


def _loss_and_gradients(
    query: Tensor, item: Tensor, candidates: _Candidates, offset: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, gradient by query and gradient by item, in one pass over blocks of rows. `weight` is `(batch, 1)`."""
    first, own, repeats = candidates.first, candidates.own, candidates.repeats
    vectors = item if first is None else ops.take(item, first, axis=0)  # (candidates, dim)
    columns = ops.transpose(ops.concatenate([vectors, candidates.bias[:, None]], axis=1))
    queries = ops.concatenate([query, ops.ones_like(query[:, :1])], axis=1)
    positive = ops.sum(query * item, axis=-1) - offset
    weighted = query * weight
    totals, query_gradients, vector_gradient = [], [], ops.zeros_like(vectors)
    for start, stop in _bounds(query.shape[0], ops.shape(query)[0]):
        scores = ops.matmul(queries[start:stop], columns)  # (block, candidates)
        if repeats is not None:
            scores = ops.where(ops.equal(repeats[start:stop, None], repeats), -float("inf"), scores)
        scores = _with_positive(scores, positive[start:stop], own[start:stop])
        shares = ops.softmax(scores, axis=-1)
        totals.append(ops.max(scores, axis=1) - ops.log(ops.max(shares, axis=1)))  # log of the denominator
        query_gradients.append(ops.matmul(shares, vectors))
        vector_gradient = vector_gradient + ops.matmul(ops.transpose(shares), weighted[start:stop])
    total, query_gradient = ops.concatenate(totals, axis=0), ops.concatenate(query_gradients, axis=0)
    item_gradient = vector_gradient
    if first is not None:  # the share of the own item belongs to its row, not to the first row of its id
        share = ops.exp(positive - total)[:, None]
        query_gradient = query_gradient + share * (item - ops.take(vectors, own, axis=0))
        others = vector_gradient - ops.segment_sum(share * weighted, own, ops.shape(vectors)[0])
        item_gradient = ops.scatter(first[:, None], others, ops.shape(item)) + share * weighted
    loss = ops.sum((total - positive) * weight[:, 0])
    return loss, (query_gradient - item) * weight, item_gradient - weighted


def _bounds(static_rows: int | None, rows: Tensor) -> list[tuple]:
    """First and last row of each block; of equal size where the batch is only known when it runs."""
    if static_rows is None:
        count = BLOCKS_OF_UNKNOWN_BATCH
        return [(rows * i // count, rows * (i + 1) // count) for i in range(count)]
    return [(start, min(start + BLOCK_ROWS, static_rows)) for start in range(0, static_rows, BLOCK_ROWS)]


def _with_positive(scores: Tensor, positive: Tensor, own: Tensor) -> Tensor:
    """Scores of a block, with each row's positive in the column of its own item."""
    rows = ops.arange(ops.shape(scores)[0], dtype=own.dtype)
    return ops.scatter_update(scores, ops.stack([rows, own], axis=1), positive)
