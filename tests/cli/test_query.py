import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tfdual
from tests.cli.conftest import export
from tests.cli.test_bad_input import check_refused
from tfdual import ColumnSchema, Schema, Tags
from tfdual.cli.query import parse_query

QUESTION = ColumnSchema("question", [Tags.USER, Tags.TEXT], dtype="string")
PAIRS = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], dtype="string"),
        ColumnSchema("recent", [Tags.USER], is_list=True),
        ColumnSchema("genres", [Tags.USER], dtype="string", is_list=True),
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("visits", [Tags.USER, Tags.CATEGORICAL], dtype="int32"),
        ColumnSchema("mood", [Tags.USER], dtype="float32", dims=(None, 2)),
    ]
)


@pytest.mark.parametrize("words", [["copy a file"], ["copy", "a", "file"]])
def test_words_are_a_text_where_the_model_takes_one(words: list[str]) -> None:
    assert parse_query(words, Schema([QUESTION])) == {"question": "copy a file"}


def test_a_text_may_be_given_by_its_key() -> None:
    assert parse_query(["question=is a == b?"], Schema([QUESTION])) == {"question": "is a == b?"}


@pytest.mark.parametrize("text", ["x = y", "a[0]=b", "= 3", "1=2"])
def test_a_text_may_hold_an_equals_sign_behind_what_is_no_name(text: str) -> None:
    assert parse_query(text.split(), Schema([QUESTION])) == {"question": text}


def test_a_name_before_an_equals_sign_is_a_key_and_may_be_wrong() -> None:
    with pytest.raises(ValueError, match="the query key 'x'.*A text that holds '=' is written question='...'"):
        parse_query(["x=y"], Schema([QUESTION]))


def test_a_text_goes_to_the_text_column_among_others() -> None:
    assert parse_query(["hello"], Schema([ColumnSchema("age", dtype="float32"), QUESTION])) == {"question": "hello"}


def test_values_take_the_type_of_their_column() -> None:
    words = ["user_id=17", "recent=1, 9007199254740993", "genres=jazz,rock", "age=31.5", "visits=3", "mood=0.5,-1"]
    assert parse_query(words, PAIRS) == {
        "user_id": "17",
        "recent": [1, 9007199254740993],
        "genres": ["jazz", "rock"],
        "age": 31.5,
        "visits": 3,
        "mood": [0.5, -1.0],
    }


@pytest.mark.parametrize(("word", "value"), [("true", True), ("False", False), ("1", True), ("no", False)])
def test_a_bool_is_written_as_in_a_file(word: str, value: bool) -> None:
    member = Schema([ColumnSchema("member", dtype="bool"), ColumnSchema("age", dtype="float32")])
    assert parse_query([f"member={word}"], member) == {"member": value}
    with pytest.raises(ValueError, match="'member' takes true or false. Received 'perhaps'"):
        parse_query(["member=perhaps"], member)


def test_a_list_may_be_given_as_json() -> None:
    words = ['genres=["rock, pop", "jazz"]', "recent= [1, 9007199254740993]", "mood=[0.5, -1]"]
    assert parse_query(words, PAIRS) == {
        "genres": ["rock, pop", "jazz"],
        "recent": [1, 9007199254740993],
        "mood": [0.5, -1.0],
    }
    assert parse_query(["genres=[]"], PAIRS) == {"genres": []}


def test_an_empty_list_may_be_given() -> None:
    assert parse_query(["recent="], PAIRS) == {"recent": []}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["name=x"], "doesn't know the query key 'name'.*'user_id'"),
        (["age=3", "old"], "doesn't know the query key 'old'"),
        (["age=3", "age=4"], "'age' stands twice"),
        (["age=young"], "'age' takes float32. Received 'young'"),
        (["visits=1.5"], "'visits' takes int32. Received '1.5'"),
        (["recent=1,x"], "'recent' takes a list such as 1,2,3 of int64. Received '1,x'"),
        (["genres=['a', 'b']"], r"'genres' takes a list such as .* of string. Received .*\['a', 'b'\]"),
        (["genres=[null]"], "'genres' takes a list"),
        (["recent=[[1]]"], "'recent' takes a list"),
        (["just", "words"], "takes key=value pairs, not a text"),
    ],
)
def test_what_does_not_fit_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_query(words, PAIRS)


