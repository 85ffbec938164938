"""`tfdual schema`."""

from pathlib import Path
from typing import Annotated

import typer

from tfdual.cli.csv_options import Columns, Encoding, Escape, NoQuotes, Separator, csv_format
from tfdual.data.infer_schema import infer_schema


def schema(
    source: Annotated[str, typer.Argument(help="A file, a directory, a glob or the URL of a database.")],
    out: Annotated[Path | None, typer.Option(help="File to write the schema to, as JSON.")] = None,
    query: Annotated[str | None, typer.Option(help="A SELECT or the name of a table, for a database.")] = None,
    format: Annotated[str | None, typer.Option(help="parquet, csv, jsonl, arrow or tfrecord.")] = None,
    separator: Separator = None,
    no_quotes: NoQuotes = False,
    encoding: Encoding = None,
    columns: Columns = None,
    escape: Escape = None,
) -> None:
    """Guess the schema of a source from a sample of its rows; say why on stderr."""
    if out is not None and out.exists():
        raise FileExistsError(f"{out} is there already. Move it away, or name another file.")
    check_query(source, query)
    csv = csv_format(separator, no_quotes, encoding, columns, escape)
    found = infer_schema(source, query=query, format=format, csv=csv)
    typer.echo(repr(found))
    if out is not None:
        found.save(out)


def check_query(source: str, query: str | None) -> None:
    """Refuse a `--query` of what is no URL.

    Raises:
        ValueError: the source is a path.
    """
    if query is not None and "://" not in source:
        raise ValueError(f"--query needs the URL of a database, such as sqlite:///shop.db. Received {source}.")
