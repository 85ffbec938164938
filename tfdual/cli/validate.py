"""`tfdual validate`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from tfdual.cli.csv_options import Columns, Encoding, Escape, NoQuotes, Separator, csv_format
from tfdual.cli.schema import check_query
from tfdual.cli.words import in_options
from tfdual.data.read import read
from tfdual.data.validation import HEADINGS, ValidationReport
from tfdual.data.validation import validate as checked
from tfdual.schema import Schema


def validate(  # noqa: PLR0913 (the options of a command)
    source: Annotated[str, typer.Argument(help="A file, a directory, a glob or the URL of a database.")],
    schema: Annotated[Path, typer.Option(help="The schema as JSON; `tfdual schema` writes a first one.")],
    query: Annotated[str | None, typer.Option(help="A SELECT or the name of a table, for a database.")] = None,
    format: Annotated[str | None, typer.Option(help="parquet, csv, jsonl, arrow or tfrecord.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    quarantine: Annotated[Path | None, typer.Option(help="Parquet file to write the bad rows to.")] = None,
    separator: Separator = None,
    no_quotes: NoQuotes = False,
    encoding: Encoding = None,
    columns: Columns = None,
    escape: Escape = None,
) -> None:
    """Check every row of a source against a schema; exit code 1 where a rule is broken."""
    wanted = Schema.load(schema)
    if quarantine is not None and quarantine.exists():
        raise FileExistsError(f"{quarantine} is there already. Move it away, or name another quarantine file.")
    check_query(source, query)
    options: dict[str, Any] = {
        "query": query,
        "format": format,
        "csv": csv_format(separator, no_quotes, encoding, columns, escape),
    }
    shown = (SpinnerColumn(), TextColumn("{task.completed:,} rows checked"), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rows", total=None)
        report = checked(source, wanted, progress=lambda rows: progress.update(task, completed=rows), **options)
    if as_json:
        typer.echo(report.to_json())
    else:
        _print(report)
    if quarantine is not None and report.bad_rows == report.rows:
        typer.echo(f"No row is good, so {quarantine} is not written.", err=True)
    elif quarantine is not None:
        read(source, wanted, on_error="quarantine", quarantine=quarantine, **options)
    raise typer.Exit(0 if report.is_valid else 1)


def _print(report: ValidationReport) -> None:
    """A table that fits the terminal; in a pipe, whole lines."""
    console = Console()
    if not (console.is_terminal and report.findings):
        typer.echo(in_options(repr(report)))
        return
    table = Table(title=f"{report.rows:,} rows, {report.bad_rows:,} of them break a rule", title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading == "rows" else "left", overflow="fold")
    for finding in report.findings:
        table.add_row(*(Text(in_options(cell)) for cell in finding.cells()))
    console.print(table)
