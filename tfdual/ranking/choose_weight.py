"""The weights of two lists, chosen on queries whose answers are known."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfdual.index import Neighbours
from tfdual.metrics import ndcg
from tfdual.ranking.rank_fusion import weighted_fusion
from tfdual.ranking.ranked_ids import check_one_type, ranked_ids

Metric = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


class WeightChoice(NamedTuple):
    """The best weights of two lists, and what was tried.

    Args:
        weights: pair of float that sum to 1.
        means: weight of the first list -> mean of the metric.
    """

    weights: tuple[float, float]
    means: dict[float, float]


def choose_weight(
    first: Neighbours,
    second: Neighbours,
    relevant: Sequence[Sequence[Any]],
    metric: Metric = ndcg,
    k: int = 10,
    normalise: str | None = "min-max",
    minimums: Sequence[float | None] | None = None,
    steps: int = 20,
) -> WeightChoice:
    """Try the weights 0, 1 / steps, ..., 1 of the first list in `weighted_fusion`, the rest being the second's.

    Choose on validation queries, and measure on others.

    Args:
        first: ids and scores of the first list, `(queries, depth)`.
        second: those of the second, of the same queries.
        relevant: for each query the ids that are relevant, at least one.
        metric: from gains, numbers of relevant items and k to values a query, such as `tfdual.metrics.recall`. Defaults
            to `ndcg`.
        k: int. Where the fused list is cut. Defaults to 10.
        normalise: as for `weighted_fusion`. Defaults to `"min-max"`.
        minimums: as for `weighted_fusion`. Defaults to `None`.
        steps: int. Defaults to 20.

    Returns:
        `WeightChoice(weights, means)`. Among weights with equal means, the one nearest to one half.

    Raises:
        ValueError: k or steps below 1; not a list of relevant ids for each query, or an empty one; and as for
            `weighted_fusion`.
        TypeError: ids of different types, among the lists or the relevant ones.

    Example:
        >>> vectors = Neighbours([[7, 8, 9]], [[0.9, 0.8, 0.1]])
        >>> words = Neighbours([[9, 8, -1]], [[20.0, 5.0, -np.inf]])
        >>> choose_weight(vectors, words, [[8]], k=1, minimums=[-1.0, 0.0], steps=10).weights
        (0.7, 0.3)
    """
    if k < 1 or steps < 1:
        raise ValueError(f"k and steps are at least 1. Received {k=}, {steps=}.")
    if len(relevant) != len(first[0]) or not len(relevant) or not all(map(len, relevant)):
        raise ValueError(
            f"Each of the {len(first[0])} queries has relevant ids. Received {len(relevant)} lists, the shortest of "
            f"{min(map(len, relevant), default=0)}. Leave out queries without any."
        )
    answers = [ranked_ids(list(ids)) for ids in relevant]
    check_one_type([ranked_ids(first[0]), ranked_ids(second[0]), *answers])
    wanted = [frozenset(ids.tolist()) for ids in answers]
    counts = np.array([len(ids) for ids in wanted])
    means: dict[float, float] = {}
    for step in range(steps + 1):
        weight = round(step / steps, 10)
        ids, _ = weighted_fusion([first, second], [weight, 1 - weight], normalise, minimums, k)
        gains = np.zeros((len(ids), k))
        hits = [[item in right for item in row] for row, right in zip(ids.tolist(), wanted, strict=True)]
        gains[:, : ids.shape[1]] = hits
        means[weight] = float(metric(gains, counts, k).mean())
    best = max(means.values())
    weight = min((weight for weight, mean in means.items() if mean == best), key=lambda weight: abs(weight - 0.5))
    return WeightChoice((weight, round(1 - weight, 10)), means)
