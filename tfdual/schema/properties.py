"""The properties of a column that tfdual reads, checked."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

SHARED_IDS = "shared_ids"  # how many first ids may each be of several values, such as those of hashed ones


def check_properties(column: str, properties: Mapping[str, Any], dtype: str, ids: bool) -> None:
    """Check the domain, `nullable`, `weights`, `delimiter` and `shared_ids`; other properties are the user's own.

    Args:
        column: str. The column's name, for the message.
        properties: mapping. All properties.
        dtype: str. The column's dtype; a domain of floats may end anywhere.
        ids: bool. The column holds ids, which are not negative.

    Raises:
        ValueError: a property of another type or form.
    """
    nullable = properties.get("nullable", False)
    if not isinstance(nullable, bool):
        raise ValueError(f"Column '{column}': the property 'nullable' is True or False. Received {nullable!r}.")
    for key, meaning in (("weights", "the name of a column"), ("delimiter", "a string such as '|'")):
        if key in properties and (not isinstance(properties[key], str) or not properties[key]):
            raise ValueError(f"Column '{column}': the property '{key}' is {meaning}. Received {properties[key]!r}.")
    if not isinstance(shared := properties.get(SHARED_IDS, 1), int) or isinstance(shared, bool) or shared < 1:
        raise ValueError(f"Column '{column}': the property '{SHARED_IDS}' is an int above 0. Received {shared!r}.")
    if not isinstance(domain := properties.get("domain", {}), Mapping):
        raise ValueError(f"Column '{column}': the property 'domain' is a mapping. Received {domain!r}.")
    _check_domain(column, domain, floats=dtype.startswith("float"), ids=ids)


def _check_domain(column: str, domain: Mapping[str, Any], floats: bool, ids: bool) -> None:
    name = domain.get("name", column)
    if not isinstance(name, str) or not name:
        raise ValueError(f"Column '{column}': the name of a domain is a string. Received {name!r}.")
    for key in ("min", "max"):
        if (bound := domain.get(key)) is not None and not _is_number(bound, whole=not floats):
            number = "a number" if floats else "a whole number"
            raise ValueError(f"Column '{column}': the domain's {key} is {number}. Received {bound!r}.")
    lowest, highest = domain.get("min"), domain.get("max")
    if lowest is not None and highest is not None and lowest > highest:
        raise ValueError(f"Column '{column}': the domain's min {lowest} is above its max {highest}. Exchange them.")
    if ids and highest is not None and highest < 0:
        raise ValueError(
            f"Column '{column}' holds ids 0 .. max. Received the domain max {highest}. Leave max out if it is unknown."
        )


def _is_number(value: Any, whole: bool) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    return float(value).is_integer() if whole else float(value) == float(value)