def test_two_text_columns_leave_no_place_for_a_text() -> None:
    with pytest.raises(ValueError, match="not a text"):
        parse_query(["hello"], Schema([QUESTION, ColumnSchema("answer", [Tags.USER, Tags.TEXT], dtype="string")]))


def test_json_is_what_the_retriever_finds(run_tfdual, model: Path) -> None:
    words = ["user_id=u3", "recent=101,102", "age=31.5", "mood=0.5,1"]
    finished = run_tfdual("query", model, *words, "-k", "3", "--json")
    wanted = tfdual.Retriever.load(model).search(
        {"user_id": ["u3"], "recent": [[101, 102]], "age": [31.5], "mood": [[0.5, 1.0]]}, 3
    )
    answers = json.loads(finished.out)
    assert (finished.code, finished.err) == (0, "")
    assert [answer["id"] for answer in answers] == wanted["id"][0].tolist()
    assert [answer["title"] for answer in answers] == [f"Book {item - 100}" for item in wanted["id"][0]]
    assert [answer["score"] for answer in answers] == pytest.approx(wanted["score"][0].tolist())


def test_what_is_not_given_is_said_and_taken_as_unknown(run_tfdual, model: Path) -> None:
    finished = run_tfdual("query", model / "1", "user_id=u3", "-k", "4", "--json")
    assert finished.code == 0
    assert "unknown: recent, age, mood" in finished.err
    assert np.isfinite([answer["score"] for answer in json.loads(finished.out)]).all()
    assert len(json.loads(finished.out)) == 4


def test_a_table_has_a_line_an_item(run_tfdual, text_model: Path) -> None:
    finished = run_tfdual("query", text_model, "where", "is", "3", "-k", "5")
    assert (finished.code, finished.err) == (0, "")
    assert sum("Book" in line for line in finished.out.splitlines()) == 5


def test_a_table_shows_brackets_and_colons_as_they_are(run_tfdual, tmp_path: Path) -> None:
    questions = {"question": [f"where is {i}" for i in range(12)]}
    folder = export([QUESTION], questions, tmp_path / "books", "list[int] {} [/end] :key:")
    finished = run_tfdual("query", folder, "where is 3", "-k", "12")
    assert (finished.code, finished.err) == (0, "")
    assert all(f"list[int] {i} [/end] :key:" in finished.out for i in range(12))


