"""Ids of ranked lists, as NumPy has them."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tfdual.index.item_ids import plain_ids

WANTED = "Ids are int64 or strings"


def ranked_ids(ids: Any) -> np.ndarray:
    """Ids of any shape as int64, or as `str`, with their padding as it is.

    Args:
        ids: an array, a tensor or nested lists, of integers, `str` or UTF-8 bytes.

    Raises:
        ValueError: an integer is over int64.
        TypeError: something else.
    """
    array = np.asarray(ids)
    if array.dtype.kind in "iu":
        return plain_ids(array)
    if not array.size:
        return array if array.dtype.kind == "U" else array.astype(np.int64)
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8")
    if array.dtype.kind == "O":
        flat = [item.decode() if isinstance(item, bytes) else item for item in array.ravel().tolist()]
        if wrong := [item for item in flat if not isinstance(item, str)]:
            raise TypeError(f"{WANTED}. Received {wrong[0]!r} among them.")
        return np.array(flat, str).reshape(array.shape)
    if array.dtype.kind != "U":
        raise TypeError(f"{WANTED}. Received {array.dtype}, such as {array.ravel()[0].item()!r}.")
    return array


def check_one_type(lists: Iterable[np.ndarray]) -> None:
    """Refuse integers in some lists of `ranked_ids` and strings in others; empty ones are of any type.

    Raises:
        TypeError: with what to do.
    """
    if len({ids.dtype.kind for ids in lists if ids.size}) > 1:
        raise TypeError("The ids of some lists are integers and those of others strings. Give all in one type.")


def padding(ids: np.ndarray) -> Any:
    """What marks a place without an item: -1 or `""`."""
    return "" if ids.dtype.kind == "U" else -1


def at_places(ids: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The ids at places of any shape; -1 or `""` where the place is -1."""
    return np.where(places >= 0, ids[places], padding(ids)).astype(ids.dtype)
