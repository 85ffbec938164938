"""What is shown: how much of the corpus, how surprising, how popular."""

import numpy as np


def coverage(exposures: np.ndarray) -> float:
    """Share of the corpus that stands in some query's list.

    Args:
        exposures: int `(items,)`. In how many lists each item stands.

    Reference: Ge et al., 2010, "Beyond accuracy: evaluating recommender systems by coverage and serendipity"
    """
    return float((exposures > 0).mean())


def novelty(shown: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean self-information of the items in each list, in bits: `-log2 p(item)`.

    `p(item) = (count + 1) / (sum of counts + items)`, so that an item never seen in training has a finite value.

    Args:
        shown: int `(queries, k)`. Positions of items, -1 where a list is shorter.
        counts: `(items,)`. How often each item stands in the training rows.

    Returns:
        `(queries,)`; 0 for an empty list.

    Example:
        >>> novelty(np.array([[0, 1], [2, -1]]), np.array([4, 0, 1])).round(2).tolist()
        [1.84, 2.0]

    Reference: Zhou et al., 2010, "Solving the apparent diversity-accuracy dilemma of recommender systems"
    """
    return _mean_shown(shown, -np.log2((counts + 1) / (counts.sum() + len(counts))))


def average_popularity(shown: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean training count of the items in each list. Arguments and result as for `novelty`.

    Reference: Yin et al., 2012, "Challenging the long tail recommendation"
    """
    return _mean_shown(shown, counts)


def popularity_bias(shown: np.ndarray, relevant: np.ndarray) -> float:
    """How much more popular the shown items are than those that were relevant: `shown / relevant - 1`, of the means.

    0: as popular. 1: twice as popular. Below 0: less popular. This is the change in group average popularity (ΔGAP)
    with all queries as one group and their relevant items as profiles.

    Args:
        shown: `(queries,)`. `average_popularity` of what each query was shown.
        relevant: `(queries,)`. That of what was relevant.

    Returns:
        float; NaN where no relevant item stands in the training rows.

    Reference: Abdollahpouri et al., 2019, arXiv:1907.13286
    """
    expected = float(relevant.mean())
    return float(shown.mean()) / expected - 1.0 if expected else float("nan")


def _mean_shown(shown: np.ndarray, values: np.ndarray) -> np.ndarray:
    there = shown >= 0
    return np.asarray((values[shown] * there).sum(axis=1) / np.maximum(1, there.sum(axis=1)))
