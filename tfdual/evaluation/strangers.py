"""Seen ids that are of no item of the corpus, and what is said of them."""

import re
from typing import Any

import numpy as np

from tfdual.data.faults import short
from tfdual.evaluation.corpus import Corpus
from tfdual.evaluation.judgements import Judgements
from tfdual.index.item_ids import shown

BETWEEN = re.compile(rb"[\s|;,]+")
LOOKED_AT = 100


class Strangers:
    """Counts the seen ids that are of no item, and keeps an example.

    Args:
        corpus: Corpus.
        column: str. The column of the seen ids; None: there is none.
    """

    def __init__(self, corpus: Corpus, column: str | None) -> None:
        self._corpus, self._column = corpus, column
        self.count = 0
        self._some_known = False
        self._first: Any = None
        self._several: bytes | None = None  # a text of several ids

    def add(self, judged: Judgements) -> None:
        """Take in a batch."""
        self._some_known |= judged.excluded is not None and len(judged.excluded[0]) > 0
        if not len(ids := judged.seen_outside):
            return
        if not self.count:
            self._first = ids[0]
        self.count += len(ids)
        if self._several is None:
            self._several = next(filter(self._is_several, ids[:LOOKED_AT].tolist()), None)

    def _is_several(self, text: Any) -> bool:
        """Whether it is a text of at least two ids of items, with something between them."""
        parts = BETWEEN.split(text) if isinstance(text, bytes) else []
        return len(parts) > 1 and (self._corpus.positions(np.array(parts, object), self._corpus.column) >= 0).sum() > 1

    def warning(self) -> str:
        """What is wrong with the seen ids; empty where nothing is."""
        if self._several is not None:
            return (
                f"{self.count:,} ids in '{self._column}' are of no item, and some are several ids in one text, such as "
                f"{short(shown(self._several))}, which leave nothing out. Give lists: in a CSV as JSON, such as "
                "[\"a\", \"b\"], or as short values that repeat between one of '|', ';' and ','."
            )
        if self.count and not self._some_known:
            return (
                f"None of the {self.count:,} ids in '{self._column}', such as {short(shown(self._first))}, is of an "
                f"item in the corpus, so that nothing is left out. Compare them with '{self._corpus.column}'."
            )
        return ""
