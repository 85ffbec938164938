"""Ids as arrays: what is an id, and which stands twice."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

PADDING: dict[str, Any] = {"int64": -1, "string": b""}
WANTED = "Ids are int64 or strings, one an item"


def id_array(ids: Any, kind: str | None = None) -> np.ndarray:
    """Ids as int64, or as an object array of UTF-8 bytes.

    Args:
        ids: a list, array or tensor, `(items,)`.
        kind: `"int64"` or `"string"`. What they must be. Defaults to `None`: either.

    Raises:
        ValueError: not one row of ids; one is missing (None, an empty string, -1).
        TypeError: no integers and no strings, or not of the kind.
    """
    if isinstance(ids, list | tuple):
        ids = np.array(ids, np.int64 if all(isinstance(item, int | np.integer) for item in ids) else object)
    given = np.asarray(ids.numpy() if tf.is_tensor(ids) else ids)
    if given.ndim != 1:
        raise ValueError(f"{WANTED}, in one dimension. Received the shape {given.shape}.")
    array = plain_ids(given)
    found = kind_of(array)
    if kind is not None and found != kind and len(array):
        raise TypeError(f"The ids of this index are {kind}. Received {found} ids, such as {shown(array[0])!r}.")
    missing = np.flatnonzero(array == PADDING[found])
    if len(missing):
        raise ValueError(
            f"The id of item {missing[0]} is {shown(PADDING[found])!r}, which marks a place without an item. "
            "Give each item an id of its own."
        )
    return array


def plain_ids(given: np.ndarray) -> np.ndarray:
    """Ids of any shape as int64, or as an object array of UTF-8 bytes; `-1` and the empty string may be among them.

    Raises:
        ValueError: one is missing (None, NaN), or over int64.
        TypeError: no integers and no strings.
    """
    if given.dtype.kind == "O" and given.size and all(isinstance(item, int | np.integer) for item in given.flat):
        given = np.array(given.tolist())
    if given.dtype.kind in "iu":
        return _integers(given)
    return _strings(given.reshape(-1)).reshape(given.shape)


def kind_of(ids: np.ndarray) -> str:
    """`"int64"` or `"string"`."""
    return "int64" if ids.dtype == np.int64 else "string"


def shown(item: Any) -> Any:
    """An id as a user would write it."""
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else int(item)


def _integers(given: np.ndarray) -> np.ndarray:
    if given.dtype.kind == "u" and given.size and given.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{WANTED}. Received {given.max()}, which is over int64.")
    return given.astype(np.int64)


def _strings(given: np.ndarray) -> np.ndarray:
    if given.dtype.kind not in "OSU" and len(given):
        raise TypeError(f"{WANTED}. Received {given.dtype}, such as {given[0]!r}.")
    array = np.empty(len(given), object)
    for place, item in enumerate(given.tolist()):
        if isinstance(item, str):
            item = item.encode()
        if item is None or (isinstance(item, float) and np.isnan(item)):
            raise ValueError(f"The id of item {place} is missing: {item!r}. Give each item an id of its own.")
        if not isinstance(item, bytes):
            raise TypeError(f"{WANTED}. Received {item!r} at place {place} among strings.")
        array[place] = item
    return array


def save_ids(path: Path, ids: np.ndarray) -> None:
    """Write ids: integers as they are, strings one after another, with their ends."""
    if ids.dtype == np.int64:
        np.savez(path, ids=ids)
    else:
        ends = np.cumsum([len(item) for item in ids], dtype=np.int64)
        np.savez(path, text=np.frombuffer(b"".join(ids), np.uint8), ends=ends)


def load_ids(path: Path) -> np.ndarray:
    """What `save_ids` wrote."""
    with np.load(path) as held:
        if "ids" in held:
            return held["ids"]
        text, ends = held["text"].tobytes(), held["ends"].tolist()
    ids = np.empty(len(ends), object)
    ids[:] = [text[start:end] for start, end in zip([0, *ends][:-1], ends, strict=True)]
    return ids
