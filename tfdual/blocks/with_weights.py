"""Columns of a schema together with the weights of their lists."""

from collections.abc import Iterable

from tfdual.schema import Schema


def with_weights(schema: Schema, names: Iterable[str]) -> Schema:
    """The columns of these names, and those that weigh their lists, in the schema's order."""
    wanted = {found for name in names for found in (name, schema[name].weights)}
    return Schema(column for column in schema if column.name in wanted)
