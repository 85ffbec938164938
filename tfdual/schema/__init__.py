"""Columns, their tags and kinds; imports no TensorFlow."""

from tfdual.schema.column_schema import ColumnSchema, Kind
from tfdual.schema.schema import Schema
from tfdual.schema.tags import Tags

__all__ = ["ColumnSchema", "Kind", "Schema", "Tags"]
