"""Columns in order: selection, arithmetic, files, and how they print."""

import json
from pathlib import Path
from typing import Any

import pytest

from tfdual.schema import ColumnSchema, Schema, Tags

USER = ColumnSchema("user_id", [Tags.USER_ID], dtype="string")
HISTORY = ColumnSchema("history", [Tags.USER], {"domain": {"name": "item", "min": 0, "max": 1233}}, is_list=True)
ITEM = ColumnSchema("item_id", [Tags.ITEM_ID], {"domain": {"name": "item", "min": 0, "max": 1233}})
IMAGE = ColumnSchema("image", [Tags.ITEM, "picture"], dtype="float32", dims=(None, 8))
TITLE = ColumnSchema("title", [Tags.ITEM, Tags.TEXT], dtype="string")


@pytest.fixture
def schema() -> Schema:
    return Schema([USER, HISTORY, ITEM, IMAGE, TITLE])


def test_columns_keep_their_order(schema: Schema) -> None:
    assert schema.column_names == ["user_id", "history", "item_id", "image", "title"]
    assert list(schema) == [USER, HISTORY, ITEM, IMAGE, TITLE]
    assert schema.first == USER
    assert len(schema) == 5


def test_a_plain_name_is_a_column_of_that_name() -> None:
    assert Schema(["age"])["age"] == ColumnSchema("age")


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"more than once: \['a'\]"):
        Schema(["a", "b", "a"])


def test_an_empty_schema_has_no_first_column() -> None:
    with pytest.raises(ValueError, match="empty schema has no first column"):
        _ = Schema().first


@pytest.mark.parametrize(
    "tags, selected, excluded",
    [
        (Tags.USER, ["user_id", "history"], ["item_id", "image", "title"]),
        (Tags.ID, ["user_id", "item_id"], ["history", "image", "title"]),
        ([Tags.TEXT, "picture"], ["image", "title"], ["user_id", "history", "item_id"]),
        ("picture", ["image"], ["user_id", "history", "item_id", "title"]),
        ("TEXT", ["title"], ["user_id", "history", "item_id", "image"]),
        ("nothing", [], ["user_id", "history", "item_id", "image", "title"]),
    ],
)
def test_tags_select_columns_that_have_any_of_them(
    schema: Schema, tags: Any, selected: list[str], excluded: list[str]
) -> None:
    assert schema.select_by_tag(tags).column_names == selected
    assert schema.excluding_by_tag(tags).column_names == excluded


def test_names_select_in_the_order_asked_for(schema: Schema) -> None:
    assert schema.select_by_name(["title", "user_id"]).column_names == ["title", "user_id"]
    assert schema.select_by_name("title").column_names == ["title"]


def test_without_drops_these_names(schema: Schema) -> None:
    assert schema.without(["title", "user_id"]).column_names == ["history", "item_id", "image"]
    assert schema.without("title").column_names == ["user_id", "history", "item_id", "image"]


def test_a_name_that_is_not_there_is_refused(schema: Schema) -> None:
    for select in (schema.select_by_name, schema.without, schema.__getitem__):
        with pytest.raises(KeyError, match=r"no column 'tilte'. It has \['user_id'"):
            select("tilte")
    assert "tilte" not in schema
    assert "title" in schema


def test_the_sum_holds_every_column_once() -> None:
    assert Schema([USER, ITEM]) + Schema([ITEM, TITLE]) == Schema([USER, ITEM, TITLE])


def test_the_sum_of_two_meanings_of_one_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"more than once: \['title'\]\. .*describe them differently.*without"):
        Schema([TITLE]) + Schema([TITLE.with_tags("user")])


def test_the_difference_goes_by_name(schema: Schema) -> None:
    assert schema - Schema(["title", "image", "other"]) == Schema([USER, HISTORY, ITEM])


def test_a_string_is_one_name_and_no_set_of_letters(schema: Schema) -> None:
    assert Schema("title") == Schema(["title"])
    for arithmetic in (lambda: schema - "title", lambda: schema + "title"):  # type: ignore[operator]
        with pytest.raises(TypeError, match="'Schema' and 'str'"):
            arithmetic()
    with pytest.raises(TypeError, match="made of ColumnSchema, or of names. Received {'name': 'x'}"):
        Schema([{"name": "x"}])  # type: ignore[list-item]


def test_equality_looks_at_every_field_and_at_the_order() -> None:
    assert Schema([USER, ITEM]) == Schema([USER, ITEM])
    assert hash(Schema([USER, ITEM])) == hash(Schema([USER, ITEM]))
    assert Schema([USER, ITEM]) != Schema([ITEM, USER])
    assert Schema([USER, ITEM]) != Schema([USER, ITEM.with_properties({"domain": {"name": "item", "max": 9}})])
    assert Schema([USER]) != "user_id"


def test_tags_are_those_of_any_column(schema: Schema) -> None:
    assert schema.tags == {"user_id", "user", "id", "item_id", "item", "picture", "text"}


