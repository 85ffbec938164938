"""Recall over speed: what a variant reaches at a wanted recall, and how that compares in the same round."""

import math
from itertools import pairwise
from statistics import median

from harness import Variant

SPEED, ALONE, MILLISECONDS = "queries_per_second", "queries_per_second_alone", "one_query_ms"
Points = list[dict[str, float]]
SAME_RECALL = 0.005  # one index searched by two ways: no further apart


def points_of(report: dict[str, float]) -> Points:
    """The settings of a round's report, each with its recall and speeds."""
    points: dict[int, dict[str, float]] = {}
    for name, value in report.items():
        number, _, part = name.partition(".")
        if part:
            points.setdefault(int(number), {})[part] = value
    return [point | {ALONE: 1000 / point[MILLISECONDS]} for point in points.values()]


def frontier(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those pairs of recall and speed that none beats in both, by falling recall."""
    best: list[tuple[float, float]] = []
    for recall, speed in sorted(points, reverse=True):
        if not best or speed > best[-1][1]:
            best.append((recall, speed))
    return best


def at_recall(points: Points, recall: float, key: str = SPEED) -> tuple[float, str] | None:
    """The speed at a recall, and how it is known; None where no setting reaches the recall.

    Of the settings that none beats in both, the two beside the recall are taken, and the logarithm of the speed
    between them is a line over the recall. Where even the fastest setting finds more than is wanted, it is that one's.
    """
    best = frontier([(point["recall"], point[key]) for point in points])
    if not best or best[0][0] < recall:
        return None
    for (more, slow), (less, fast) in pairwise(best):
        if less < recall <= more:
            share = (recall - less) / (more - less)
            return math.exp((1 - share) * math.log(fast) + share * math.log(slow)), "interpolated"
    return best[-1][1], "the fastest setting"


def variant_summary(variant: Variant, rounds: list[Points]) -> dict:
    """Build, memory, and each setting's medians over the rounds."""
    middle = [{key: median(point[key] for point in same) for key in same[0]} for same in zip(*rounds, strict=True)]
    peak = variant.warm_up.get("before_export_mb", variant.rounds[-1]["peak_mb"])
    return {
        "build_seconds": round(variant.warm_up["build_seconds"], 2),
        "peak_mb": round(peak),
        "points": [{key: float(f"{value:.6g}") for key, value in point.items() if key != ALONE} for point in middle],
        "versions": variant.versions,
    }


class Comparison:
    """Speeds at one recall, round by round, beside those of a base.

    Args:
        rounds: dict of variant -> for each round its points.
        base: str. A variant of one setting; its recall is the one that is compared at.
        same: str. Variants that search the same index in another way: their one setting is taken as it is.
    """

    def __init__(self, rounds: dict[str, list[Points]], base: str, *same: str) -> None:
        self._rounds, self._base, self._same = rounds, base, (base, *same)
        self.recall = self._rounds[base][0][0]["recall"]

    def at(self, name: str, target: float) -> dict[str, object]:
        """Speeds of a variant at the target, and at the base's recall with the ratios to the base."""
        result: dict[str, object] = {"at_target": self._at_target(name, target)}
        speeds, alone = (self._speeds(name, key) for key in (SPEED, ALONE))
        if speeds is None or alone is None:
            return result | {"at_equal_recall": None}
        how = at_recall(self._rounds[name][0], self.recall)
        own = [points[0]["recall"] for points in self._rounds[name]] if name in self._same else None
        return result | {
            "at_equal_recall": {
                "how": "its one setting" if own else how and how[1],
                "recall": own[0] if own else self.recall,
                SPEED: spread(speeds, 1),
                "times": self._times(speeds, SPEED),
                MILLISECONDS: spread([1000 / speed for speed in alone], 4),
                "times_alone": self._times(alone, ALONE),
            }
        }

    def _at_target(self, name: str, target: float) -> dict[str, object] | None:
        found = [at_recall(points, target) for points in self._rounds[name]]
        alone = [at_recall(points, target, ALONE) for points in self._rounds[name]]
        if None in found:
            return None
        speeds = {SPEED: median(one[0] for one in found), MILLISECONDS: median(1000 / one[0] for one in alone)}
        return {"how": found[0][1]} | {key: float(f"{value:.6g}") for key, value in speeds.items()}

    def _speeds(self, name: str, key: str) -> list[float] | None:
        rounds = self._rounds[name]
        if name in self._same:
            near = abs(rounds[0][0]["recall"] - self.recall) <= SAME_RECALL
            return [points[0][key] for points in rounds] if near else None
        found = [at_recall(points, self.recall, key) for points in rounds]
        return None if None in found else [one[0] for one in found]

    def ratio(self, name: str, other: str) -> dict[str, float] | None:
        """Speed in batches of one variant to that of another, both at the base's recall; None where one lacks it."""
        own, theirs = self._speeds(name, SPEED), self._speeds(other, SPEED)
        return None if own is None or theirs is None else quotients(own, theirs)

    def _times(self, speeds: list[float], key: str) -> dict[str, float]:
        return quotients(speeds, [points[0][key] for points in self._rounds[self._base]])


def quotients(speeds: list[float], others: list[float]) -> dict[str, float]:
    """Round by round."""
    return spread([own / other for own, other in zip(speeds, others, strict=True)], 3)


def spread(values: list[float], digits: int) -> dict[str, float]:
    """Median, least and greatest."""
    return {key: round(f(values), digits) for key, f in (("median", median), ("min", min), ("max", max))}
