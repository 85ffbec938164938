import json
from pathlib import Path

import numpy as np
import pytest

import tfdual
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


def test_a_corpus_smaller_than_k_comes_whole(run_tfdual, text_model: Path) -> None:
    finished = run_tfdual("query", text_model, "where is 3", "-k", "50", "--json")
    assert sorted(answer["id"] for answer in json.loads(finished.out)) == list(range(100, 112))
