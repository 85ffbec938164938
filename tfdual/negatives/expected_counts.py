"""How often an item is expected among the candidates of a query, in natural logarithms."""

from collections.abc import Sequence
from functools import reduce

from keras import ops

from tfdual._typing import Tensor


def log_of_sum(log_counts: Sequence[Tensor]) -> Tensor:
    """`log(sum_s exp(log_counts[s]))`, -inf where all are."""
    return reduce(ops.logaddexp, log_counts)


def log_of_one_more(log_count: Tensor) -> Tensor:
    """`log(1 + exp(log_count))`: an item that is there for certain, and may come once more."""
    return ops.logaddexp(log_count, ops.zeros_like(log_count))


def all_finite(log_counts: Sequence[Tensor]) -> list[Tensor]:
    """The same, with the smallest finite number of them all in place of -inf; 0 where none is finite.

    An item that no source gives would get an infinite score. It is taken for as rare as the rarest of the step.
    """
    joined = ops.concatenate(list(log_counts))
    smallest = ops.min(ops.where(ops.isfinite(joined), joined, float("inf")), initial=float("inf"))
    smallest = ops.where(ops.isfinite(smallest), smallest, 0.0)
    return [ops.where(ops.isfinite(log_count), log_count, smallest) for log_count in log_counts]
