"""Softmax over the items of the batch, in blocks of rows."""

from keras import ops

from tfdual._typing import Tensor

BLOCK_ROWS = 512
BLOCKS_OF_UNKNOWN_BATCH = 8


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
    offset = None if log_probability is None else ops.stop_gradient(ops.cast(log_probability, "float32"))
    bounds = _bounds(query.shape[0], rows)

    @ops.custom_gradient
    def blocked(query: Tensor, item: Tensor) -> tuple:
        losses, query_gradients, item_gradient = [], [], -(query * weight[:, None])
        for start, stop in bounds:
            loss, shares = _block(query, item, item_ids, offset, start, stop)
            part = weight[start:stop]
            shares = shares * part[:, None]  # (block, batch)
            losses.append(ops.sum(loss * part))
            query_gradients.append(ops.matmul(shares, item) - item[start:stop] * part[:, None])
            item_gradient = item_gradient + ops.matmul(ops.transpose(shares), query[start:stop])
        query_gradient = ops.concatenate(query_gradients, axis=0)

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


def _block(
    query: Tensor, item: Tensor, item_ids: Tensor | None, offset: Tensor | None, start: Tensor, stop: Tensor
) -> tuple[Tensor, Tensor]:
    """Loss of each row of a block, and the softmax of its scores: `(block,)`, `(block, batch)`."""
    scores = ops.matmul(query[start:stop], ops.transpose(item))  # (block, batch)
    positive = ops.sum(query[start:stop] * item[start:stop], axis=-1)
    if offset is not None:
        scores = scores - offset[None, :]
        positive = positive - offset[start:stop]
    if item_ids is not None:
        columns, own = ops.arange(ops.shape(item)[0]), ops.arange(start, stop)
        same = ops.equal(item_ids[None, :], item_ids[start:stop, None])
        hit = ops.logical_and(same, ops.not_equal(columns[None, :], own[:, None]))
        scores = ops.where(hit, -float("inf"), scores)
    largest = ops.max(scores, axis=1, keepdims=True)
    exponents = ops.exp(scores - largest)
    total = ops.sum(exponents, axis=1, keepdims=True)
    return ops.log(total[:, 0]) + largest[:, 0] - positive, exponents / total
