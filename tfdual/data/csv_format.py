"""How a CSV file is written."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class CsvFormat:
    """How a CSV or TSV file is written, where its header doesn't tell.

    Args:
        separator: str. One ASCII character between two fields. Defaults to `None`: comma, tab, semicolon or bar, told
            by the first line.
        quote: str. One ASCII character around fields that hold separators or ends of lines. `None` where quotes are
            text like any other, as in MIND, MS MARCO and the topics of TREC. Defaults to `'"'`.
        encoding: str. An encoding that Python knows, such as `"latin-1"`. Defaults to `"utf-8"`.
        column_names: sequence of str, one a field, of a file without a header. Defaults to `None`: the first line is
            the header.
        escape: str. One ASCII character before a quote inside a quoted field, and before itself: a backslash in
            Book-Crossing and in what Spark writes. Defaults to `None`: such a quote is written twice.

    Raises:
        ValueError: a separator, quote or escape of another length, or two of them the same; an unknown encoding; a name
            that is empty or stands twice.

    Example:
        >>> import os, tempfile
        >>> from tfdual import CsvFormat, Schema, read
        >>> path = os.path.join(tempfile.mkdtemp(), "u.data")
        >>> with open(path, "w") as file:
        ...     _ = file.write("196\\t242\\n186\\t302\\n")
        >>> written = CsvFormat(separator="\\t", column_names=["user", "item"])
        >>> read(path, Schema(["item"]), csv=written).take(2)
        [{'item': 242}, {'item': 302}]
    """

    separator: str | None = None
    quote: str | None = '"'
    encoding: str = "utf-8"
    column_names: Sequence[str] | None = None
    escape: str | None = None

    def __post_init__(self) -> None:
        _check_mark("separator", self.separator, "told by the first line")
        _check_mark("quote", self.quote, "quotes are text")
        _check_mark("escape", self.escape, "a quote in quotes is written twice")
        marks = [mark for mark in (self.separator, self.quote, self.escape) if mark is not None]
        if len(set(marks)) < len(marks):
            raise ValueError(f"Separator, quote and escape must differ. Received {marks}.")
        _check_encoding(self.encoding)
        if self.column_names is not None:
            object.__setattr__(self, "column_names", _checked_names(self.column_names))


def _check_mark(what: str, mark: str | None, without: str) -> None:
    if mark is None:
        return
    if not isinstance(mark, str) or len(mark) != 1 or not mark.isascii() or mark in "\r\n":
        raise ValueError(
            f"The {what} of a CSV is one ASCII character, no end of line, or None: {without}. Received {mark!r}."
        )


def _check_encoding(encoding: str) -> None:
    try:
        codecs.getincrementaldecoder(encoding)
        " ".encode(encoding)
    except (LookupError, TypeError, UnicodeError) as error:
        raise ValueError(
            f"There is no text encoding {encoding!r}. Use one that Python knows, such as 'utf-8', 'latin-1', 'cp1252' "
            "or 'utf-16'."
        ) from error


def _checked_names(names: Sequence[str]) -> tuple[str, ...]:
    told = () if isinstance(names, str) else tuple(names)
    if not told or not all(isinstance(name, str) and name for name in told) or len(set(told)) < len(told):
        raise ValueError(
            "column_names is a sequence of names, one a field of the file, none of them empty or twice there. "
            f"Received {names!r}."
        )
    return told
