"""What an evaluation reports beside its plain figures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import tensorflow as tf

from tfdual.data import Rows

Training: TypeAlias = Rows | tf.data.Dataset | Mapping[Any, int]
"""Where training counts come from: the rows trained on, model-ready batches of them, or item id -> count."""


@dataclass(frozen=True)
class EvaluationOptions:
    """Columns of the queries, and settings, that only some evaluations need.

    Args:
        relevance: str. The column of grades, one for each id of the relevant column; 0 is "judged, not relevant".
            Defaults to `None`: each relevant item has the grade 1.
        candidates: str. The column with the list of item ids that a query's ranking is restricted to: they are its
            corpus, and relevant items outside don't count. Defaults to `None`: all items.
        slices: sequence of str. Columns of the queries, each value of which is reported by itself, as
            `"country=DE"`; 20 values at most. Defaults to none.
        bootstrap: int. Resamples for the confidence intervals. 0: no intervals. Defaults to 1000.
        seed: int. Of the resamples. Defaults to 0.

    Raises:
        ValueError: `bootstrap` or `seed` is negative.
        TypeError: `slices` is a single string.
    """

    relevance: str | None = None
    candidates: str | None = None
    slices: tuple[str, ...] = ()
    bootstrap: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.slices, str):
            raise TypeError(f"slices is a list of columns. Received {self.slices!r}; write slices=[{self.slices!r}].")
        object.__setattr__(self, "slices", tuple(self.slices))
        if self.bootstrap < 0 or self.seed < 0:
            raise ValueError(f"bootstrap and seed are 0 or more. Received {self.bootstrap} and {self.seed}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self) | {"slices": list(self.slices)}
