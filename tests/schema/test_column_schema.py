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


@pytest.mark.parametrize(
    "dims, dtype, is_ragged, width, value_count",
    [
        ((None, 4), "float32", False, 4, (4, 4)),
        ((None, None), "int64", True, None, (0, None)),
        ((None, (2, 9)), "int64", True, None, (2, 9)),
        ((None, (3, None)), "int64", True, None, (3, None)),
        (((0, None), (2, 9)), "string", True, None, (2, 9)),
        (((0, None), (5, 5)), "float32", False, 5, (5, 5)),
        ([[0, None], 8], "float32", False, 8, (8, 8)),
    ],
)
def test_merlins_dims_tell_the_lengths(
    dims: Any, dtype: str, is_ragged: bool, width: int | None, value_count: tuple[int, int | None]
) -> None:
    column = ColumnSchema("x", dtype=dtype, dims=dims)
    assert (column.is_list, column.is_ragged, column.width) == (True, is_ragged, width)
    assert column.value_count == value_count
    assert ColumnSchema.from_dict(column.to_dict()) == column


def test_bounds_of_the_length_make_a_list() -> None:
    column = ColumnSchema("x", properties={"value_count": {"min": 2, "max": 6}})
    assert (column.kind, column.value_count) == (Kind.ID_LIST, (2, 6))
    assert column == ColumnSchema("x", dims=(None, (2, 6)))
    assert ColumnSchema("x", properties={"value_count": {"min": 6, "max": 6}}) == ColumnSchema("x", dims=(None, 6))
    assert ColumnSchema("x", properties={"value_count": {"min": 0, "max": None}}) == ColumnSchema("x", is_list=True)
    assert ColumnSchema("x").value_count == (1, 1)


def test_a_column_is_nullable_only_if_it_says_so() -> None:
    assert ColumnSchema("x", properties={"nullable": True}).nullable is True
    assert ColumnSchema("x", properties={"nullable": False}).nullable is False
    assert ColumnSchema("x").nullable is False


def test_a_domain_of_floats_is_a_range_and_no_table() -> None:
    column = ColumnSchema("price", properties={"domain": {"min": -2.5, "max": -0.5}}, dtype="float32")
    assert column.cardinality is None
    assert column.kind is Kind.DENSE


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
        ({"name": "x", "dims": (3, 4)}, r"dims must be \(None, width\)"),
        ({"name": "x", "dims": (None, (5, 2))}, r"dims must be .*Received \(None, \(5, 2\)\)"),
        ({"name": "x", "dims": (None, True)}, "dims must be"),
        ({"name": "x", "dims": (None, 3), "properties": {"value_count": {"max": 4}}}, "contradict each other"),
        ({"name": "x", "properties": {"value_count": {"min": 3, "max": 2}}}, "'value_count' is .*Received .*3"),
        ({"name": "x", "properties": {"value_count": {"least": 3}}}, "'value_count' is .*Received .*least"),
        ({"name": "x", "properties": {"value_count": 3}}, "'value_count' is .*Received 3"),
        ({"name": "x", "properties": {"nullable": "yes"}}, "'nullable' is True or False. Received 'yes'"),
        ({"name": "x", "properties": {"weights": ""}}, "'weights' is the name of a column. Received ''"),
        ({"name": "x", "properties": {"delimiter": ""}}, "'delimiter' is a string such as .*Received ''"),
        ({"name": "x", "properties": {"shared_ids": 2.0}}, "'shared_ids' is an int above 0. Received 2.0"),
        ({"name": "x", "properties": {"shared_ids": 0}}, "'shared_ids' is an int above 0. Received 0"),
        ({"name": "x", "properties": {"delimiter": 1}}, "'delimiter' is a string such as .*Received 1"),
        ({"name": "x", "properties": {"domain": {"name": 7}}}, "name of a domain is a string. Received 7"),
        ({"name": "x", "properties": {"domain": {"min": "0"}}}, "domain's min is a whole number. Received '0'"),
        ({"name": "x", "properties": {"domain": {"max": 1.5}}}, "domain's max is a whole number. Received 1.5"),
        ({"name": "x", "properties": {"domain": {"max": True}}}, "domain's max is a whole number. Received True"),
        (
            {"name": "x", "dtype": "float32", "properties": {"domain": {"max": float("nan")}}},
            "domain's max is a number. Received nan",
        ),
        ({"name": "x", "properties": {"domain": {"min": 3, "max": 2}}}, "min 3 is above its max 2"),
        (
            {"name": "x", "tags": ["categorical"], "properties": {"domain": {"max": -1}}},
            "holds ids 0 .. max. Received the domain max -1",
        ),
        ({"name": "x", "properties": {"domain": "item"}}, "the property 'domain' is a mapping. Received 'item'"),
    ],
)
def test_a_bad_value_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ColumnSchema(**arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"tags": 7}, "A tag is one of Tags, or a string. Received 7"),
        ({"tags": ["user", None]}, "A tag is one of Tags, or a string. Received None"),
        ({"properties": ["nullable"]}, r"Column 'x': properties is a mapping .*Received \['nullable'\]"),
    ],
)
def test_a_value_of_another_type_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ColumnSchema("x", **arguments)


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
