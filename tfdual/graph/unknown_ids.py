"""Ids of unknown values."""

from tfdual.schema import ColumnSchema, Schema
from tfdual.schema.properties import SHARED_IDS


def unknown_ids(schema: Schema) -> dict[str, int]:
    """By domain, how many of its first ids stand for unknown values: 1, or what a column of it says."""
    found: dict[str, int] = {}
    for column in schema:
        found[column.domain_name] = max(found.get(column.domain_name, 1), _shared(column))
    return found


def _shared(column: ColumnSchema) -> int:
    """The first ids that several values share. Where all are, as hashed ones, 0 alone is unknown."""
    shared = column.properties.get(SHARED_IDS, 1)
    return shared if shared < (column.cardinality or 0) else 1
