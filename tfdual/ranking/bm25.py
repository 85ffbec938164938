"""BM25: texts -> those that hold the words of a query."""

import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from tfdual._aside import read_content, write_folder
from tfdual._sorted_ids import SortedIds
from tfdual.index import Neighbours
from tfdual.index.item_ids import id_array, load_ids, save_ids
from tfdual.ranking.ranked_ids import at_places, ranked_ids
from tfdual.ranking.word_analysis import WordAnalysis, required_bm25s

VARIANTS = ("lucene", "robertson", "atire", "bm25l", "bm25+")
KIND, WORDS, IDS = "bm25", "words", "ids.npz"
PLAIN = WordAnalysis()


class FoundPlaces(NamedTuple):
    """Positions, int64, and scores, float32, `(queries, k)`; -1 and -inf where no item is left."""

    positions: np.ndarray
    scores: np.ndarray


class BM25:
    """Texts -> the best of a query's words.

    The words of a query each add `idf * tf / (tf + k1 * (1 - b + b * length / mean length))`, with
    `idf = log(1 + (N - n + 0.5) / (n + 0.5))` of a word that stands in n of N texts; that is Lucene's variant. An item
    is found where it holds one word of the query at least. Among equal scores the item of the lower position is first.

    Args:
        k1: float, at least 0. How much a word counts that stands there again. Defaults to 1.5.
        b: float from 0 to 1. How much long texts are held back. Defaults to 0.75.
        variant: `"lucene"`, `"robertson"`, `"atire"`, `"bm25l"` or `"bm25+"`. Defaults to `"lucene"`.
        delta: float, at least 0. Of `"bm25l"` and `"bm25+"`. Defaults to 0.5.
        analysis: WordAnalysis. What a word is. Defaults to `WordAnalysis()`: English.

    Raises:
        ValueError: a number outside, another variant.

    Example:
        >>> index = BM25().build(["red apple", "green pear", "red red plum"], ["a", "b", "c"])
        >>> index.search(["a red pear", "kiwi"], k=2).ids.tolist()
        [['b', 'c'], ['', '']]

    Reference: Robertson and Zaragoza, 2009, doi:10.1561/1500000019; the variants: Kamphuis et al., 2020,
    doi:10.1007/978-3-030-45442-5_4
    """

    def __init__(
        self,
        k1: float = 1.5,
        b: float = 0.75,
        variant: str = "lucene",
        delta: float = 0.5,
        analysis: WordAnalysis = PLAIN,
    ) -> None:
        if not (0 <= k1 < np.inf and 0 <= b <= 1 and 0 <= delta < np.inf):
            raise ValueError(f"k1 and delta are at least 0, b is from 0 to 1. Received {k1=}, {b=}, {delta=}.")
        if variant not in VARIANTS:
            raise ValueError(f"The variants of BM25 are {', '.join(VARIANTS)}. Received {variant!r}.")
        self.k1, self.b, self.variant, self.delta, self.analysis = k1, b, variant, delta, analysis
        self._engine: Any = None
        self._ids = np.zeros(0, np.int64)

    def build(self, texts: Sequence[str], ids: Any = None) -> Self:
        """Index these texts, and return the index itself.

        Args:
            texts: one `str` an item, which may be empty.
            ids: int64 or strings, `(items,)`, all different, none of them -1 or empty. Defaults to `None`: the
                positions 0, 1, 2, ...

        Raises:
            ValueError: no text that holds a word; ids that are missing, stand twice, or are not as many as the texts.
            TypeError: a text is no `str`; ids that are neither integers nor strings.
            ImportError: bm25s or PyStemmer is not installed.
        """
        given = np.arange(len(texts)) if ids is None else id_array(ids)
        if len(given) != len(texts):
            raise ValueError(f"Each text has an id. Received {len(texts)} texts and {len(given)} ids.")
        if len(set(given.tolist())) < len(given):
            values, counts = np.unique(ranked_ids(given), return_counts=True)
            raise ValueError(f"Ids must differ. {values[counts > 1][0].item()!r} stands twice.")
        numbers: dict[str, int] = {}
        words = [[numbers.setdefault(word, len(numbers)) for word in text] for text in self.analysis(texts)]
        if not numbers:
            raise ValueError(f"None of {len(texts)} texts holds a word. Give texts to search in.")
        engine = required_bm25s().BM25(method=self.variant, k1=self.k1, b=self.b, delta=self.delta)
        engine.index((words, numbers), create_empty_token=False, show_progress=False)
        self._hold(engine, given)
        return self

    def search(self, queries: Sequence[str], k: int, exclude: Any = None, allow: Any = None) -> Neighbours:
        """The best `k` items of each query, best first.

        Args:
            queries: texts.
            k: int, at least 1. Where the index holds fewer items, all of them are asked for.
            exclude: a list of ids for each query, or one for all; padding and unknown ids do nothing. Not to be found.
                Defaults to `None`.
            allow: bool `(items,)` or `(queries, items)`. What may be found, in the order of `build`. Defaults to
                `None`: all.

        Returns:
            `Neighbours(ids, scores)`, NumPy arrays `(queries, k)`, ids int64 or `str`. Where fewer items hold a word
            of the query, the places behind them have the id -1 or `""`, and the score -inf; a query without a word
            that is known finds nothing.

        Raises:
            ValueError: the index is not built; k below 1; `exclude` or `allow` of another shape.
            TypeError: a query is no `str`; ids of another type; an `allow` that is not bool.
        """
        if exclude is not None:
            exclude = [self._positions(row) for row in _rows(exclude, len(queries))]
        found = self.search_positions(queries, k, exclude, allow)
        return Neighbours(at_places(self.ids, found.positions), found.scores)

    def search_positions(
        self, queries: Sequence[str], k: int, exclude: Sequence[np.ndarray] | None = None, allow: Any = None
    ) -> FoundPlaces:
        """What `search` gives, by positions in the order of `build`.

        Args:
            exclude: one array of positions a query. Defaults to `None`.
        """
        self._require_built()
        if isinstance(k, bool) or k < 1:
            raise ValueError(f"k is at least 1. Received {k}.")
        allowed = None if allow is None else self._allowed(allow, len(queries))
        width = min(k, self.size)
        positions = np.full((len(queries), width), -1, np.int64)
        scores = np.full((len(queries), width), -np.inf, np.float32)
        for row, words in enumerate(self.analysis(queries)):
            holds, values = self._scores(words)
            if allowed is not None:
                holds &= allowed[row]
            if exclude is not None:
                holds[exclude[row]] = False
            found = _best(np.flatnonzero(holds), values, width)
            positions[row, : len(found)], scores[row, : len(found)] = found, values[found]
        return FoundPlaces(positions, scores)

    def save(self, folder: str | Path) -> Path:
        """Write the index, as JSON and NumPy's files, for `BM25.load`.

        Raises:
            FileExistsError: something stands there.
            OSError: it can't be written. Nothing is left behind.
        """
        self._require_built()

        def write(aside: Path) -> None:
            self._engine.save(aside / WORDS, show_progress=False)
            save_ids(aside / IDS, self._ids)

        return write_folder(folder, KIND, {"config": self._config(), "about": self.describe()}, write)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """What `save` wrote: an index that gives the same results.

        Raises:
            FileNotFoundError: there is no such folder.
            ValueError: it holds no such index, or a damaged one.
            ImportError: bm25s is not installed.
        """
        content, folder = read_content(folder, KIND), Path(folder)
        package = required_bm25s()
        try:
            config = content["config"]
            index = cls(**config | {"analysis": WordAnalysis(**config["analysis"])})
            index._hold(package.BM25.load(folder / WORDS, show_progress=False), load_ids(folder / IDS))
            if not index.size == content["about"]["items"] == len(index._ids):
                raise ValueError(f"it holds {index.size} texts and {len(index._ids)} ids")
        except (OSError, LookupError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"The index in {folder} is damaged: {error}. Save it again.") from error
        return index

    @property
    def size(self) -> int:
        """How many items it holds; 0 before `build`."""
        return int(self._engine.scores["num_docs"]) if self._engine else 0

    @property
    def ids(self) -> np.ndarray:
        """The ids of all items, int64 or `str`, in the order of `build`."""
        self._require_built()
        return self._shown

    def describe(self) -> dict[str, Any]:
        """Kind, sizes and settings, as plain JSON types."""
        words = len(self._engine.vocab_dict) if self._engine else 0
        return {"kind": "BM25", "items": self.size, "words": words, **self._config()}

    def _config(self) -> dict[str, Any]:
        numbers = {"k1": self.k1, "b": self.b, "variant": self.variant, "delta": self.delta}
        return numbers | {"analysis": asdict(self.analysis)}

    def _hold(self, engine: Any, ids: np.ndarray) -> None:
        self._engine, self._ids, self._shown = engine, ids, ranked_ids(ids)
        self._sorted = SortedIds(self._shown)

    def _require_built(self) -> None:
        if self._engine is None:
            raise ValueError("The index holds no text yet. Call `build(texts)` first.")

    def _scores(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Which items hold one of these words, and the scores of all, `(items,)`."""
        holds, numbers = np.zeros(self.size, bool), self._engine.get_tokens_ids(words)
        if not numbers:
            return holds, np.zeros(self.size, np.float32)
        ends, items = self._engine.scores["indptr"], self._engine.scores["indices"]
        for number in set(numbers):
            holds[items[ends[number] : ends[number + 1]]] = True
        return holds, self._engine.get_scores_from_ids(numbers)

    def _positions(self, ids: Any) -> np.ndarray:
        """Positions of those of these ids that it holds."""
        given = ranked_ids(ids)
        if given.ndim != 1:
            raise ValueError(f"`exclude` takes a list of ids for each query. Received {ids!r} for one.")
        if not len(given):
            return np.zeros(0, np.int64)
        if given.dtype.kind != self.ids.dtype.kind:
            kinds = [{"U": "string"}.get(values.dtype.kind, "int64") for values in (self.ids, given)]
            raise TypeError(f"The ids of this index are {kinds[0]}. Received ids to exclude of {kinds[1]}.")
        positions = self._sorted.positions(given)
        return positions[positions >= 0]

    def _allowed(self, allow: Any, queries: int) -> np.ndarray:
        """Bool `(queries, items)`."""
        allow = np.asarray(allow)
        if allow.dtype != bool:
            raise TypeError(f"`allow` is bool, true for what may be found. Received {allow.dtype.name}.")
        if allow.shape not in [(self.size,), (1, self.size), (queries, self.size)]:
            raise ValueError(
                f"`allow` has one value for each of the {self.size} items, and one row, or one a query. "
                f"Received the shape {allow.shape} with {queries} queries."
            )
        return np.broadcast_to(allow, (queries, self.size))


def _rows(exclude: Any, queries: int) -> list[Any]:
    rows = [] if isinstance(exclude, str | bytes) else list(exclude)
    if len(rows) not in (1, queries):
        raise ValueError(f"`exclude` takes a list of ids for each of the {queries} queries. Received {exclude!r}.")
    return rows if len(rows) == queries else rows * queries


def _best(places: np.ndarray, scores: np.ndarray, k: int) -> np.ndarray:
    """Of ascending places the `k` with the highest scores, best first; the lower place first among equal ones."""
    values = scores[places]
    if len(places) > k:
        kept = values >= np.partition(values, len(values) - k)[len(values) - k]
        places, values = places[kept], values[kept]
    return places[np.argsort(-values, kind="stable")[:k]]
