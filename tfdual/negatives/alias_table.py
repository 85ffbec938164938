"""Draws from any distribution in the time of two random numbers."""

import numpy as np


def alias_table(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tables to draw `i` with probability `weights[i] / sum(weights)`.

    Draw a place `i` uniformly and `u` in [0, 1): the outcome is `i` if `u < accept[i]`, else `alias[i]`.

    Places of less than the mean weight are light, those of more are heavy; one of the mean itself is left alone. In the
    order of places, each light one is filled up by the first heavy one that has some left; a heavy one that sinks below
    the mean is filled up by the next heavy one. Cumulative sums of what the light ones lack and of what the heavy ones
    have beyond the mean say which that is, without a loop.

    Args:
        weights: float64 `(n,)`, at least 0, at least one above 0.

    Returns:
        `accept`, float32 `(n,)`, and `alias`, int32 `(n,)`.

    Reference: Walker, 1977; Vose, 1991, "A linear algorithm for generating random numbers with a given distribution";
    Hübschle-Schneider and Sanders, 2019, "Parallel weighted random sampling"
    """
    scaled = weights * (len(weights) / weights.sum())
    accept, alias = np.ones(len(weights), np.float32), np.arange(len(weights), dtype=np.int32)
    light, heavy = np.flatnonzero(scaled < 1), np.flatnonzero(scaled > 1)
    if not len(light) or not len(heavy):
        return accept, alias
    lacking, beyond = np.cumsum(1 - scaled[light]), np.cumsum(scaled[heavy] - 1)
    last = len(heavy) - 1
    before = np.concatenate([[0.0], lacking[:-1]])
    accept[light] = scaled[light]
    alias[light] = heavy[np.minimum(np.searchsorted(beyond, before, side="right"), last)]
    sinks_at = np.minimum(np.searchsorted(lacking, beyond[:last]), len(light) - 1)
    accept[heavy[:last]] = np.clip(1 - (lacking[sinks_at] - beyond[:last]), 0, 1)
    alias[heavy[:last]] = heavy[1:]
    return accept, alias
