"""Cross-entropy of a positive among many candidates, a block of queries at a time, with its gradients."""

from collections.abc import Callable
from dataclasses import dataclass

from keras import ops

from tfdual._backend import sum_and_stack
from tfdual._row_blocks import Count, at_most, bounds, cut, divided, fill
from tfdual._typing import Tensor
from tfdual.losses._positives import LEAST_SHARE, OneEach, Shared

BLOCK_ROWS = 256
BLOCK_SCORES = 2**24  # at most, 64 MiB
ALIGNED = 16  # products and softmax of whole vector registers are faster


@dataclass(frozen=True)
class Negatives:
    """Which candidates are negatives of a query, and what is added to their scores.

    At most one of `own` and `places` is given; with neither, `left_out` alone says what is no negative.
    """

    bias: Tensor  # (candidates,); minus infinity: not there
    own: Tensor | None = None  # (queries,), the one candidate that is the query's own item
    places: tuple[Tensor, Tensor] | None = None  # (queries,), (candidates,): equal where it is the query's own item
    left_out: Tensor | None = None  # (pairs, 2), a query and a candidate, in the order of the queries
    hardest: int | None = None  # of all candidates but the last ones
    log_count: Tensor | None = None  # (candidates,), what is added once the hardest are chosen
    batch_rows: tuple[Tensor, Tensor] | None = None  # (queries,), (candidates,), int32: a negative if equal, or -1
    always: Count = 0  # how many candidates, the last ones, are there whatever `hardest` says


def loss_and_gradients(
    query: Tensor, item: Tensor, candidates: Tensor, negatives: Negatives, pairs: OneEach | Shared, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Loss, and gradients by query, by item as the positive, and by the candidates; `weight` is `(pairs,)`.

    The lowest positive of each query has the last column of the scores, and a vector of zeros there. So it takes part
    in the softmax, and the products with the shares are those of the negatives alone. Columns between it and the
    candidates are empty.
    """
    queries, width = ops.shape(query)
    vectors = fill(candidates, _spare(candidates), 0.0)  # (columns, dim)
    count, size = divided(queries, at_most(BLOCK_ROWS, BLOCK_SCORES // ops.shape(vectors)[0]))
    in_blocks = cut(query, count, size), cut(pairs.lowest, count, size)
    scores_of, weigh = _scorer(vectors, negatives, count, size), pairs.weigher(count, size)

    def step(block: Count) -> tuple[Tensor, Tensor]:
        query, positive = (part[block] for part in in_blocks)
        shares = ops.softmax(scores_of(block, query, positive), axis=-1)  # (size, columns)
        share = shares[:, -1]
        loss = ops.cond(
            ops.min(share) < LEAST_SHARE,
            lambda: ops.logsumexp(scores_of(block, query, positive), axis=-1) - positive,
            lambda: -ops.log(share),
        )
        counted = weigh(block, share, loss)[:, None]
        of_queries = ops.concatenate([ops.matmul(shares, vectors) * counted, share[:, None], loss[:, None]], axis=1)
        return ops.matmul(ops.transpose(shares), query * counted), of_queries

    by_vector, of_queries = sum_and_stack(step, count, ops.zeros_like(vectors))
    of_queries = ops.reshape(of_queries, (-1, width + 2))[:queries]
    loss, missing = pairs.loss_and_missing(of_queries[:, -2], of_queries[:, -1])
    pulled = (missing * weight)[:, None]
    by_query = of_queries[:, :-2] - pairs.to_queries(pulled * item)
    by_item = -pulled * pairs.of_queries(query)
    return ops.sum(loss * weight), by_query, by_item, by_vector[: ops.shape(candidates)[0]]


def _scorer(vectors: Tensor, negatives: Negatives, count: Count, size: Count) -> Callable:
    """A function of block, queries and positives: their scores, `(size, columns)`; minus infinity: left out."""
    spare = _spare(negatives.bias)
    is_last = ops.concatenate([ops.zeros_like(vectors[1:, 0]), ops.ones((1,))], axis=0)
    bias = ops.where(is_last > 0, 0.0, fill(negatives.bias, spare, -float("inf")))
    columns = ops.transpose(ops.concatenate([vectors, bias[:, None], is_last[:, None]], axis=1))
    without_own, without_others = _without_own(negatives, count, size), _without_others(negatives, count, size)
    log_count = None if negatives.log_count is None else fill(negatives.log_count, spare, 0.0)
    among = ops.shape(negatives.bias)[0] - negatives.always
    pairs_of = None if negatives.left_out is None else _pairs_by_block(negatives.left_out, count, size)

    def scores_of(block: Count, query: Tensor, positive: Tensor) -> Tensor:
        scores = ops.matmul(ops.concatenate([query, ops.ones_like(query[:, :1]), positive[:, None]], axis=1), columns)
        scores = without_others(without_own(scores, block), block)
        if pairs_of is not None:
            scores = _without(scores, pairs_of(block))
        return scores if negatives.hardest is None else _with_hardest(scores, negatives.hardest, among, log_count)

    return scores_of


def _without_own(negatives: Negatives, count: Count, size: Count) -> Callable:
    """A function of scores and block: the scores with minus infinity at the queries' own items."""
    if negatives.places is not None:
        own = cut(negatives.places[0], count, size)
        places = fill(negatives.places[1], _spare(negatives.bias), -1.0)
        return lambda scores, block: ops.where(ops.equal(own[block][:, None], places), -float("inf"), scores)
    if negatives.own is not None:
        own = cut(negatives.own, count, size)
        rows = ops.arange(size, dtype=own.dtype)
        return lambda scores, block: _without(scores, ops.stack([rows, own[block]], axis=1))
    return lambda scores, block: scores


def _without_others(negatives: Negatives, count: Count, size: Count) -> Callable:
    """A function of scores and block: the scores with minus infinity at what another batch row's queries have alone."""
    if negatives.batch_rows is None:
        return lambda scores, block: scores
    of_queries = cut(negatives.batch_rows[0], count, size)
    of_candidates = fill(negatives.batch_rows[1], _spare(negatives.bias), -1)

    def without(scores: Tensor, block: Count) -> Tensor:
        own = ops.equal(of_queries[block][:, None], of_candidates)
        return ops.where(ops.logical_or(own, of_candidates < 0), scores, -float("inf"))

    return without


def _pairs_by_block(left_out: Tensor, count: Count, size: Count) -> Callable:
    """A function that gives the pairs of a block, with its queries counted from 0."""
    starts, ends = bounds(left_out[:, 0], count, size)

    def pairs_of(block: Count) -> Tensor:
        pairs = left_out[ends[block] : ends[block + 1]]
        return ops.stack([pairs[:, 0] - starts[block], pairs[:, 1]], axis=1)

    return pairs_of


def _without(scores: Tensor, pairs: Tensor) -> Tensor:
    """Scores with minus infinity at the `pairs` of row and column."""
    return ops.scatter_update(scores, pairs, ops.full((ops.shape(pairs)[0],), -float("inf")))


def _with_hardest(scores: Tensor, hardest: int, among: Count, log_count: Tensor | None) -> Tensor:
    """Scores with the hardest of each row's first ones, `among` so many, and all that come after these."""
    first, others = scores[:, :among], scores[:, among:]
    lowest = ops.top_k(first, at_most(hardest, among))[0][:, -1:]
    scores = ops.concatenate([ops.where(first < lowest, -float("inf"), first), others], axis=1)
    return scores if log_count is None else scores + log_count


def _spare(candidates: Tensor) -> Count:
    """How many columns come after the candidates, at least one."""
    return ALIGNED - ops.shape(candidates)[0] % ALIGNED
