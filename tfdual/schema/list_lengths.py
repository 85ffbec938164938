"""How many values a row of a list column holds, in the forms in which it is written."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Bounds: TypeAlias = tuple[int, int | None]
ANY: Bounds = (0, None)


def settle_lengths(
    name: str, properties: Mapping[str, Any], dims: Sequence[Any] | None
) -> tuple[dict[str, Any], tuple[None, int] | None, bool]:
    """Bring `dims` and the property `value_count` to one form.

    Returns:
        The properties, where `value_count` stands only with bounds that differ and exclude something; `(None, width)`
        where the width is fixed; and whether the two say that the column is a list.

    Raises:
        ValueError: a form that is not known, or bounds that contradict each other.
    """
    properties = dict(properties)
    counts = properties.pop("value_count", None)
    if dims is None and counts is None:
        return properties, None, False
    bounds = ANY if dims is None else bounds_of_dims(name, dims)
    if counts is not None:
        counted = _bounds_of_counts(name, counts)
        if bounds not in (ANY, counted):
            raise ValueError(
                f"Column '{name}': dims {tuple(dims or ())} and the property value_count {counts} contradict each "
                "other. Give one of them."
            )
        bounds = counted
    lowest, highest = bounds
    if lowest == highest:
        return properties, (None, lowest), True
    if bounds != ANY:
        properties["value_count"] = {"min": lowest, "max": highest}
    return properties, None, True


def bounds_of_dims(name: str, dims: Sequence[Any]) -> Bounds:
    """The shortest and the longest list that `dims` allow.

    Raises:
        ValueError: dims of another form.
    """
    wrong = ValueError(
        f"Column '{name}': dims must be (None, width), width >= 1, or (None, None) or (None, (min, max)) for lists of "
        f"differing length. Received {dims}."
    )
    if len(dims) != 2 or not _is_open(dims[0]):
        raise wrong
    bounds = ANY if dims[1] is None else dims[1]
    lowest, highest = bounds if isinstance(bounds, list | tuple) and len(bounds) == 2 else (bounds, bounds)
    if not _are_bounds(lowest, highest):
        raise wrong
    return lowest, highest


def _bounds_of_counts(name: str, counts: Any) -> Bounds:
    known = isinstance(counts, Mapping) and not set(counts) - {"min", "max"}
    lowest, highest = (counts.get("min") or 0, counts.get("max")) if known else (-1, None)
    if not _are_bounds(lowest, highest):
        raise ValueError(
            f"Column '{name}': the property 'value_count' is {{'min': int, 'max': int or None}} with 0 <= min <= max "
            f"and max >= 1. Received {counts!r}."
        )
    return lowest, highest


def _are_bounds(lowest: Any, highest: Any) -> bool:
    if type(lowest) is not int or lowest < 0:
        return False
    return highest is None or (type(highest) is int and highest >= max(lowest, 1))


def _is_open(rows: Any) -> bool:
    return rows is None or (isinstance(rows, list | tuple) and tuple(rows) == ANY)
