"""A schema from a sample: what names, types and values tell, and why."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tfdual.schema import ColumnSchema, Kind, Schema, Tags
from tfdual.schema.inference import infer_columns
from tfdual.schema.names import name_tags

ROWS = 40


def repeated(*values: Any) -> list[Any]:
    return [values[row % len(values)] for row in range(ROWS)]


@pytest.mark.parametrize(
    "name, tags",
    [
        ("user_id", {"user", "id", "user_id"}),
        ("userId", {"user", "id", "user_id"}),
        ("customerID", {"user", "id", "user_id"}),
        ("movieId", {"item", "id", "item_id"}),
        ("productid", {"item", "id", "item_id"}),
        ("session_id", {"session", "id", "session_id"}),
        ("id", {"id"}),
        ("product_category_id", {"item", "id"}),
        ("item_ids", {"item", "id", "item_id"}),
        ("user_past_items", {"user"}),
        ("last_viewed_products", {"user"}),
        ("news_title", {"item"}),
        ("created_at", {"time"}),
        ("timestamp", {"time"}),
        ("rating", {"target"}),
        ("avg_rating", {"continuous"}),
        ("average_rating", {"continuous"}),
        ("business_id", {"item", "id", "item_id"}),
        ("asin", {"item", "id", "item_id"}),
        ("parent_asin", {"item", "id", "item_id"}),
        ("ISBN", {"item", "id", "item_id"}),
        ("artistID", {"item", "id", "item_id"}),
        ("app_id", {"item", "id", "item_id"}),
        ("anime_id", {"item", "id", "item_id"}),
        ("gmap_id", {"item", "id", "item_id"}),
        ("item_price", {"item", "continuous"}),
        ("genre_weights", {"weight"}),
        ("grid", set()),
        ("paid", set()),
        ("latest", set()),
        ("", set()),
        ("42", set()),
    ],
)
def test_a_name_suggests_tags(name: str, tags: set[str]) -> None:
    assert name_tags(name) == tags


@pytest.mark.parametrize(
    "name, values, expected",
    [
        ("user_id", pa.array(range(ROWS), pa.int32()), {"tags": ["categorical", "user_id"], "dtype": "int32"}),
        ("shop", pa.array(repeated("a", "b")), {"tags": ["categorical"], "dtype": "string"}),
        ("shop", pa.array(repeated("a", "b")).dictionary_encode(), {"tags": ["categorical"], "dtype": "string"}),
        ("sku", pa.array([f"SKU-{row}" for row in range(ROWS)]), {"tags": ["item", "categorical"], "dtype": "string"}),
        ("title", pa.array([f"the song of {row}" for row in range(ROWS)]), {"tags": ["text"], "dtype": "string"}),
        ("city", pa.array(repeated("New York", "Los Angeles")), {"tags": ["categorical"], "dtype": "string"}),
        ("level", pa.array(repeated(1, 2, 3)), {"tags": ["categorical"]}),
        ("level", pa.array(repeated(-1, 2, 3)), {"tags": ["continuous"]}),
        ("level", pa.array(repeated(-1, 2, None)), {"tags": ["continuous"], "dtype": "float64", "nullable": True}),
        ("offset", pa.array(range(ROWS)), {"tags": ["continuous"]}),
        ("offset", pa.array(range(2**63, 2**63 + ROWS), pa.uint64()), {"tags": ["continuous"], "dtype": "float64"}),
        (
            "height",
            pa.array(repeated(1.5, float("nan"))),
            {"tags": ["continuous"], "dtype": "float64", "nullable": True},
        ),
        ("age", pa.array(repeated(20, 30)), {"tags": ["continuous"]}),
        ("height", pa.array(repeated(1.5, 2.5), pa.float32()), {"tags": ["continuous"], "dtype": "float32"}),
        ("height", pa.array(repeated(1.5, None)), {"tags": ["continuous"], "dtype": "float64", "nullable": True}),
        ("height", pa.array(repeated(Decimal("1.50"), Decimal("2.00"))), {"tags": ["continuous"], "dtype": "float64"}),
        ("user_id", pa.array(range(ROWS)).cast(pa.decimal128(38)), {"tags": ["categorical", "user_id"]}),
        ("fresh", pa.array(repeated(True, False)), {"tags": [], "dtype": "bool"}),
        ("time", pa.array(range(ROWS)), {"tags": ["time", "continuous"]}),
        ("clicked", pa.array(repeated(0, 1)), {"tags": ["target"]}),
        ("vector", pa.array(repeated([1.0, 2.0])), {"tags": ["embedding"], "dtype": "float64", "dims": (None, 2)}),
        (
            "vector",
            pa.array(repeated([1.0, 2.0], None), pa.list_(pa.float32(), 2)),
            {"tags": ["embedding"], "dtype": "float32", "dims": (None, 2), "nullable": True},
        ),
        ("seen", pa.array(repeated([1], [2, 3])), {"tags": ["categorical"], "is_list": True}),
        (
            "past_items",
            pa.array(repeated(["a"], [])),
            {"tags": ["user", "categorical"], "dtype": "string", "is_list": True},
        ),
    ],
)
def test_type_and_values_tell_the_column(name: str, values: pa.Array, expected: dict[str, Any]) -> None:
    properties = {"nullable": True} if expected.pop("nullable", False) else {}
    schema, reasons = infer_columns(pa.table({name: values}))
    assert list(schema) == [ColumnSchema(name, properties=properties, **expected)]
    assert " -> " in reasons[name]


@pytest.mark.parametrize(
    "texts, dtype, nullable",
    [
        (["1", "-2", "30"], "int64", False),
        (["1", "", "3"], "int64", True),
        (["1", None, "3"], "int64", True),
        (["1.5", "2", ".5", "1e-3"], "float64", False),
        (["True", "false"], "bool", False),
        (["007", "120"], "string", False),
        (["99999999999999999999", "1"], "string", False),
        (["e5", "e6"], "string", False),
        (["-", "."], "string", False),
    ],
)
def test_texts_of_a_csv_spell_a_dtype(texts: list[str], dtype: str, nullable: bool) -> None:
    column = infer_columns(pa.table({"x": texts}), from_text=True)[0]["x"]
    assert (column.dtype, column.nullable) == (dtype, nullable)
    assert infer_columns(pa.table({"x": texts}))[0]["x"].dtype == "string"


@pytest.mark.parametrize(
    "texts, delimiter, dtype",
    [
        (repeated("Action|Comedy", "Drama", "Comedy|Drama"), "|", "string"),
        (repeated("red, blue", "blue, green"), ", ", "string"),
        (repeated("1;2;3", "2;3"), ";", "int64"),
        ([f"Once, in town {row}, there was a king" for row in range(ROWS)], None, "string"),
        (repeated("New York", "Rome"), None, "string"),
    ],
)
def test_a_delimiter_with_repeated_short_parts_is_a_list(texts: list[str], delimiter: str | None, dtype: str) -> None:
    column = infer_columns(pa.table({"x": texts}), from_text=True)[0]["x"]
    assert (column.is_list, column.properties.get("delimiter"), column.dtype) == (
        delimiter is not None,
        delimiter,
        dtype,
    )
    assert not infer_columns(pa.table({"x": texts}))[0]["x"].is_list


def test_floats_as_many_as_ids_weigh_them() -> None:
    table = pa.table(
        {
            "genre_weights": repeated([0.5], [0.1, 0.2], []),
            "genres": repeated(["a"], ["a", "b"], []),
            "user_past_items": repeated([7], [8, 9], []),
            "strength": repeated([1.5], [2.5, 3.5], []),
        }
    )
    schema, reasons = infer_columns(table)
    assert schema.column_names == ["genre_weights", "genres", "user_past_items", "strength"]
    assert schema["genres"].properties == {"weights": "genre_weights"}
    assert schema["user_past_items"].properties == {"weights": "strength"}
    assert schema["strength"].tags == {"weight", "user"}
    assert "as many in every row as 'genres' has" in reasons["genre_weights"]


def test_weights_of_one_length_are_no_embedding() -> None:
    schema, _ = infer_columns(pa.table({"tag": [[1, 2], [3, 4]], "tag_weights": [[0.5, 1.0], [0.25, 2.0]]}))
    assert schema["tag"].properties == {"weights": "tag_weights"}
    assert schema["tag_weights"].tags == {"weight"}


@pytest.mark.parametrize(
    "name, values, reason",
    [
        ("x", pa.nulls(2), "every value is missing"),
        ("x", pa.array([{"a": 1}, {"a": 2}]), "numbers, bools, strings and lists"),
        ("x", pa.array([timedelta(1), timedelta(2)]), "numbers, bools, strings and lists"),
        ("x", pa.array([[[1]], [[2]]]), "only lists of numbers and strings"),
        ("x", pa.array([[1.0], [2.0, 3.0]]), "1 to 2 values a row, and no id list"),
        ("user_id", pa.array([1.0, 2.0]), "ids are integers or strings"),
        ("date", pa.array(["11/9/2019 9:05:58 AM", "2024-01-02"]), "times as text of no known form; write them as ISO"),
        ("released", pa.array(["Feb 1, 2007", "Mar 1, 2007"]), "times as text of no known form"),
        ("seen", pa.array(["Sat, 11 July 2015 15:26:49 UTC", "Tue May 2nd 2019"]), "times as text of no known form"),
        ("user_id", pa.array([-1, 2]), "some values are negative, and no id is"),
        ("user_id", pa.array([Decimal(2**63)], pa.decimal128(20)), "some values are beyond 2**63 - 1"),
        ("user_id", pa.array([2**63, 2], pa.uint64()), "ids are integers or strings"),
        ("user_id", pa.array([2**63, 2], pa.uint64()), "some values are beyond 2**63 - 1; store them as strings"),
        ("grades", pa.array([[-1], [2]]), "some values are negative or beyond int64"),
    ],
)
def test_what_no_kind_fits_is_left_out_and_said(name: str, values: pa.Array, reason: str) -> None:
    schema, reasons = infer_columns(pa.table({name: values}))
    assert schema == Schema()
    assert "left out: " in reasons[name]
    assert reason in reasons[name]


def test_dates_in_words_are_no_lists() -> None:
    dates = repeated("Feb 1, 2007", "May 12, 2007", "Feb 1, 2008")
    assert infer_columns(pa.table({"released": dates}), from_text=True)[0] == Schema()
    titles = repeated("May, 2007, Paris", "Paris, May", "2007")
    assert infer_columns(pa.table({"title": titles}), from_text=True)[0]["title"].is_list


def test_the_reason_is_a_sentence_with_its_evidence() -> None:
    table = pa.table({"user_id": [row % 610 for row in range(10_000)]})
    reason = infer_columns(table)[1]["user_id"]
    assert reason == "int64, 610 values in 10,000 rows, name says id -> CATEGORICAL, ID, USER, USER_ID"


def test_the_reason_says_what_negative_codes_become() -> None:
    reason = infer_columns(pa.table({"level": repeated(-1, 2)}))[1]["level"]
    assert "few different integers, as numbers because some are negative -> CONTINUOUS" in reason
    reason = infer_columns(pa.table({"level": repeated("-1", "2")}), from_text=True)[1]["level"]
    assert "few different integers, as strings because some are negative -> CATEGORICAL" in reason


def test_feature_maps_give_the_columns_in_them() -> None:
    def column(kind: pa.DataType, *rows: list[tuple[str, Any]]) -> pa.Array:
        return pa.array(rows, pa.map_(pa.string(), kind))

    table = pa.table(
        {
            "dense_features_map": column(pa.float32(), [("age", 30.0), ("price", 1.0)], [("age", 31.0)]),
            "category_id_features_map": column(
                pa.int64(), [("user_id", 7), ("shop", 1)], [("user_id", 8), ("shop", 2)]
            ),
            "embedding_features_map": column(pa.list_(pa.float32()), [("cover", [1.0, 2.0])], [("cover", [3.0, 4.0])]),
            "id_list_features_map": column(pa.list_(pa.int64()), [("seen", [1])], [("seen", [1, 2])]),
            "string_features_map": pa.array([{"bio": "x"}, {"bio": "y"}]),
        }
    )
    schema, reasons = infer_columns(table)
    kinds = {column.name: column.kind for column in schema}
    assert kinds == {
        "age": Kind.DENSE,
        "price": Kind.DENSE,
        "user_id": Kind.CATEGORICAL,
        "shop": Kind.CATEGORICAL,
        "cover": Kind.EMBEDDING,
        "seen": Kind.ID_LIST,
        "bio": Kind.STRING,
    }
    assert schema["price"].nullable
    assert not schema["age"].nullable
    assert schema["user_id"].tags == {"user_id", "user", "id", "categorical"}
    assert schema["cover"].width == 2
    assert list(reasons) == list(kinds)


def test_floats_among_the_lists_weigh_a_list_or_are_left_out() -> None:
    lists = {"seen": [7, 8], "seen_shares": [0.5, 0.25], "rest": [0.1]}
    schema, reasons = infer_columns(pa.table({"id_list_features_map": [lists]}))
    assert schema.column_names == ["seen", "seen_shares"]
    assert schema["seen"].weights == "seen_shares"
    assert "left out: it stands among the list features" in reasons["rest"]


def test_an_entry_of_the_wrong_map_or_name_is_left_out() -> None:
    table = pa.table(
        {
            "string_features_map": pa.array([{"age": 3, "bio": "x"}]),
            "bio": ["other"],
        }
    )
    schema, reasons = infer_columns(table)
    assert schema == Schema()
    assert "stands among the text features" in reasons["age"]
    assert "two columns have this name" in reasons["bio"]


def test_a_sample_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row. Received none"):
        infer_columns(pa.table({"x": pa.array([], pa.int64())}))


def test_a_guess_is_corrected_in_place() -> None:
    schema, _ = infer_columns(pa.table({"level": [1, 2, 1, 2], "height": [1.0, 2.0, 3.0, 4.0]}))
    corrected = schema.replace("level", tags=["continuous"])
    assert corrected.column_names == ["level", "height"]
    assert corrected["level"].kind is Kind.DENSE


@pytest.mark.parametrize(
    "values, dtype",
    [
        (pa.array([1, 2], pa.timestamp("s")), "int64"),
        (pa.array([1, 2], pa.timestamp("us")), "float64"),
        (pa.array([1, 2], pa.date32()), "int64"),
    ],
)
def test_times_are_seconds(values: pa.Array, dtype: str) -> None:
    schema, reasons = infer_columns(pa.table({"when": values}))
    assert (schema["when"].dtype, schema["when"].tags) == (dtype, {Tags.TIME, Tags.CONTINUOUS})
    assert "seconds since 1970" in reasons["when"]


def test_a_number_that_may_be_missing_is_a_float() -> None:
    schema, reasons = infer_columns(pa.table({"age": [31, None, *range(200)], "user_id": [1, None, *range(200)]}))
    assert (schema["age"].dtype, schema["age"].nullable) == ("float64", True)
    assert (schema["user_id"].dtype, schema["user_id"].nullable) == ("int64", True)
    assert "so that a value may be missing" in reasons["age"]


@pytest.mark.parametrize(
    "texts, dtype, reason",
    [
        (["2018-09-20", None, "1969-12-31"], "float64", "times, as seconds since 1970, float64 so that"),
        (["2020-08-01 12:00:03", "2018-09-20"], "int64", "times, as seconds since 1970"),
        (["2020-08-01T12:00:03.5Z", "2020-08-01T12:00:03+02:00"], "float64", "times, as seconds since 1970"),
    ],
)
@pytest.mark.parametrize("from_text", [True, False])
def test_texts_that_spell_times_are_times(texts: list[Any], dtype: str, reason: str, from_text: bool) -> None:
    schema, reasons = infer_columns(pa.table({"when": pa.array(texts)}), from_text)
    assert (schema["when"].dtype, schema["when"].tags) == (dtype, {Tags.TIME, Tags.CONTINUOUS})
    assert reason in reasons["when"]


def test_an_id_that_looks_like_a_time_is_an_id() -> None:
    schema, _ = infer_columns(pa.table({"session_id": ["2018-09-20", "2018-09-21"]}))
    assert schema["session_id"].kind is Kind.CATEGORICAL


def test_numbers_among_texts_are_counted() -> None:
    texts = ["10"] * 3 + ["from 14.99", "—"] * 5
    for from_text in (True, False):
        schema, reasons = infer_columns(pa.table({"price": texts, "shop": repeated("a", "b")[:13]}), from_text)
        assert schema["price"].dtype == "string"
        assert "short values, 3 numbers and 10 others such as 'from 14.99' -> CATEGORICAL" in reasons["price"]
        assert "short values -> CATEGORICAL" in reasons["shop"]


@pytest.mark.parametrize(
    "texts, expected",
    [
        (["[1, 2]", "[]", None, "[3]"], {"dtype": "int64", "is_list": True, "properties": {"nullable": True}}),
        (['["a, b", "c"]', "[]"], {"dtype": "string", "is_list": True}),
        (['[1, "x"]', "[2]"], {"dtype": "string", "is_list": True}),
        (["[99999999999999999999]", "[2]"], {"dtype": "string", "is_list": True}),
        (["[0.5, 1]", "[2.5, 3]"], {"dtype": "float64", "dims": (None, 2)}),
    ],
)
def test_json_lists_of_a_csv_are_lists_without_a_delimiter(texts: list[str], expected: dict[str, Any]) -> None:
    column = infer_columns(pa.table({"feat": texts}), from_text=True)[0]["feat"]
    assert column == ColumnSchema("feat", column.tags, **expected)
    assert not infer_columns(pa.table({"feat": texts}))[0]["feat"].is_list


@pytest.mark.parametrize(
    "texts, reason",
    [
        (["[[1], [2]]", "[]"], "only lists of numbers and strings"),
        (['[{"id": 1, "name": "Drama"}]', "[]"], "only lists of numbers and strings"),
        (repeated("['a', 'b']", "['b', 'a']"), "no JSON, such as ['a', 'b']; write strings in double quotes"),
    ],
)
def test_other_brackets_of_a_csv_are_left_out(texts: list[str], reason: str) -> None:
    schema, reasons = infer_columns(pa.table({"feat": texts}), from_text=True)
    assert schema == Schema()
    assert reason in reasons["feat"]


FEATURES = {"fashion_news_frequency": repeated("a", "b"), "club": repeated("x", "y"), "rating": repeated(1.5, 2.5)}


@pytest.mark.parametrize("id, side", [("customer_id", Tags.USER), ("business_id", Tags.ITEM)])
def test_features_of_a_table_of_users_are_theirs_and_so_of_items(id: str, side: Tags) -> None:
    lists = {"member_vector": [[0.5, 1.0]] * ROWS}
    schema, reasons = infer_columns(pa.table({id: range(ROWS)} | FEATURES | lists))
    for name in ("fashion_news_frequency", "club", "member_vector"):
        assert schema[name].tags & {Tags.USER, Tags.ITEM} == {side}
    assert reasons["club"].endswith(f"short values, each row is another {side} -> CATEGORICAL, {side.upper()}")
    assert schema["rating"].tags == {Tags.TARGET}


@pytest.mark.parametrize(
    "ids",
    [
        {"customer_id": repeated(1, 2)},
        {"customer_id": range(ROWS), "article_id": range(ROWS)},
        {"customer_id": range(ROWS), "session_id": range(ROWS)},
        {"session_id": range(ROWS)},
    ],
)
def test_rows_of_several_sides_keep_what_the_names_say(ids: dict[str, Any]) -> None:
    schema, _ = infer_columns(pa.table(ids | FEATURES))
    assert schema["fashion_news_frequency"].tags == {Tags.ITEM, Tags.CATEGORICAL}
    assert schema["club"].tags == {Tags.CATEGORICAL}


@pytest.mark.parametrize("names", [("book_id", "isbn"), ("isbn", "book_id")])
def test_one_id_with_another_value_in_each_row_tells_the_side_wherever_it_stands(names: tuple[str, str]) -> None:
    ids = {"book_id": range(ROWS), "isbn": repeated("a", "b", "c")}
    schema, _ = infer_columns(pa.table({name: ids[name] for name in names} | {"club": repeated("x", "y")}))
    assert schema["club"].tags == {Tags.ITEM, Tags.CATEGORICAL}
    assert infer_columns(pa.table({"isbn": ids["isbn"], "club": repeated("x", "y")}))[0]["club"].tags == {
        Tags.CATEGORICAL
    }


def test_a_column_without_a_name_is_left_out() -> None:
    schema, reasons = infer_columns(pa.table({"user_id": [1, 2], "": ["0", "1"], "club": ["x", "y"]}))
    assert schema.column_names == ["user_id", "club"]
    assert reasons[""] == "string, left out: column 1 has no name"


@pytest.mark.parametrize("texts", [["  [1]", "\n[2, 3] ", "null", ""], [" [1]", None, "null ", "[2, 3]"]])
def test_spaces_before_json_lists_and_missing_ones_are_taken(texts: list[str | None]) -> None:
    column = infer_columns(pa.table({"feat": texts}), from_text=True)[0]["feat"]
    assert (column.is_list, column.dtype, column.nullable) == (True, "int64", True)


def test_texts_that_can_not_be_lists_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    monkeypatch.setattr("tfdual.schema.sample_values.json.loads", lambda text, **_: parsed.append(text))
    table = {"price": ["1.5", "2"], "word": ["cat", "dog"], "some": ["[1]", "x"], "box": ['{"a": 1}', '{"a": 2}']}
    infer_columns(pa.table(table), from_text=True)
    assert parsed == []
