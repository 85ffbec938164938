"""Vocabulary files of pieces, one a line, as BERT's `vocab.txt`."""

from pathlib import Path


def read_pieces(path: Path) -> list[str]:
    """The pieces in order; the place of a piece is its id."""
    # Not splitlines(): a piece may be a character that it takes for the end of a line, such as U+2028.
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
