"""Which of a query's judged items are right."""

from collections.abc import Mapping, Sequence
from typing import Any


def relevant_ids(judged: Mapping[Any, float] | Sequence[Any]) -> list[Any]:
    """Those of a grade above 0 in a mapping of id -> grade; else all."""
    return [item for item, grade in judged.items() if grade > 0] if isinstance(judged, Mapping) else list(judged)
