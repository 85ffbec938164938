"""The options that say how a CSV file is written."""

from collections import Counter
from typing import Annotated

import typer

from tfdual.data import CsvFormat

Separator = Annotated[
    str | None, typer.Option(help=r"Between the fields of a CSV, \t for a tab; default: told by its first line.")
]
NoQuotes = Annotated[bool, typer.Option("--no-quotes", help="Quotes of a CSV are text like any other.")]
Encoding = Annotated[str | None, typer.Option(help="Of a CSV, such as latin-1; default utf-8.")]
Columns = Annotated[str | None, typer.Option(help="Names of the columns of a CSV without a header: user,item.")]
Escape = Annotated[str | None, typer.Option(help="Before a quote inside the quotes of a CSV; default: written twice.")]


def csv_format(
    separator: str | None, no_quotes: bool, encoding: str | None, columns: str | None, escape: str | None
) -> CsvFormat | None:
    """What the options say; None where none is given.

    Raises:
        ValueError: a name is empty or stands twice, or a value is none that a `CsvFormat` takes.
    """
    if not no_quotes and (separator, encoding, columns, escape) == (None, None, None, None):
        return None
    names = None if columns is None else columns.split(",")
    if wrong := [name for name, times in Counter(names).items() if not name or times > 1]:
        raise ValueError(
            "--columns takes the names of all columns, such as user,item, none of them empty or twice there. "
            f"Received {', '.join(map(repr, wrong))}."
        )
    return CsvFormat(
        "\t" if separator == r"\t" else separator,
        None if no_quotes else '"',
        "utf-8" if encoding is None else encoding,
        names,
        escape,
    )
