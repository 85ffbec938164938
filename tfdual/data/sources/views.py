"""Strings and bytes that Arrow holds as views, as polars writes them; few of Arrow's functions take them."""

import pyarrow as pa


def without_views(table: pa.Table) -> pa.Table:
    """The table with `large_string` and `large_binary` in place of views, also inside lists, structs and maps.

    One that holds no views is not copied. Lists that are views themselves stay: Arrow (26) casts them wrongly.
    """
    schema = viewless(table.schema)
    return table if schema == table.schema else table.cast(schema)


def viewless(schema: pa.Schema) -> pa.Schema:
    """The columns of a table `without_views`."""
    return pa.schema([_viewless_field(field) for field in schema], schema.metadata)


def _viewless_field(field: pa.Field) -> pa.Field:
    return field.with_type(_viewless_type(field.type))


def _viewless_type(found: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(found):
        return pa.large_string()
    if pa.types.is_binary_view(found):
        return pa.large_binary()
    if pa.types.is_dictionary(found):
        return pa.dictionary(found.index_type, _viewless_type(found.value_type), found.ordered)
    if pa.types.is_struct(found):
        return pa.struct([_viewless_field(field) for field in found])
    if pa.types.is_map(found):
        return pa.map_(_viewless_field(found.key_field), _viewless_field(found.item_field), found.keys_sorted)
    if pa.types.is_fixed_size_list(found):
        return pa.list_(_viewless_field(found.value_field), found.list_size)
    if pa.types.is_list(found):
        return pa.list_(_viewless_field(found.value_field))
    if pa.types.is_large_list(found):
        return pa.large_list(_viewless_field(found.value_field))
    return found
