"""`tfdual chat`: a line in, the best item out, and the turns before it read again."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tfdual
from tests.features.text.tiny_model import write_model
from tfdual import ColumnSchema, Retriever, Schema, Tags
from tfdual.cli.chat import answer_attribute
from tfdual.features import TextEncoder
from tfdual.models import PolyEncoder
from tfdual.preprocessing import Passthrough

Talker = Callable[[list[str]], Retriever]
ANSWERS = ["a tea and milk", "green\ntea!", "milk, a", "b b b", "teas and teas"]


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Talker:
    """From attributes to a retriever of a poly-encoder of dialogues, not trained."""
    columns = [
        ColumnSchema("history", [Tags.USER], dtype="string", is_list=True),
        ColumnSchema("answer", [Tags.ITEM], dtype="string"),
        ColumnSchema("language", [Tags.ITEM, Tags.CATEGORICAL], dtype="string"),
        ColumnSchema("answer_id", [Tags.ITEM_ID]),
    ]
    schema = Schema(columns)
    values = {"history": [["tea"]] * 5, "answer": ANSWERS, "language": ["en"] * 5, "answer_id": range(5)}
    rows = tfdual.read(pa.table(values), schema)
    prep = tfdual.Preprocessor(schema, {"history": Passthrough(), "answer": Passthrough()}).adapt(rows)
    folder = tmp_path_factory.mktemp("talker")
    encoder = TextEncoder.from_directory(write_model(folder / "tiny"), normalize=True)
    model = PolyEncoder(schema.select_by_name(["history", "answer", "answer_id"]), encoder, codes=4, seed=0)
    return lambda attributes: model.to_retriever(
        rows.select(schema.select_by_tag(Tags.ITEM)), preprocessor=prep, attributes=attributes
    )


@pytest.fixture(scope="module")
def exported(talker: Talker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return talker(["answer"]).export(tmp_path_factory.mktemp("served") / "answers")


@pytest.fixture(scope="module")
def loaded(exported: Path) -> Retriever:
    return Retriever.load(exported)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def said(monkeypatch: pytest.MonkeyPatch, text: str | io.TextIOBase, kind: type = io.StringIO) -> None:
    monkeypatch.setattr("sys.stdin", kind(text) if isinstance(text, str) else text)


def wanted(retriever: Retriever, history: list[str], top: int = 1) -> list[tuple[str, str]]:
    """Score and text of the best, as they are printed."""
    found = retriever.search({"history": [history]}, top)
    pairs = zip(found["score"][0], found["answer"][0], strict=True)
    return [(f"{score:.4f}", " ".join(text.split())) for score, text in pairs]


def printed(out: str) -> list[tuple[str, str]]:
    return [tuple(line.split(maxsplit=1)) for line in out.splitlines()]


@pytest.fixture
def talk(run_tfdual, loaded: Retriever, exported: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """`tfdual chat` with something said, of a model that is loaded once."""
    monkeypatch.setattr("tfdual.cli.chat.Retriever.load", lambda path: loaded)

    def run(text: str | io.TextIOBase, *options: str, kind: type = io.StringIO):
        said(monkeypatch, text, kind)
        return run_tfdual("chat", exported, *options)

    return run


def test_each_line_is_answered_after_the_turns_before_it(
    run_tfdual, loaded: Retriever, exported: Path, monkeypatch
) -> None:
    said(monkeypatch, "green tea\n\n  milk and a  \n")
    finished = run_tfdual("chat", exported)
    first = wanted(loaded, ["green tea"])
    second = wanted(loaded, ["green tea", first[0][1], "milk and a"])
    assert (finished.code, finished.err) == (0, "")
    assert printed(finished.out) == first + second


def test_reset_forgets_and_quit_ends(talk, loaded: Retriever) -> None:
    finished = talk("milk\n:reset\ngreen tea\n:quit\nnever read\n", "--top", "3")
    assert printed(finished.out) == wanted(loaded, ["milk"], 3) + wanted(loaded, ["green tea"], 3)


def test_the_last_turns_alone_are_read(talk, loaded: Retriever) -> None:
    finished = talk("milk\nb\ngreen tea\n", "--history", "1")
    assert printed(finished.out) == [wanted(loaded, [line])[0] for line in ("milk", "b", "green tea")]


def test_more_answers_than_there_are_is_all_of_them(talk) -> None:
    finished = talk(":) tea\n", "--top", "50")
    assert sorted(text for _, text in printed(finished.out)) == sorted(" ".join(text.split()) for text in ANSWERS)


def test_at_a_terminal_a_line_is_asked_for(talk, loaded: Retriever) -> None:
    finished = talk("milk\n", kind=Terminal)
    assert finished.code == 0
    assert finished.out.startswith("> ")
    assert wanted(loaded, ["milk"])[0][1] in finished.out


def test_nothing_said_is_nothing_answered(talk) -> None:
    assert talk("") == (0, "", "")


@pytest.mark.parametrize("option", ["--top", "--history"])
def test_a_number_below_one_is_refused(talk, option: str) -> None:
    assert talk("milk\n", option, "0").code == 2


def test_a_model_of_one_text_reads_the_turns_joined(run_tfdual, text_model: Path, monkeypatch) -> None:
    said(monkeypatch, "where is 3\nand 4\n")
    finished = run_tfdual("chat", text_model, "--separator", " | ")
    assert finished.code == 0
    (_, first), (score, _) = printed(finished.out)
    found = Retriever.load(text_model).search({"question": [f"where is 3 | {first} | and 4"]}, 1)
    assert float(score) == pytest.approx(float(found["score"][0, 0]), abs=1e-4)
    assert np.isfinite(float(score))


def test_one_of_several_texts_is_chosen_as_the_answer(talker: Talker) -> None:
    assert answer_attribute(talker(["answer", "language"]), "language") == "language"
    assert answer_attribute(talker(["answer_id", "answer"]), None) == "answer"


@pytest.mark.parametrize(
    ("attributes", "wanted", "message"),
    [
        ([], None, r"no text with an item.*attributes=\['answer'\]"),
        (["answer_id"], None, "no text with an item"),
        (["answer", "language"], None, r"the texts \['answer', 'language'\].*--answer answer"),
        (["answer"], "score", r"no text 'score' with an item. It gives \['answer'\]"),
    ],
)
def test_a_model_that_has_no_answer_is_refused(talker: Talker, attributes, wanted, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        answer_attribute(talker(attributes), wanted)


def test_a_model_that_is_not_there_or_takes_more_than_a_text_is_one_line(run_tfdual, model: Path, monkeypatch) -> None:
    said(monkeypatch, "milk\n")
    finished = run_tfdual("chat", model)
    assert (finished.code, finished.out, finished.err.count("\n")) == (2, "", 1)
    assert "A dialogue is one column of text, or of lists of texts. This model takes ['user_id'" in finished.err
    assert run_tfdual("chat", model / "nowhere").code == 2


def test_a_byte_that_is_no_text_is_replaced(talk, monkeypatch, loaded: Retriever) -> None:
    piped = io.TextIOWrapper(io.BytesIO(b"milk caf\xe9\ngreen tea\n"), encoding="utf-8")
    finished = talk(piped, "--history", "1")
    assert (finished.code, finished.err) == (0, "")
    assert printed(finished.out) == [wanted(loaded, [line])[0] for line in ("milk caf\ufffd", "green tea")]


def test_control_characters_of_an_answer_are_not_printed(talk, loaded: Retriever, monkeypatch) -> None:
    def search(self: Retriever, queries: dict, k: int) -> dict[str, np.ndarray]:
        return {"answer": np.array([["\x1b[31mred\x07 \x9btea\tcafé 😀"]], object), "score": np.ones((1, 1))}

    monkeypatch.setattr(Retriever, "search", search)
    assert talk("milk\n").out == "   1.0000  [31mred tea café 😀\n"


def test_characters_that_a_terminal_obeys_and_does_not_show_are_not_printed(talk, monkeypatch) -> None:
    answer = "\u202e42$\u2066 \u200b \ufeffor\u00ad less 👩\u200d💻"

    def search(self: Retriever, queries: dict, k: int) -> dict[str, np.ndarray]:
        return {"answer": np.array([[answer]], object), "score": np.ones((1, 1))}

    monkeypatch.setattr(Retriever, "search", search)
    assert talk("milk\n").out == "   1.0000  42$ or less 👩\u200d💻\n"


def test_an_answer_that_says_nothing_is_passed_over_and_is_no_turn(talk, monkeypatch) -> None:
    texts, asked = ["", " \n", "\u200e \u200f", "tea", "", "milk"], []

    def search(self: Retriever, queries: dict, k: int) -> dict[str, np.ndarray]:
        asked.append(list(queries["history"][0]))
        some = [*texts, *[""] * k][:k]
        scores = np.array([[9.0, 8, 7, 6, 5, 4, *[-np.inf] * k]])[:, :k]
        return {"answer": np.array([some], object), "score": scores}

    monkeypatch.setattr(Retriever, "search", search)
    assert printed(talk("a\nb\n").out) == [("6.0000", "tea")] * 2
    assert [*dict.fromkeys(map(tuple, asked))] == [("a",), ("a", "tea", "b")]
    assert printed(talk("a\n", "--top", "2").out) == [("6.0000", "tea"), ("4.0000", "milk")]
    assert printed(talk("a\n", "--top", "5").out) == [("6.0000", "tea"), ("4.0000", "milk")]
    texts[3] = texts[5] = ""
    asked.clear()
    assert talk("a\nb\n").out == ""
    assert asked[-1] == ["a", "b"]