def test_a_corpus_smaller_than_k_comes_whole(run_tfdual, text_model: Path) -> None:
    finished = run_tfdual("query", text_model, "where is 3", "-k", "50", "--json")
    assert sorted(answer["id"] for answer in json.loads(finished.out)) == list(range(100, 112))


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve books with years and prices, two query towers, and a column that may be left out."""
    item = [ColumnSchema("book", [Tags.ITEM_ID]), ColumnSchema("year", [Tags.ITEM])]
    price = ColumnSchema("price", [Tags.ITEM], {"nullable": True}, dtype="float32")
    sides = [
        ColumnSchema("user", [Tags.USER_ID]),
        ColumnSchema("age", [Tags.USER], {"nullable": True}, dtype="float32"),
    ]
    values = {
        "user": list(range(12)),
        "age": pa.array([20.0] * 6 + [50.0] * 6, pa.float32()),
        "book": list(range(100, 112)),
        "year": list(range(1990, 2002)),
        "price": pa.array([None, *range(11)], pa.float32()),
    }
    models = []
    for columns in (sides, sides[:1]):
        schema = Schema([*columns, *item, price])
        prep = tfdual.Preprocessor(schema).adapt(tfdual.read(pa.table(values), schema))
        model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tfdual.MLPBlock([4], "tanh"), post="l2-norm"))
        model.build()
        models.append((model, prep))
    (model, prep), (other, other_prep) = models
    for mine, theirs in zip(other.towers.item.variables, model.towers.item.variables, strict=True):
        mine.assign(theirs)
    books = tfdual.read(pa.table(values), Schema([*item, price]))
    retriever = model.to_retriever(books, None, prep, attributes=["price"], filters=["year"])
    folder = tmp_path_factory.mktemp("filtered") / "books"
    retriever.with_query_tower("b", other.to_query_tower(other_prep)).export(folder)
    return folder


def test_what_is_excluded_or_filtered_out_is_not_found(run_tfdual, filtered: Path) -> None:
    words = ["user=3", "--exclude", "107", "--exclude", "108", "--filter", "year >= 1996", "-k", "9", "--json"]
    finished = run_tfdual("query", filtered, *words)
    assert (finished.code, finished.err) == (0, "")
    answers = json.loads(finished.out)
    assert sorted(answer["id"] for answer in answers) == [106, 109, 110, 111]
    wanted = tfdual.Retriever.load(filtered).search({"user": [3]}, 9, [[107, 108]], "year >= 1996")
    assert [answer["id"] for answer in answers] == wanted["id"][0][:4].tolist()
    table = run_tfdual("query", filtered, *words[:-1])
    assert "-inf" not in table.out
    assert [str(answer["id"]) in table.out for answer in answers] == [True] * 4


def test_a_tower_is_asked_by_its_name(run_tfdual, filtered: Path) -> None:
    finished = run_tfdual("query", filtered, "user=3", "--tower", "b", "-k", "4", "--json")
    wanted = tfdual.Retriever.load(filtered).search({"user": [3]}, 4, tower="b")
    assert finished.code == 0
    assert [answer["score"] for answer in json.loads(finished.out)] == pytest.approx(wanted["score"][0].tolist())
    check_refused(run_tfdual("query", filtered, "age=3", "--tower", "b"), "query key 'age'", "['user']")


def test_a_nullable_column_may_be_left_out_and_a_missing_attribute_is_null(run_tfdual, filtered: Path) -> None:
    finished = run_tfdual("query", filtered, "user=3", "-k", "12", "--json")
    assert (finished.code, finished.err) == (0, "")
    prices = {answer["id"]: answer["price"] for answer in json.loads(finished.out)}
    assert prices == {100: None, **{101 + i: float(i) for i in range(11)}}
    told = run_tfdual("query", filtered, "age=30", "-k", "1", "--json")
    assert "unknown: user" in told.err


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--tower", "c"], ["no query tower 'c'", "['b', 'default']"]),
        (["--exclude", "first"], ["--exclude takes int64 ids", "first"]),
        (["--exclude", "99999999999999999999"], ["99999999999999999999"]),
        (["--filter", "price > 2"], ["price"]),
        (["--filter", "year >"], ["year >"]),
    ],
)
def test_an_option_that_does_not_fit_is_one_line(
    run_tfdual, filtered: Path, words: list[str], parts: list[str]
) -> None:
    check_refused(run_tfdual("query", filtered, "user=3", *words), *parts)


def test_an_item_is_excluded_where_there_is_nothing_to_filter_by(run_tfdual, text_model: Path) -> None:
    check_refused(run_tfdual("query", text_model, "book", "--filter", "title == 'x'"), "title")
    finished = run_tfdual("query", text_model, "book", "-k", "12", "--exclude", "100", "--json")
    assert sorted(answer["id"] for answer in json.loads(finished.out)) == list(range(101, 112))


@pytest.mark.parametrize(
    ("dtype", "text", "seconds"),
    [
        ("int64", "2020-08-01", 1_596_240_000),
        ("float64", "2020-08-01T12:00:03.5Z", 1_596_283_203.5),
        ("float64", "1596240000.5", 1_596_240_000.5),
        ("int64", "17", 17),
    ],
)
def test_a_time_is_iso_8601_or_seconds(dtype: str, text: str, seconds: float) -> None:
    assert parse_query([f"at={text}"], Schema([ColumnSchema("at", [Tags.TIME], dtype=dtype)])) == {"at": seconds}


@pytest.mark.parametrize("text", ["", "August", "2020-08-01T12:00:03.5Z"])
def test_what_is_no_time_of_that_type_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"'at' takes a time such as 2020-08-01T12:00:03Z, or seconds.*as int64. Received"
    ):
        parse_query([f"at={text}"], Schema([ColumnSchema("at", [Tags.TIME], dtype="int64")]))
