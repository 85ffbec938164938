"""Texts -> the words that are searched for."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from tfdual._optional import require

LANGUAGES = (
    "danish",
    "dutch",
    "english",
    "french",
    "german",
    "italian",
    "norwegian",
    "portuguese",
    "russian",
    "spanish",
    "swedish",
    "turkish",
)
_WORD = re.compile(r"\w+")
_SEAM = re.compile(r"_|[a-z][A-Z]")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class WordAnalysis:
    """Texts -> words: lower case, two letters or digits at least, without the most frequent ones, as their stems.

    An identifier counts whole and by its parts, so that `getFile` and `get_file` are found by "file".

    Args:
        language: str. Of the stop words and the stems, such as `"english"` or `"german"`. Defaults to `"english"`.
        stop_words: bool. Leave out the words that stand in every text. Defaults to `True`.
        stemming: bool. Take words by their Snowball stems. Defaults to `True`.
        identifiers: bool. Add the parts of identifiers. Defaults to `True`.

    Raises:
        ValueError: another language.

    Example:
        >>> WordAnalysis()(["Painted the walls", "call openFile"])
        [['paint', 'wall'], ['call', 'openfil', 'open', 'file']]
    """

    language: str = "english"
    stop_words: bool = True
    stemming: bool = True
    identifiers: bool = True

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ValueError(f"There are words of {', '.join(LANGUAGES)}. Received language={self.language!r}.")

    def __call__(self, texts: Sequence[str]) -> list[list[str]]:
        """The words of each text, in their order.

        Raises:
            ImportError: bm25s or PyStemmer is not installed.
            TypeError: a text is no `str`.
        """
        if isinstance(texts, str | bytes):
            raise TypeError(f"A list of texts is wanted. Received one: {texts!r}. Put it into a list.")
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f'A text is a str, "" where there is none. Received {text!r} at place {place}.')
        stemmer = require("Stemmer", extra="bm25").Stemmer(self.language) if self.stemming else None
        return required_bm25s().tokenize(
            [_with_parts(text) for text in texts] if self.identifiers else list(texts),
            stopwords=self.language if self.stop_words else None,
            stemmer=stemmer,
            return_ids=False,
            show_progress=False,
        )


def required_bm25s() -> ModuleType:
    """The package bm25s.

    Raises:
        ImportError: it is not installed.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")  # of a bar that isn't shown, in a notebook
        return require("bm25s", extra="bm25")


def _with_parts(text: str) -> str:
    parts = [part for word in _WORD.findall(text) if _SEAM.search(word) for part in _PART.findall(word)]
    return " ".join([text, *parts])
