"""Text to ids of its WordPieces."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
import tensorflow_text as text
from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner

from tfdual._piece_file import read_pieces
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.arrow_values import to_arrow, to_tensor
from tfdual.preprocessing.column_types import check_text, id_list
from tfdual.preprocessing.transform import Transform
from tfdual.preprocessing.value_counts import ValueCounts
from tfdual.schema import ColumnSchema

UNKNOWN = "[UNK]"
RESERVED = ["[PAD]", UNKNOWN]
WORDS = 1_000_000
ALONE = r"[\p{P}$+<=>^`|~\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{F900}-\x{FAFF}]"


@register
class WordPiece(Transform):
    """Text -> ids of words and parts of words (`play ##ing`), by a vocabulary file or one learned from the rows.

    The text is normalised as BERT's is (lower case, NFD, no accents), and split at spaces and punctuation. Learned
    vocabularies begin with `[PAD]` and `[UNK]`: 0 is padding, and 1 a word that no pieces compose. Counts of all words
    are kept, and pieces are learned from the million most frequent; later rows append new pieces.

    Args:
        vocabulary: path of a file with one piece a line, as BERT's `vocab.txt`, or a sequence of pieces; the place of a
            piece is its id. Defaults to `None`: learn it. The pieces are saved with the preprocessor.
        vocabulary_size: int. Pieces to learn, about. Defaults to 8,000.
        lowercase: bool. Lower case and no accents; `False` for the file of a cased model. Defaults to `True`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the vocabulary lacks `[UNK]` or holds a piece twice, the size is below 100, or all texts to learn
            from are empty.
        TypeError: the column holds no single strings.

    Reference: Song et al., 2021, arXiv:2012.15524
    """

    def __init__(
        self,
        vocabulary: str | Path | Sequence[str] | None = None,
        vocabulary_size: int = 8_000,
        lowercase: bool = True,
    ) -> None:
        if vocabulary_size < 100:
            raise ValueError(f"WordPiece learns at least 100 pieces. Received vocabulary_size={vocabulary_size}.")
        self.vocabulary = _read(Path(vocabulary)) if isinstance(vocabulary, str | Path) else vocabulary
        self.vocabulary_size = vocabulary_size
        self.lowercase = lowercase
        self._counts = ValueCounts()
        self.pieces = RESERVED
        if self.vocabulary is not None:
            if UNKNOWN not in self.vocabulary:
                raise ValueError(
                    f"The vocabulary lacks the piece {UNKNOWN}. Add it, or give another, as BERT's vocab.txt."
                )
            if repeated := [piece for piece, times in Counter(self.vocabulary).items() if times > 1]:
                raise ValueError(
                    f"The pieces of a vocabulary must differ. Received these more than once: {repeated[:5]}. "
                    "Remove those lines; the pieces behind them get other ids."
                )
            self._take(list(self.vocabulary))

    @property
    def learns(self) -> bool:
        return self.vocabulary is None

    def _take(self, pieces: list[str]) -> None:
        self.pieces = pieces
        self._tokenizer = text.FastBertTokenizer(
            pieces, token_out_type=tf.int64, unknown_token=UNKNOWN, lower_case_nfd_strip_accents=self.lowercase
        )

    def update(self, column: ColumnSchema, values: pa.Array) -> None:
        """Count the words of one batch."""
        normal = text.FastBertNormalizer(self.lowercase).normalize(to_tensor(column, values))
        words = text.regex_split(normal, rf"\s+|{ALONE}", ALONE)
        self._counts.add(to_arrow(words.flat_values))

    def finish(self) -> None:
        """Learn the pieces, and append those that are new."""
        counts = self._counts.table()
        frequent = counts.take(pc.select_k_unstable(counts, min(WORDS, len(counts)), [("count", "descending")]))
        ranked = frequent.sort_by([("count", "descending"), ("value", "ascending")])
        words = list(zip(ranked["value"].to_pylist(), ranked["count"].to_pylist(), strict=True))
        if not words:
            raise ValueError("WordPiece learns from words, and every text was empty. Give it texts, or a vocabulary.")
        learned = learner.learn(words, self.vocabulary_size, RESERVED, lower_thresh=2)
        known = set(self.pieces)
        self._take([*self.pieces, *(piece for piece in learned if piece not in known)])

    def state(self) -> dict[str, Any]:
        """The pieces in order, and the counts of words."""
        return {"pieces": pa.table({"value": self.pieces}), "counts": self._counts.table()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take pieces and counts."""
        self._counts = ValueCounts(state["counts"])
        self._take(state["pieces"]["value"].to_pylist())

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """A ragged int64 list over the pieces."""
        check_text(self, column)
        return id_list(column, len(self.pieces))

    def __call__(self, column: ColumnSchema, values: Tensor) -> tf.RaggedTensor:
        return self._tokenizer.tokenize(values)


def _read(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no vocabulary file {path}. Give one with a piece a line, or None to learn.")
    return read_pieces(path)
