"""One column: kind, width, domain, and what is refused."""

from typing import Any

import pytest

from tfdual.schema import ColumnSchema, Kind, Tags


@pytest.mark.parametrize(
    "arguments, kind",
    [
        ({"dtype": "float32"}, Kind.DENSE),
        ({"dtype": "int64"}, Kind.DENSE),
        ({"dtype": "bool"}, Kind.DENSE),
        ({"dtype": "int64", "tags": [Tags.CATEGORICAL]}, Kind.CATEGORICAL),
        ({"dtype": "string", "tags": [Tags.USER_ID]}, Kind.CATEGORICAL),
        ({"dtype": "string", "tags": [Tags.CATEGORICAL]}, Kind.CATEGORICAL),
        ({"dtype": "string"}, Kind.STRING),
        ({"dtype": "string", "tags": [Tags.TEXT, Tags.CATEGORICAL]}, Kind.STRING),
        ({"dtype": "float32", "dims": (None, 3)}, Kind.EMBEDDING),
        ({"dtype": "float64", "is_list": True}, Kind.EMBEDDING),
        ({"dtype": "int64", "is_list": True}, Kind.ID_LIST),
        ({"dtype": "string", "is_list": True}, Kind.ID_LIST),
        ({"dtype": "int64", "dims": (None, 5)}, Kind.ID_LIST),
    ],
)
def test_type_and_tags_tell_the_kind(arguments: dict[str, Any], kind: Kind) -> None:
    assert ColumnSchema("x", **arguments).kind is kind


@pytest.mark.parametrize(
    "arguments, is_list, is_ragged, width",
    [
        ({}, False, False, None),
        ({"is_list": True}, True, True, None),
        ({"dims": (None, 4)}, True, False, 4),
        ({"is_list": True, "is_ragged": False}, True, False, None),
    ],
)
def test_lists_are_ragged_unless_a_width_is_given(
    arguments: dict[str, Any], is_list: bool, is_ragged: bool, width: int | None
) -> None:
    column = ColumnSchema("x", **arguments)
    assert (column.is_list, column.is_ragged, column.width) == (is_list, is_ragged, width)


def test_the_domain_names_the_table_and_counts_its_rows() -> None:
    shared = ColumnSchema("history", properties={"domain": {"name": "item", "min": 0, "max": 20}})
    assert (shared.domain_name, shared.cardinality) == ("item", 21)
    alone = ColumnSchema("age")
    assert (alone.domain_name, alone.cardinality) == ("age", None)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": ""}, "needs a name"),
        ({"name": 7}, "needs a name.*Received 7"),
        ({"name": "x", "dtype": "int8"}, "Column 'x' has the unknown dtype 'int8'. Use one of int64, int32"),
        ({"name": "x", "dims": (None, 0)}, r"dims must be \(None, width\)"),
        ({"name": "x", "dims": (None, -2)}, r"dims must be \(None, width\)"),
        ({"name": "x", "dims": (3,)}, r"dims must be \(None, width\)"),
        ({"name": "x", "tags": ["user_id", "item_id"]}, "USER_ID and ITEM_ID exclude each other"),
        ({"name": "x", "properties": {"domain": "item"}}, "the property 'domain' is a mapping. Received 'item'"),
    ],
)
def test_a_bad_value_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ColumnSchema(**arguments)


def test_with_methods_copy_and_leave_the_column_alone() -> None:
    column = ColumnSchema("x", ["user"], {"a": 1}, dtype="string")
    assert column.with_tags(Tags.TEXT).tags == {"user", "text"}
    assert column.with_properties({"b": 2}).properties == {"a": 1, "b": 2}
    assert column.with_name("y") == ColumnSchema("y", ["user"], {"a": 1}, dtype="string")
    assert column == ColumnSchema("x", ["user"], {"a": 1}, dtype="string")


def test_equal_columns_have_equal_hashes() -> None:
    left = ColumnSchema("x", ["user", "id"], {"domain": {"name": "u"}})
    right = ColumnSchema("x", ["id", "user"], {"domain": {"name": "u"}})
    assert left == right
    assert hash(left) == hash(right)
    assert left != right.with_tags("text")


@pytest.mark.parametrize(
    "config, message",
    [
        ({"name": "x", "colour": 1}, r"unknown keys \['colour'\]"),
        ({"dtype": "int64"}, "needs the key 'name'"),
        (7, "is an object with the key 'name'. Received 7"),
        ("name", "is an object with the key 'name'"),
        ({"name": "x", "tags": 7}, "Column 'x' has a value of the wrong type"),
        ({"name": "x", "dims": 7}, "Column 'x' has a value of the wrong type"),
        ({"name": "x", "properties": 7}, "Column 'x' has a value of the wrong type"),
    ],
)
def test_a_damaged_description_is_one_clear_error(config: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ColumnSchema.from_dict(config)