def test_a_file_gives_back_the_same_schema(schema: Schema, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    schema.save(path)
    loaded = Schema.load(path)
    assert loaded == schema
    assert [column.kind for column in loaded] == [column.kind for column in schema]
    assert loaded["image"].dims == (None, 8)
    assert json.loads(path.read_text())["columns"][1]["properties"]["domain"]["max"] == 1233


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no schema file .*nowhere\.json"):
        Schema.load(tmp_path / "nowhere.json")
    with pytest.raises(FileNotFoundError, match="no schema file"):
        Schema.load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b'{"format": "tfdual.schema", "version": 1, "colu',
        b"[]",
        b"null",
        b'{"feature": []}',
        b'{"format": "other", "version": 1, "columns": []}',
        b'{"format": "tfdual.schema", "version": 2, "columns": []}',
        b'{"format": "tfdual.schema", "version": 1}',
        b'{"format": "tfdual.schema", "version": 1, "columns": 5}',
        b'{"format": "tfdual.schema", "version": 1, "columns": [5]}',
        b'{"format": "tfdual.schema", "version": 1, "columns": [{"name": "a", "tags": 5}]}',
        b'{"format": "tfdual.schema", "version": 1, "columns": [{"name": "a"}, {"name": "a"}]}',
    ],
)
def test_a_damaged_or_foreign_file_is_one_clear_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"schema\.json is not a schema file: \S+"):
        Schema.load(path)


def test_another_version_says_which_is_read(schema: Schema) -> None:
    with pytest.raises(ValueError, match="reads schema version 1. Received 9"):
        Schema.from_dict(schema.to_dict() | {"version": 9})


def test_it_prints_as_a_table(schema: Schema) -> None:
    assert repr(schema.select_by_name(["user_id", "history", "image"])).splitlines() == [
        "name     kind         dtype       domain        tags",
        "user_id  categorical  string                    id, user, user_id",
        "history  id_list      int64[]     item (1,234)  user",
        "image    embedding    float32[8]                item, picture",
    ]


def test_the_table_shows_what_may_be_missing_and_how_long_lists_are() -> None:
    schema = Schema(
        [
            ColumnSchema("age", properties={"nullable": True, "domain": {"max": 99.5}}, dtype="float32"),
            ColumnSchema("seen", dims=(None, (1, 20))),
            ColumnSchema("bought", properties={"nullable": True}, dims=(None, (1, None))),
        ]
    )
    assert repr(schema).splitlines() == [
        "name    kind     dtype         domain        tags",
        "age     dense    float32?      age (..99.5)",
        "seen    id_list  int64[1..20]",
        "bought  id_list  int64[1..]?",
    ]


def test_replace_changes_one_column_at_its_place(schema: Schema) -> None:
    changed = schema.replace("item_id", tags=["item"], dtype="string")
    assert changed.column_names == schema.column_names
    assert changed["item_id"] == ColumnSchema("item_id", ["item"], ITEM.properties, "string")
    assert changed.without("item_id") == schema.without("item_id")
    assert schema["item_id"] == ITEM


def test_replace_gives_a_list_another_form(schema: Schema) -> None:
    assert schema.replace("image", dims=(None, 3))["image"].width == 3
    assert schema.replace("history", dims=(None, 5))["history"].width == 5
    assert schema.replace("image", is_list=True)["image"].is_ragged
    bounded = schema.replace("history", dims=(None, (1, 9)))
    assert not bounded.replace("history", is_list=False)["history"].is_list
    assert bounded.replace("history", dtype="string")["history"].value_count == (1, 9)


def test_replace_refuses_what_it_does_not_know(schema: Schema) -> None:
    with pytest.raises(KeyError, match="no column 'tilte'"):
        schema.replace("tilte", dtype="string")
    with pytest.raises(ValueError, match=r"unknown keys \['type'\]. Known: .*'dtype'"):
        schema.replace("title", type="string")


WEIGHED = ColumnSchema("genres", ["item"], {"weights": "shares"}, is_list=True)
SHARES = ColumnSchema("shares", [Tags.WEIGHT], dtype="float32", is_list=True)


def test_weights_fit_their_ids_in_any_order_and_selection() -> None:
    assert len(Schema([WEIGHED, SHARES]) + Schema([TITLE])) == 3
    assert len(Schema([SHARES, WEIGHED])) == 2
    assert Schema([WEIGHED, SHARES]).without("shares").column_names == ["genres"]
    assert Schema([WEIGHED, SHARES]).select_by_tag(Tags.WEIGHT).column_names == ["shares"]


@pytest.mark.parametrize(
    "columns, message",
    [
        ([WEIGHED, ColumnSchema("shares", dtype="float32")], "'shares' weighs the ids of 'genres'.*Received float32"),
        ([WEIGHED, ColumnSchema("shares", is_list=True)], r"must be a list of floats. Received int64\[\]"),
        ([ColumnSchema("age", properties={"weights": "shares"}), SHARES], "'age' has weights and is dense"),
    ],
)
def test_weights_that_fit_no_ids_are_refused(columns: list[ColumnSchema], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schema(columns)
