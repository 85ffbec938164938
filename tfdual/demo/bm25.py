"""BM25, the baseline that searches words."""

import re
import warnings
from collections.abc import Sequence

import numpy as np

from tfdual._optional import require

_IDENTIFIER = re.compile(r"\w*(?:_|[a-z][A-Z])\w*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def bm25_rank(item_texts: Sequence[str], queries: Sequence[str], k: int) -> np.ndarray:
    """Rank items by BM25: Lucene's variant with k1 1.5 and b 0.75, English stop words, Snowball stems.

    An identifier counts whole and by its parts, so that `getFile` and `get_file` are found by "file".

    Args:
        item_texts: one text an item.
        queries: the texts to search for.
        k: int. How many items to return a query.

    Returns:
        int64 item positions, best first, `(queries, k)`.

    Raises:
        ValueError: `k` is not between 1 and the number of items.
        ImportError: bm25s or PyStemmer is not installed.
    """
    if not 1 <= k <= len(item_texts):
        raise ValueError(f"`k` must be between 1 and the number of items, {len(item_texts)}. Received {k}. Change it.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")  # of a bar that isn't shown, in a notebook
        bm25s = require("bm25s", extra="demo")
    stemmer = require("Stemmer", extra="demo").Stemmer("english")
    analysis = {"stopwords": "en", "stemmer": stemmer, "return_ids": False, "show_progress": False}
    if not queries:
        return np.empty((0, k), np.int64)

    def tokens(texts: Sequence[str]) -> list[list[str]]:
        return bm25s.tokenize([_with_parts(text) for text in texts], **analysis)

    retriever = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    retriever.index(tokens(item_texts), show_progress=False)
    positions, _ = retriever.retrieve(tokens(queries), k=k, show_progress=False)
    return positions.astype(np.int64)  # (queries, k)


def _with_parts(text: str) -> str:
    parts = [part for identifier in _IDENTIFIER.findall(text) for part in _PART.findall(identifier)]
    return " ".join([text, *parts])
