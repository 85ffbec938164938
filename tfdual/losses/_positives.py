"""The pairs of each query in a blocked softmax: one, or several that share its negatives."""

from collections.abc import Callable

from keras import ops

from tfdual._row_blocks import Count, bounds, cut
from tfdual._typing import Tensor

LEAST_SHARE = 1e-30  # float32 still holds its logarithm
ROUNDING = 3e-7  # of a share that is 1; an optimiser that scales gradients would move weights by it
Weigh = Callable[[Count, Tensor, Tensor], Tensor]


class OneEach:
    """Pair i has query i.

    Args:
        score: `(pairs,)`, of the positives.
        weight: `(pairs,)`.
    """

    def __init__(self, score: Tensor, weight: Tensor) -> None:
        self.lowest, self._weight = score, weight

    def of_queries(self, values: Tensor) -> Tensor:
        """What the queries hold, for each pair."""
        return values

    def to_queries(self, values: Tensor) -> Tensor:
        """What the pairs hold, summed for each query."""
        return values

    def weigher(self, count: Count, size: Count) -> Weigh:
        """A function of block, share and loss: how much the negatives' shares of its queries count, `(size,)`."""
        weight = cut(self._weight, count, size)
        return lambda block, share, loss: weight[block]

    def loss_and_missing(self, share: Tensor, loss: Tensor) -> tuple[Tensor, Tensor]:
        """Of each pair, the loss, and what its positive lacks of a share of 1."""
        return loss, _missing(share)


class Shared:
    """Several pairs have one query, and none of their items is its negative.

    A softmax over the negatives and the lowest positive of a query says how large the negatives are together; so each
    pair has its own loss, and needs no row of scores of its own.

    Args:
        score: `(pairs,)`, of the positives.
        weight: `(pairs,)`.
        query_of: int `(pairs,)`, which query each pair has.
        queries: how many there are; each has a pair.
    """

    def __init__(self, score: Tensor, weight: Tensor, query_of: Tensor, queries: Count) -> None:
        self._score, self._weight, self._query_of, self._queries = score, weight, query_of, queries
        self.lowest = -ops.segment_max(-score, query_of, queries)

    def of_queries(self, values: Tensor) -> Tensor:
        """What the queries hold, for each pair."""
        return ops.take(values, self._query_of, axis=0)

    def to_queries(self, values: Tensor) -> Tensor:
        """What the pairs hold, summed for each query."""
        return ops.segment_sum(values, self._query_of, self._queries)

    def weigher(self, count: Count, size: Count) -> Weigh:
        """A function of block, share and loss: how much the negatives' shares of its queries count, `(size,)`."""
        order = ops.argsort(self._query_of)
        parts = (self._query_of, self._score - self.of_queries(self.lowest), self._weight)
        query_of, lead, weight = (ops.take(part, order, axis=0) for part in parts)
        starts, ends = bounds(query_of, count, size)

        def weigh(block: Count, share: Tensor, loss: Tensor) -> Tensor:
            part = slice(ends[block], ends[block + 1])
            rows = query_of[part] - starts[block]
            missing = ops.sigmoid(ops.take(_log_odds(share, loss), rows) - lead[part])
            return ops.segment_sum(weight[part] * missing, rows, size) / _rest(share)

        return weigh

    def loss_and_missing(self, share: Tensor, loss: Tensor) -> tuple[Tensor, Tensor]:
        """Of each pair, the loss, and what its positive lacks of a share of 1."""
        log_odds = self.of_queries(_log_odds(share, loss) + self.lowest) - self._score
        return ops.softplus(log_odds), ops.sigmoid(log_odds)


def _missing(share: Tensor) -> Tensor:
    """What a share lacks of 1."""
    missing = 1.0 - share
    return ops.where(missing < ROUNDING, 0.0, missing)


def _rest(share: Tensor) -> Tensor:
    """What the negatives have together."""
    return ops.maximum(_missing(share), LEAST_SHARE)


def _log_odds(share: Tensor, loss: Tensor) -> Tensor:
    """Logarithm of what the negatives have together, over the share of the lowest positive."""
    return loss + ops.log(_rest(share))
