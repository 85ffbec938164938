"""How sure a mean over queries is, and a difference between two."""

from typing import Any, NamedTuple

import numpy as np

CELLS = 1 << 22


class PairedTest(NamedTuple):
    """Two systems on the same queries.

    Args:
        first: float. Mean of the first.
        second: float. Mean of the second.
        difference: float. First minus second.
        interval: (low, high). 95 % bootstrap interval of the difference.
        p_value: float. Two-sided: how often a difference so large comes about by chance alone.
    """

    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    p_value: float

    def cells(self) -> list[str]:
        """First, second, difference, interval and p-value, as a table shows them."""
        low, high = self.interval
        means = [f"{self.first:.4f}", f"{self.second:.4f}", f"{self.difference:+.4f}"]
        return [*means, f"[{low:+.4f}, {high:+.4f}]", f"{self.p_value:.4f}"]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
        return self._asdict() | {"interval": list(self.interval)}


def bootstrap_interval(values: np.ndarray, level: float = 0.95, samples: int = 1000, seed: int = 0) -> np.ndarray:
    """Percentile bootstrap interval of the mean over queries.

    Args:
        values: `(queries,)`, or `(queries, metrics)`: one set of resamples serves all.
        level: float in (0, 1). Defaults to 0.95.
        samples: int. Resamples of the queries. Defaults to 1000.
        seed: int. Defaults to 0.

    Returns:
        Low and high: `(2,)` or `(2, metrics)`.

    Raises:
        ValueError: no value, no resample, or a level outside (0, 1).

    Example:
        >>> bootstrap_interval(np.array([0.0, 1.0] * 50)).round(2).tolist()
        [0.4, 0.6]

    Reference: Efron, 1979; for retrieval Sakai, 2006, "Evaluating evaluation metrics based on the bootstrap"
    """
    if not len(values) or samples < 1 or not 0 < level < 1:
        raise ValueError(
            "bootstrap_interval() needs values, samples >= 1 and a level between 0 and 1. "
            f"Received {len(values)} values, samples={samples}, level={level}."
        )
    count = len(values)
    rng = np.random.default_rng(seed)
    means = []
    for chosen in _chunks(samples, count):
        drawn = rng.integers(count, size=(chosen, count)) + count * np.arange(chosen)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=chosen * count).reshape(chosen, count)
        means.append(weights @ values / count)
    return np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2], axis=0)


def paired_test(first: np.ndarray, second: np.ndarray, samples: int = 10_000, seed: int = 0) -> PairedTest:
    """Paired randomisation test of a difference in means.

    If the systems were alike, a query's two values could be swapped. So the sign of each difference is drawn at
    random, `samples` times; the p-value is the share of draws whose mean is as far from 0 as the one observed, which
    counts as a draw itself.

    Args:
        first: `(queries,)`.
        second: `(queries,)`. The same queries in the same order.
        samples: int. Defaults to 10,000: the smallest p-value is then 0.0001.
        seed: int. Defaults to 0.

    Raises:
        ValueError: the lengths differ, there is no query or no sample.

    Example:
        >>> test = paired_test(np.full(8, 0.6), np.full(8, 0.5))
        >>> round(test.difference, 2), 0.005 < test.p_value < 0.012  # 2 of the 2^8 signs are as extreme
        (0.1, True)

    Reference: Smucker et al., 2007, "A comparison of statistical significance tests for information retrieval
    evaluation"
    """
    rounding = max(np.finfo(values.dtype).eps if values.dtype.kind == "f" else 0 for values in (first, second))
    first, second = first.astype(np.float64), second.astype(np.float64)
    if first.shape != second.shape or first.ndim != 1 or not len(first) or samples < 1:
        raise ValueError(
            "paired_test() needs two arrays of one value a query and samples >= 1. "
            f"Received shapes {first.shape} and {second.shape}, samples={samples}."
        )
    differences = first - second
    observed = float(differences.mean())
    tie = max(1e-12, rounding) * (np.abs(first) + np.abs(second)).sum()
    moving = differences[differences != 0]
    rng = np.random.default_rng(seed)
    extreme = 0
    for chosen in _chunks(samples, len(moving)):
        signs = rng.integers(0, 2, size=(chosen, len(moving)), dtype=np.int8) * 2 - 1
        sums = signs @ moving
        extreme += int((np.abs(sums) >= abs(moving.sum()) - tie).sum())
    low, high = bootstrap_interval(differences, seed=seed).tolist()
    p_value = (extreme + 1) / (samples + 1)
    return PairedTest(float(first.mean()), float(second.mean()), observed, (low, high), p_value)


def _chunks(samples: int, width: int) -> list[int]:
    """The samples in parts of at most `CELLS` numbers."""
    size = max(1, CELLS // max(1, width))
    return [min(size, samples - start) for start in range(0, samples, size)]
