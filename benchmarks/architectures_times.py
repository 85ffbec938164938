"""Times of runs that take turns, and what they are to each other."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich import box
from rich.table import Table

CALLS = 5  # of a turn, of which the median counts
Run = Callable[[], object]


@dataclass(frozen=True)
class Times:
    """Milliseconds of each run in each round: by the clock, and of all processors."""

    clock: dict[str, list[float]]
    processors: dict[str, list[float]]

    def ratio(self, above: str, below: str) -> dict[str, float]:
        """One run's time by another's: the median within a round, and that of the shortest times."""
        within = [one / other for one, other in zip(self.clock[above], self.clock[below], strict=True)]
        return {
            "median": round(median(within), 3),
            "of_least": round(min(self.clock[above]) / min(self.clock[below]), 3),
            "of_processors": round(min(self.processors[above]) / min(self.processors[below]), 3),
        }

    def summary(self) -> dict[str, dict[str, float]]:
        """Of each run the median, the shortest, and the shortest of all processors."""
        return {
            name: {
                "ms": round(median(own), 2),
                "least": round(min(own), 2),
                "processors": round(min(self.processors[name]), 2),
            }
            for name, own in self.clock.items()
        }


def in_turns(runs: dict[str, Run], rounds: int, calls: int = CALLS) -> Times:
    """The times of each run in each round, after two calls that trace and aren't counted."""
    for run in runs.values():
        run()
        run()
    times = Times({name: [] for name in runs}, {name: [] for name in runs})
    for _ in range(rounds):
        for name, run in runs.items():
            taken, used = [], []
            for _ in range(calls):
                started, begun = time.perf_counter(), time.process_time()
                run()
                taken.append(1e3 * (time.perf_counter() - started))
                used.append(1e3 * (time.process_time() - begun))
            times.clock[name].append(median(taken))
            times.processors[name].append(median(used))
    return times


def at_most(what: str, found: dict[str, float], wanted: float) -> dict[str, Any]:
    """Whether the median of a ratio is as low as is wanted."""
    return {"what": what, **found, "wanted": f"<= {wanted:g}", "met": found["median"] <= wanted}


def at_least(what: str, found: dict[str, float], wanted: float) -> dict[str, Any]:
    """Whether the median of a ratio is as high as is wanted."""
    return {"what": what, **found, "wanted": f">= {wanted:g}", "met": found["median"] >= wanted}


def times_table(title: str, found: dict[str, dict[str, float]]) -> Table:
    """For people."""
    table = Table("", title=title, title_justify="left", box=box.SIMPLE)
    for heading in ("ms", "least", "all processors"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, one in found.items():
        table.add_row(name, *(f"{one[key]:,.1f}" for key in ("ms", "least", "processors")))
    return table


def judged_table(judged: list[dict[str, Any]]) -> Table:
    """What was wanted, and what was found."""
    table = Table("", title="wanted", title_justify="left", box=box.SIMPLE)
    for heading in ("wanted", "median", "least", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in judged:
        met = "met" if one["met"] else "NOT met"
        table.add_row(one["what"], one["wanted"], f"{one['median']:,.3g}", f"{one['of_least']:,.3g}", met)
    return table
