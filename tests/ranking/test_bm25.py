"""Search of words: the formulas by hand, what is found, and what is refused."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tfdual.ranking import BM25, WordAnalysis

pytest.importorskip("bm25s")
pytest.importorskip("Stemmer")

DOCUMENTS = ["red red apple", "red pear plum fig kiwi", "apple pear", "red apple pear plum", "grape lemon"]
QUERIES = ["red apple", "pear plum plum", "lemon kiwi red"]
K1, B, DELTA = 1.2, 0.6, 0.8

# idf of N texts of which n hold the word; weight of a word that stands t times in a text of this relative length
FORMULAS: dict[str, tuple[Callable, Callable]] = {
    "lucene": (lambda N, n: math.log(1 + (N - n + 0.5) / (n + 0.5)), lambda t, ratio: t / (t + K1 * length(ratio))),
    "robertson": (
        lambda N, n: max(0.0, math.log((N - n + 0.5) / (n + 0.5))),
        lambda t, ratio: t / (t + K1 * length(ratio)),
    ),
    "atire": (lambda N, n: math.log(N / n), lambda t, ratio: t * (K1 + 1) / (t + K1 * length(ratio))),
    "bm25l": (
        lambda N, n: math.log((N + 1) / (n + 0.5)),
        lambda t, ratio: (K1 + 1) * (t / length(ratio) + DELTA) / (K1 + t / length(ratio) + DELTA),
    ),
    "bm25+": (
        lambda N, n: math.log((N + 1) / n),
        lambda t, ratio: t * (K1 + 1) / (t + K1 * length(ratio)) + DELTA,
    ),
}


def length(ratio: float) -> float:
    return 1 - B + B * ratio


def scored(variant: str, documents: list[list[str]], query: list[str]) -> list[float]:
    """The score of each document, -inf where it holds no word of the query."""
    idf, weight = FORMULAS[variant]
    mean_length = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in query:
            held = sum(word in other for other in documents)
            score += idf(len(documents), held) * weight(document.count(word), len(document) / mean_length)
        scores.append(score if set(query) & set(document) else -math.inf)
    return scores


def ids(found: np.ndarray) -> list:
    return found.tolist()


@pytest.mark.parametrize("variant", FORMULAS)
def test_the_scores_are_those_of_the_formula(variant: str) -> None:
    analysis = WordAnalysis(stop_words=False, stemming=False, identifiers=False)
    found = BM25(K1, B, variant, DELTA, analysis).build(DOCUMENTS).search(QUERIES, k=5)
    words = [text.split() for text in DOCUMENTS]
    for row, query in enumerate(QUERIES):
        expected = np.array(scored(variant, words, query.split()))
        order = np.argsort(-expected, kind="stable")
        order = [int(place) if np.isfinite(expected[place]) else -1 for place in order]
        assert found.ids[row].tolist() == order
        np.testing.assert_allclose(found.scores[row], -np.sort(-expected), rtol=1e-5)


def test_ids_and_scores_are_arrays_of_their_types() -> None:
    found = BM25().build(DOCUMENTS, [2**60 + place for place in range(5)]).search(QUERIES, k=2)
    assert found.ids.dtype == np.int64
    assert found.scores.dtype == np.float32
    assert found.ids[0].tolist() == [2**60, 2**60 + 3]
    named = BM25().build(DOCUMENTS, ["å", "b", "c", "d", b"e"])
    assert named.ids.tolist() == ["å", "b", "c", "d", "e"]
    assert named.search(["red red"], k=1).ids.tolist() == [["å"]]


def test_inflected_words_meet_their_stem() -> None:
    texts = ["painting walls", "baking bread", "reading books"]
    assert ids(BM25().build(texts).search(["bakes"], k=1).ids) == [[1]]
    assert ids(BM25(analysis=WordAnalysis(stemming=False)).build(texts).search(["bakes"], k=1).ids) == [[-1]]


def test_the_language_is_that_of_the_analysis() -> None:
    texts = ["die Häuser am See", "the house at the lake"]
    german = BM25(analysis=WordAnalysis("german")).build(texts)
    assert ids(german.search(["das Haus", "am the"], k=1).ids) == [[0], [1]]


def test_identifiers_are_found_by_their_parts_and_whole() -> None:
    texts = ["call openFile now", "call close_window now", "call nothing now"]
    queries = ["file", "window", "close_window"]
    assert ids(BM25().build(texts).search(queries, k=1).ids) == [[0], [1], [1]]
    whole = BM25(analysis=WordAnalysis(identifiers=False)).build(texts)
    assert ids(whole.search(queries, k=1).ids) == [[-1], [-1], [1]]


@pytest.mark.parametrize("query", ["", "zebra", "the of", "?!", "x"])
def test_a_query_without_a_known_word_finds_nothing(query: str) -> None:
    found = BM25().build(["one apple", "two pears"], ["a", "b"]).search([query, "pear"], k=2)
    assert ids(found.ids) == [["", ""], ["b", ""]]
    assert found.scores[0].tolist() == [-math.inf] * 2


def test_the_first_of_equal_scores_is_the_first_of_the_build() -> None:
    index = BM25().build(["apple"] * 50 + ["apple apple"] + ["pear"])
    for k in (1, 2, 30, 52):
        expected = [50, *range(50), -1][:k]
        assert index.search(["apple"], k).ids[0].tolist() == expected


def test_k_above_the_corpus_asks_for_all() -> None:
    found = BM25().build(["apple pie", "apple", "pear"]).search(["apple"], k=10)
    assert ids(found.ids) == [[1, 0, -1]]


def test_one_document_is_a_corpus() -> None:
    found = BM25().build(["apple pie"], ["only"]).search(["pie", "pear"], k=3)
    assert ids(found.ids) == [["only"], [""]]
    assert found.scores[0, 0] > 0


def test_an_empty_text_is_never_found() -> None:
    index = BM25().build(["", "apple", "the of"])
    assert index.size == 3
    assert ids(index.search(["apple the"], k=3).ids) == [[1, -1, -1]]


def test_no_query_gives_no_row() -> None:
    found = BM25().build(["one apple", "two pears"]).search([], k=1)
    assert found.ids.shape == found.scores.shape == (0, 1)


@pytest.mark.parametrize("names", [None, [f"id {place}" for place in range(8)]])
def test_what_is_excluded_costs_no_place(names: list[str] | None) -> None:
    texts = [f"apple {'pear ' * place}" for place in range(8)]
    index = BM25().build(texts, names)
    every = index.search(["apple"] * 2, k=8).ids
    gone = [every[0, :3].tolist(), every[0, 4:6].tolist()]
    padded = [[*gone[0], "" if names else -1], [*gone[1], "unknown" if names else 999, every[0, 4]]]
    for exclude in (gone, padded if names else np.pad(gone[1], (0, 1), constant_values=-1)[None]):
        found = index.search(["apple"] * 2, 3, exclude).ids
        for row in range(2):
            hidden = exclude[row if len(exclude) > 1 else 0]
            assert found[row].tolist() == [item for item in every[0].tolist() if item not in list(hidden)][:3]
    assert index.search(["apple"] * 2, 3, [[], []]).ids.tolist() == every[:, :3].tolist()


def test_only_what_is_allowed_is_found() -> None:
    index = BM25().build(["apple", "apple pie", "apple pie pie"], ["a", "b", "c"])
    assert ids(index.search(["apple"], 3, allow=[False, True, True]).ids) == [["b", "c", ""]]
    each = np.array([[True, False, False], [False, False, True]])
    assert ids(index.search(["apple", "apple"], 2, exclude=[["a"], []], allow=each).ids) == [["", ""], ["c", ""]]


@pytest.mark.parametrize("variant", ["lucene", "bm25+"])
def test_what_is_saved_answers_the_same(variant: str, tmp_path: Path) -> None:
    analysis = WordAnalysis("german", stop_words=False, stemming=True, identifiers=False)
    built = BM25(0.9, 0.4, variant, 1.0, analysis).build(DOCUMENTS, ["Äpfel", "b", "c", "d", "e"])
    folder = built.save(tmp_path / "deep" / "words")
    loaded = BM25.load(folder)
    for one, other in zip(built.search(QUERIES, 4), loaded.search(QUERIES, 4), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.describe() == built.describe()
    assert (loaded.k1, loaded.b, loaded.variant, loaded.delta) == (0.9, 0.4, variant, 1.0)
    assert loaded.analysis == analysis
    assert [path.name for path in folder.parent.iterdir()] == ["words"]
    assert loaded.search(["apple"], 2, [["c"]]).ids.tolist() == built.search(["apple"], 2, [["c"]]).ids.tolist()


def test_a_folder_is_not_written_over(tmp_path: Path) -> None:
    index = BM25().build(["apple"])
    index.save(tmp_path / "words")
    with pytest.raises(FileExistsError, match="there already"):
        index.save(tmp_path / "words")


def test_a_save_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("tfdual.ranking.bm25.save_ids", full)
    with pytest.raises(OSError, match="No space"):
        BM25().build(["apple"]).save(tmp_path / "new" / "words")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damaged", ["bm25.json", "ids.npz", "words/params.index.json", "words/data.csc.index.npy"])
def test_a_damaged_folder_is_refused(damaged: str, tmp_path: Path) -> None:
    folder = BM25().build(["apple"]).save(tmp_path / "words")
    (folder / damaged).write_bytes(b"{")
    with pytest.raises(ValueError, match=r"holds no saved bm25|damaged"):
        BM25.load(folder)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder"):
        BM25.load(tmp_path / "nowhere")
    (tmp_path / "bm25.json").write_text('{"format": "another"}')
    with pytest.raises(ValueError, match="not of format"):
        BM25.load(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k1": -1}, "at least 0"),
        ({"b": 1.5}, "from 0 to 1"),
        ({"delta": math.nan}, "at least 0"),
        ({"variant": "okapi"}, "variants of BM25 are"),
    ],
)
def test_a_bad_setting_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BM25(**arguments)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="Received language='klingon'"):
        WordAnalysis("klingon")


@pytest.mark.parametrize(
    ("texts", "given", "error", "message"),
    [
        ([], None, ValueError, "None of 0 texts"),
        (["", "the"], None, ValueError, "None of 2 texts holds a word"),
        (["apple", None], None, TypeError, "Received None at place 1"),
        ("apple", None, TypeError, "A list of texts"),
        (["apple"], ["a", "b"], ValueError, "1 texts and 2 ids"),
        (["apple", "pear"], ["a", "a"], ValueError, "'a' stands twice"),
        (["apple", "pear"], ["a", ""], ValueError, "marks a place without an item"),
        (["apple", "pear"], [1.5, 2.5], TypeError, "int64 or strings"),
    ],
)
def test_a_bad_corpus_is_refused(texts: list, given: list | None, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        BM25().build(texts, given)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"k": 0}, ValueError, "k is at least 1"),
        ({"queries": "apple"}, TypeError, "A list of texts"),
        ({"queries": [7]}, TypeError, "Received 7 at place 0"),
        ({"exclude": [["a"], ["b"]]}, ValueError, "each of the 1 queries"),
        ({"exclude": ["a"]}, ValueError, "a list of ids for each query"),
        ({"exclude": [[1]]}, TypeError, "ids of this index are string"),
        ({"exclude": [[1.5]]}, TypeError, "int64 or strings"),
        ({"allow": [1, 0]}, TypeError, "`allow` is bool"),
        ({"allow": [True]}, ValueError, "each of the 2 items"),
    ],
)
def test_a_bad_search_is_refused(arguments: dict, error: type, message: str) -> None:
    index = BM25().build(["apple", "pear"], ["a", "b"])
    with pytest.raises(error, match=message):
        index.search(**{"queries": ["apple"], "k": 1, **arguments})


@pytest.mark.parametrize("ask", [lambda i: i.search(["x"], 1), lambda i: i.ids, lambda i: i.save("nowhere")])
def test_an_index_without_texts_says_so(ask: Callable) -> None:
    assert BM25().size == 0
    with pytest.raises(ValueError, match="holds no text yet"):
        ask(BM25())
