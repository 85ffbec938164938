"""Leaves and reordering for a wanted recall."""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdual.index.recall import K, recall_between
from tfdual.index.scann_searcher import ScannSearcher

REORDERS = (20, 30, 50, 75, 100, 150, 250, 400, 700, 1200)
TIMED_SECONDS = 0.25
STEP = 1.5


class TuningPoint(NamedTuple):
    """One setting, and what it gave on the tuning queries.

    Args:
        leaves_to_search: int.
        reorder: int. Items scored exactly a query.
        recall: float. Share of the exact top 10 that was found.
        queries_per_second: float. In Python, with all threads.
    """

    leaves_to_search: int
    reorder: int
    recall: float
    queries_per_second: float


class ScannTuning:
    """Measure settings on one half of the queries; what is chosen is measured on the other half.

    Args:
        searcher: ScannSearcher.
        queries: float32 `(queries, dim)`, prepared.
        exact: int `(queries, at most 10)`. The exact positions.
    """

    def __init__(self, searcher: ScannSearcher, queries: np.ndarray, exact: np.ndarray) -> None:
        self._searcher = searcher
        self._halves = [(tf.constant(queries[i::2]), exact[i::2]) for i in (0, 1)]
        if len(queries) < 2:
            self._halves = [self._halves[0]] * 2
        self._recalls: dict[tuple[int, int], float] = {}
        self._points: dict[tuple[int, int], TuningPoint] = {}

    def choose(self, target: float, leaves: int | None, reorder: int | None) -> tuple[int, int]:
        """The fastest setting that reaches the target: leaves to search, and how many to reorder.

        Args:
            target: float.
            leaves: int. The leaves to search, if they are given. None: to be found.
            reorder: int. How many to reorder, if given.
        """
        reached = []
        reorders = REORDERS if reorder is None else (reorder,)
        for wide in reorders:
            count = self._fewest(partial(self._is_enough, wide, target)) if leaves is None else leaves
            if self._is_enough(wide, target, count):
                reached.append((count, wide))
        points = sorted(self.measure(reached), key=lambda point: -point.queries_per_second)
        settings = [(point.leaves_to_search, point.reorder) for point in points]
        for setting in settings:
            if self.held_out(*setting) >= target:
                return setting
        return self._more(target, settings[0] if settings else (leaves or 1, reorders[-1]), leaves, reorder)

    def _more(
        self, target: float, setting: tuple[int, int], leaves: int | None, reorder: int | None
    ) -> tuple[int, int]:
        """A setting with more of what is not given, until the held-out half reaches the target, too."""
        while self.held_out(*setting) < target:
            count = leaves or min(self._searcher.leaves, math.ceil(STEP * setting[0]))
            wide = reorder or min(REORDERS[-1], math.ceil(STEP * setting[1]))
            if (count, wide) == setting:
                break
            setting = count, wide
        return setting

    def _is_enough(self, reorder: int, target: float, leaves: int) -> bool:
        return self._recall(leaves, reorder) >= target

    def _fewest(self, enough: Callable[[int], bool]) -> int:
        """The fewest leaves that are enough, found by doubling and halving; all, if they aren't."""
        last = self._searcher.leaves
        low, high = 0, 1
        while high < last and not enough(high):
            low, high = high, min(2 * high, last)
        while high - low > max(1, low // 16):
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        return high

    def _recall(self, leaves: int, reorder: int) -> float:
        if (leaves, reorder) not in self._recalls:
            queries, exact = self._halves[0]
            found = self._search(queries, leaves, reorder, exact.shape[1])
            self._recalls[leaves, reorder] = recall_between(found, exact)
        return self._recalls[leaves, reorder]

    def _search(self, queries: tf.Tensor, leaves: int, reorder: int, k: int = K) -> np.ndarray:
        return self._searcher.search(queries, k, leaves, max(reorder, k))[0].numpy()

    def held_out(self, leaves: int, reorder: int) -> float:
        """The recall on the half that nothing was chosen by."""
        queries, exact = self._halves[1]
        return recall_between(self._search(queries, leaves, reorder, exact.shape[1]), exact)

    def measure(self, settings: Sequence[tuple[int, int]]) -> list[TuningPoint]:
        """Recall and speed of settings, leaves and reordering each.

        They take turns, and the best round of each counts: what else the machine does meets all of them alike.
        """
        fastest = {setting: math.inf for setting in settings if setting not in self._points}
        queries, begun = self._halves[0][0], time.perf_counter()
        while time.perf_counter() - begun < TIMED_SECONDS * len(fastest):
            for setting in fastest:
                started = time.perf_counter()
                self._search(queries, *setting)
                fastest[setting] = min(fastest[setting], time.perf_counter() - started)
        for setting, seconds in fastest.items():
            self._points[setting] = TuningPoint(*setting, self._recall(*setting), len(queries) / seconds)
        return [self._points[setting] for setting in settings]

    def curve(self, leaves: int, reorder: int) -> list[TuningPoint]:
        """Settings from fast to thorough, among them the chosen one; each is better in recall than those before."""
        counts = [2**power for power in range(self._searcher.leaves.bit_length()) if 2**power < self._searcher.leaves]
        counts.append(self._searcher.leaves)
        *_, chosen = self.measure([*[(count, reorder) for count in counts], (leaves, reorder)])
        best: list[TuningPoint] = []
        for point in sorted(self._points.values(), key=lambda point: -point.queries_per_second):
            if point == chosen or not best or point.recall > max(other.recall for other in best):
                best.append(point)
        return best
