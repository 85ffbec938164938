"""Softmax over the items of the batch, in blocks of rows."""

from keras import ops

from tfdual._typing import Tensor

BLOCK_ROWS = 256
BLOCKS_OF_UNKNOWN_BATCH = 16


def in_batch_softmax(
    query: Tensor,
    item: Tensor,
    item_ids: Tensor | None = None,
    log_probability: Tensor | None = None,
    sample_weight: Tensor | None = None,
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

    Returns:
        A scalar, float32.

    Reference: Yi et al., 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations"
    """
    query, item = ops.cast(query, "float32"), ops.cast(item, "float32")
    rows = ops.shape(query)[0]
    weight = ops.ones((rows,), "float32") if sample_weight is None else ops.cast(sample_weight, "float32")
    weight = weight / ops.maximum(ops.sum(weight), 1e-12)
    offset = ops.zeros((rows,)) if log_probability is None else ops.stop_gradient(ops.cast(log_probability, "float32"))
    places = None if item_ids is None else _first_places(item_ids)
    bounds = _bounds(query.shape[0], rows)

    @ops.custom_gradient
    def blocked(query: Tensor, item: Tensor) -> tuple:
        positive = ops.sum(query * item, axis=-1) - offset
        weighted = query * weight[:, None]
        columns = ops.concatenate([item, -offset[:, None]], axis=1)  # (batch, dim + 1)
        queries = ops.concatenate([query, ops.ones_like(offset)[:, None]], axis=1)
        losses, query_gradients, item_gradient = [], [], -weighted
        for start, stop in bounds:
            scores = ops.matmul(queries[start:stop], ops.transpose(columns))  # (block, batch)
            if places is not None:
                scores = _without_accidental_hits(scores, positive, places, start, stop)
            shares = ops.softmax(scores, axis=-1)
            total = ops.max(scores, axis=1) - ops.log(ops.max(shares, axis=1))  # logarithm of the denominator
            losses.append(ops.sum((total - positive[start:stop]) * weight[start:stop]))
            query_gradients.append(ops.matmul(shares, item))
            item_gradient = item_gradient + ops.matmul(ops.transpose(shares), weighted[start:stop])
        query_gradient = (ops.concatenate(query_gradients, axis=0) - item) * weight[:, None]

        def gradient(*arguments: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
            upstream = arguments[0] if upstream is None else upstream
            return upstream * query_gradient, upstream * item_gradient

        return sum(losses), gradient

    return blocked(query, item)


def _bounds(static_rows: int | None, rows: Tensor) -> list[tuple]:
    """First and last row of each block; of equal size where the batch is only known when it runs."""
    if static_rows is None:
        count = BLOCKS_OF_UNKNOWN_BATCH
        return [(rows * i // count, rows * (i + 1) // count) for i in range(count)]
    return [(start, min(start + BLOCK_ROWS, static_rows)) for start in range(0, static_rows, BLOCK_ROWS)]


def _first_places(ids: Tensor) -> Tensor:
    """A number below the batch for each distinct id, exact in float32, which compares faster than int64: `(batch,)`."""
    return ops.cast(ops.searchsorted(ops.sort(ids), ids), "float32")


def _without_accidental_hits(scores: Tensor, positive: Tensor, places: Tensor, start: Tensor, stop: Tensor) -> Tensor:
    """Scores of a block, without the columns that hold the row's item at another place."""
    scores = ops.where(ops.equal(places[start:stop, None], places), -float("inf"), scores)
    own = ops.stack([ops.arange(stop - start), ops.arange(start, stop)], axis=1)
    return ops.scatter_update(scores, own, positive[start:stop])
