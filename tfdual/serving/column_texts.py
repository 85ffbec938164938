"""A raw query column as one text a query."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf


def column_texts(values: Any, name: str) -> list[str]:
    """The texts of a column; the strings of a list are joined by spaces, and None is no text.

    Args:
        values: a list, array or tensor of strings, or of lists of strings, one a query; bytes are UTF-8.
        name: str. The column, for the message.

    Raises:
        ValueError: something else.
    """
    if isinstance(values, tf.RaggedTensor):
        values = values.to_list()
    elif tf.is_tensor(values):
        values = values.numpy().tolist()
    elif isinstance(values, np.ndarray):
        values = values.tolist()
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise ValueError(f"Query column '{name}' takes a list of texts, one a query. Received {values!r}.")
    return [_text(value, name) for value in values]


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list | tuple | np.ndarray):
        return " ".join(_text(part, name) for part in value)
    if not isinstance(value, str):
        raise ValueError(f"Query column '{name}' takes texts, whose words are searched for. Received {value!r}.")
    return value
