"""What the kind of a column means for its encoder."""

from tfdual._typing import Shape
from tfdual.schema import ColumnSchema, Kind

LOOKED_UP = (Kind.CATEGORICAL, Kind.ID_LIST)
NUMBERS = (Kind.DENSE, Kind.EMBEDDING)


def shape_of(column: ColumnSchema) -> Shape:
    """The shape in which an encoder gets a column."""
    if column.kind in NUMBERS:
        return (None, column.width or 1)
    return (None, column.width) if column.is_list else (None,)


def check_column(column: ColumnSchema, encoded: bool) -> None:
    """Refuse a column that can't be encoded.

    Args:
        column: ColumnSchema.
        encoded: bool. An encoder of its own was chosen for it.

    Raises:
        ValueError: vectors of unknown width; without an encoder of its own, raw strings or an unknown number of ids.
    """
    if column.kind is Kind.EMBEDDING and column.width is None:
        raise ValueError(f"Column '{column.name}' holds vectors of unknown width. Set dims=(None, width).")
    if encoded:
        return
    if column.kind is Kind.STRING or column.dtype == "string":
        raise ValueError(
            f"Column '{column.name}' holds raw strings. Map it with a `Preprocessor`, and use its schema; or give it a "
            "layer that takes strings, by encoders={...}."
        )
    if column.kind in LOOKED_UP and column.cardinality is None:
        raise ValueError(
            f"Column '{column.name}' is {column.kind} and its number of ids is not known. Use `Preprocessor.schema`, "
            'or set properties={"domain": {"name": ..., "min": 0, "max": ...}}.'
        )
