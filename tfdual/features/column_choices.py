"""What is chosen for a column, by its name, a tag or its kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tfdual._build import fresh_copy
from tfdual.schema import ColumnSchema


@dataclass(frozen=True)
class Choices:
    """Encoders and combiners as they were given, where Keras doesn't look for layers: those in use are copies."""

    encoders: Mapping[str, keras.layers.Layer]
    combiners: Mapping[str, str | keras.layers.Layer]


def choose(argument: str, choices: Mapping[str, Any], columns: Sequence[ColumnSchema]) -> dict[str, Any]:
    """The choice for each column that has one: by its name, else by a tag of its, else by its kind.

    A layer that is chosen by tag or kind is copied for each column.

    Args:
        argument: str. What the choices are called, for messages.
        choices: mapping of column name, tag or kind -> a layer or something else.
        columns: the columns that can be chosen for.

    Raises:
        ValueError: a key fits no column, or several tags of one column are among the keys.
    """
    if unknown := sorted(str(key) for key in choices if not any(matches(key, column) for column in columns)):
        raise ValueError(
            f"{argument} holds {unknown}, which is no column, tag or kind here. The columns it can name are "
            f"{[column.name for column in columns]}."
        )
    chosen: dict[str, Any] = {}
    for column in columns:
        if column.name in choices:
            chosen[column.name] = choices[column.name]
            continue
        tags = [key for key in choices if key in column.tags]
        if len(tags) > 1:
            raise ValueError(f"{argument} names '{column.name}' by several tags, {tags}. Name it by its name.")
        for key in [*tags, *(key for key in choices if key == column.kind)][:1]:
            choice = choices[key]
            chosen[column.name] = fresh_copy(choice) if isinstance(choice, keras.layers.Layer) else choice
    return chosen


def general(choices: Mapping[str, Any], columns: Sequence[ColumnSchema]) -> dict[str, Any]:
    """The choices by tag or kind that fit one of these columns."""
    names = {column.name for column in columns}
    return {k: v for k, v in choices.items() if k not in names and any(matches(k, column) for column in columns)}


def matches(key: str, column: ColumnSchema) -> bool:
    """Whether a choice under `key` is meant for `column`."""
    return key == column.name or key in column.tags or key == column.kind
