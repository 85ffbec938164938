"""What is chosen for a column, by its name, a tag or its kind."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tfdual._build import fresh_copy
from tfdual.schema import ColumnSchema, Kind


@dataclass(frozen=True)
class Choices:
    """Encoders and combiners as they were given, where Keras doesn't look for layers: those in use are copies."""

    encoders: Mapping[str, keras.layers.Layer]
    combiners: Mapping[str, str | keras.layers.Layer]


def choose(
    argument: str, choices: Mapping[str, Any], columns: Sequence[ColumnSchema], kinds: Collection[Kind]
) -> dict[str, Any]:
    """The choice for each column that has one: by its name, else by a tag of its, else by its kind.

    A layer that is chosen by tag or kind is copied for each column. A key that is a column's name is for it alone.

    Args:
        argument: str. What the choices are called, for messages.
        choices: mapping of column name, tag or kind -> a layer or something else.
        columns: the columns that can be chosen for.
        kinds: the kinds that can be chosen for, whether or not a column is of that kind.

    Raises:
        ValueError: a key fits no column and is no kind, or several tags of one column are among the keys.
    """
    if unknown := sorted(str(key) for key in choices if key not in kinds and not any(_fits(key, c) for c in columns)):
        raise ValueError(
            f"{argument} holds {unknown}, which is no column, tag or kind here. The columns it can name are "
            f"{[column.name for column in columns]}."
        )
    chosen: dict[str, Any] = {}
    names = {column.name for column in columns}
    others = [key for key in choices if key not in names]
    for column in columns:
        if column.name in choices:
            chosen[column.name] = choices[column.name]
            continue
        tags = [key for key in others if key in column.tags]
        if len(tags) > 1:
            raise ValueError(f"{argument} names '{column.name}' by several tags, {tags}. Name it by its name.")
        for key in [*tags, *(key for key in others if key == column.kind)][:1]:
            choice = choices[key]
            chosen[column.name] = fresh_copy(choice) if isinstance(choice, keras.layers.Layer) else choice
    return chosen


def general(choices: Mapping[str, Any], columns: Sequence[ColumnSchema]) -> dict[str, Any]:
    """The choices by kind, and those by a tag that one of these columns has."""
    names = {column.name for column in columns}
    kinds = set(Kind)
    return {
        key: choice
        for key, choice in choices.items()
        if key not in names and (key in kinds or any(key in column.tags for column in columns))
    }


def _fits(key: str, column: ColumnSchema) -> bool:
    return key == column.name or key in column.tags
