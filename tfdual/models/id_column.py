"""The columns of ids that a model needs."""

from collections.abc import Sequence

from tfdual.schema import Schema, Tags
from tfdual.schema.properties import SHARED_IDS


def item_id_of(schema: Schema) -> str:
    """The name of the column tagged `ITEM_ID`.

    Raises:
        ValueError: there is none, or several.
    """
    columns = schema.select_by_tag(Tags.ITEM_ID)
    if len(columns) != 1:
        raise ValueError(
            f"The schema has {len(columns)} columns tagged ITEM_ID; the model needs one to know which rows hold the "
            "same item. Tag one, or pass item_id=..."
        )
    return columns.first.name


def id_column(schema: Schema, tag: str, name: str | None = None) -> tuple[str, int]:
    """The name of the column with this tag, or of the one that is named, and how many ids it has, from 0.

    Raises:
        ValueError: there is none, or several; its largest id is not known.
    """
    if name is not None and name not in schema:
        raise ValueError(f"The schema has no column '{name}'. It has {schema.column_names}.")
    columns = schema.select_by_tag(tag) if name is None else schema.select_by_name(name)
    if len(columns) != 1:
        raise ValueError(f"The model needs one column tagged '{tag}'. The schema has {columns.column_names}.")
    if (cardinality := columns.first.cardinality) is None:
        raise ValueError(
            f"The ids of '{columns.first.name}' have no known largest value. Take the schema of a `Preprocessor`."
        )
    return columns.first.name, cardinality


def shared_ids(schema: Schema, *sides: Sequence[str]) -> dict[str, int]:
    """How many first ids of a column may each be of several values, such as those of hashed ones; where it says so.

    Rows of one such id may differ in other columns. A side that reads the ids alone makes one embedding of them.

    Args:
        schema: Schema.
        sides: names of the columns that each side reads.
    """
    alone = {columns[0] for columns in sides if len(columns) == 1}
    known = {column.name: column.properties.get(SHARED_IDS) for column in schema if column.name not in alone}
    return {name: count for name, count in known.items() if count is not None}
