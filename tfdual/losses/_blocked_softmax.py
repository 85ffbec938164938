"""Cross-entropy of a positive among many candidates, a block of rows at a time, with its gradients."""

from collections.abc import Callable
from dataclasses import dataclass

from keras import ops

from tfdual._backend import sum_and_stack
from tfdual._typing import Tensor

BLOCK_ROWS = 256
BLOCK_SCORES = 2**24  # at most, 64 MiB
ALIGNED = 16  # products and softmax of whole vector registers are faster
LEAST_SHARE = 1e-30  # float32 still holds its logarithm


@dataclass(frozen=True)
class Negatives:
    """Which candidates are negatives of a row, and what is added to their scores. `own` or `places` is given."""

    bias: Tensor  # (candidates,); minus infinity: not there
    own: Tensor | None = None  # (batch,), the one candidate that is the row's own item
    places: tuple[Tensor, Tensor] | None = None  # (batch,), (candidates,): equal where it is the row's own item
    left_out: Tensor | None = None  # (pairs, 2), a row and a candidate, in the order of the rows
    hardest: int | None = None
    log_count: Tensor | None = None  # (candidates,), what is added once the hardest are chosen


def loss_and_gradients(
    query: Tensor, item: Tensor, candidates: Tensor, negatives: Negatives, log_probability: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Loss, and gradients by query, by item as the positive, and by the candidates; `weight` is `(batch, 1)`.

    Each row's positive has the last column of the scores, and a vector of zeros there. So it takes part in the softmax,
    and the products with the shares are those of the negatives alone. Columns between it and the candidates are empty.
    """
    rows, width = ops.shape(query)
    positive = ops.sum(query * item, axis=-1) - log_probability
    vectors = _fill(candidates, _spare(candidates), 0.0)  # (columns, dim)
    weighted = query * weight
    count, size = _blocks(rows, ops.shape(vectors)[0])
    own = negatives.own if negatives.places is None else negatives.places[0]
    cut = [_cut(part, count, size) for part in (query, weighted, positive, own)]
    scores_of = _scorer(vectors, negatives, count, size)

    def step(block: Tensor | int) -> tuple[Tensor, Tensor]:
        query, weighted, positive, own = (part[block] for part in cut)

        def scores() -> Tensor:
            return scores_of(block, query, positive, own)

        shares = ops.softmax(scores(), axis=-1)  # (block, columns)
        share = shares[:, -1]
        loss = ops.cond(
            ops.min(share) < LEAST_SHARE,
            lambda: ops.logsumexp(scores(), axis=-1) - positive,
            lambda: -ops.log(share),
        )
        of_rows = ops.concatenate([ops.matmul(shares, vectors), share[:, None], loss[:, None]], axis=1)
        return ops.matmul(ops.transpose(shares), weighted), of_rows

    by_vector, of_rows = sum_and_stack(step, count, ops.zeros_like(vectors))
    of_rows = ops.reshape(of_rows, (-1, width + 2))[:rows]
    loss = ops.sum(of_rows[:, -1:] * weight)
    missing = 1.0 - of_rows[:, -2:-1]
    return loss, (of_rows[:, :-2] - missing * item) * weight, -missing * weighted, by_vector[: ops.shape(candidates)[0]]


def _scorer(vectors: Tensor, negatives: Negatives, count: Tensor | int, size: Tensor | int) -> Callable:
    """A function that gives the scores of a block, `(block, columns)`; minus infinity: left out."""
    spare = _spare(negatives.bias)
    is_last = ops.concatenate([ops.zeros_like(vectors[1:, 0]), ops.ones((1,))], axis=0)
    bias = ops.where(is_last > 0, 0.0, _fill(negatives.bias, spare, -float("inf")))
    columns = ops.transpose(ops.concatenate([vectors, bias[:, None], is_last[:, None]], axis=1))
    places = None if negatives.places is None else _fill(negatives.places[1], spare, -1.0)
    log_count = None if negatives.log_count is None else _fill(negatives.log_count, spare, 0.0)[:-1]
    pairs_of = None if negatives.left_out is None else _pairs_by_block(negatives.left_out, count, size)

    def scores_of(block: Tensor | int, query: Tensor, positive: Tensor, own: Tensor) -> Tensor:
        scores = ops.matmul(ops.concatenate([query, ops.ones_like(query[:, :1]), positive[:, None]], axis=1), columns)
        if places is not None:
            scores = ops.where(ops.equal(own[:, None], places), -float("inf"), scores)
        else:
            scores = _without(scores, ops.stack([ops.arange(ops.shape(own)[0], dtype=own.dtype), own], axis=1))
        if pairs_of is not None:
            scores = _without(scores, pairs_of(block))
        return scores if negatives.hardest is None else _with_hardest(scores, negatives.hardest, log_count)

    return scores_of


def _pairs_by_block(left_out: Tensor, count: Tensor | int, size: Tensor | int) -> Callable:
    """A function that gives the pairs of a block, with its rows counted from 0."""
    starts = ops.arange(count + 1, dtype=left_out.dtype) * size
    bounds = ops.searchsorted(left_out[:, 0], starts)

    def pairs_of(block: Tensor | int) -> Tensor:
        pairs = left_out[bounds[block] : bounds[block + 1]]
        return ops.stack([pairs[:, 0] - starts[block], pairs[:, 1]], axis=1)

    return pairs_of


def _without(scores: Tensor, pairs: Tensor) -> Tensor:
    """Scores with minus infinity at the `pairs` of row and column."""
    return ops.scatter_update(scores, pairs, ops.full((ops.shape(pairs)[0],), -float("inf")))


def _with_hardest(scores: Tensor, hardest: int, log_count: Tensor | None) -> Tensor:
    """Scores with the hardest negatives of each row alone, and the positive in the last column."""
    others, positive = scores[:, :-1], scores[:, -1:]
    lowest = ops.top_k(others, _at_most(hardest, ops.shape(others)[1]))[0][:, -1:]
    others = ops.where(others < lowest, -float("inf"), others)
    return ops.concatenate([others if log_count is None else others + log_count, positive], axis=1)


def _blocks(rows: Tensor | int, columns: Tensor | int) -> tuple[Tensor | int, Tensor | int]:
    """How many blocks there are, and how many rows each has, at least one; they may hold more than `rows`."""
    size = _at_least(1, _at_most(BLOCK_ROWS, BLOCK_SCORES // columns))
    count = _at_least(1, -(-rows // size))
    return count, _at_least(1, -(-rows // count))


def _at_most(one: int, other: Tensor | int) -> Tensor | int:
    return min(one, other) if isinstance(other, int) else ops.minimum(one, other)


def _at_least(one: int, other: Tensor | int) -> Tensor | int:
    return max(one, other) if isinstance(other, int) else ops.maximum(one, other)


def _cut(values: Tensor, count: Tensor | int, size: Tensor | int) -> Tensor:
    """`(count, size, ...)`, with zeros after the last row."""
    values = _fill(values, count * size - ops.shape(values)[0], 0)
    return ops.reshape(values, (count, size, *values.shape[1:]))


def _spare(candidates: Tensor) -> Tensor | int:
    """How many columns come after the candidates, at least one."""
    return ALIGNED - ops.shape(candidates)[0] % ALIGNED


def _fill(values: Tensor, spare: Tensor | int, value: float) -> Tensor:
    """`values`, and after them `value`, `spare` times."""
    return ops.concatenate([values, ops.full((spare, *values.shape[1:]), value, values.dtype)], axis=0)
