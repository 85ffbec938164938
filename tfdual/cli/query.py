"""`tfdual query`."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

from tfdual.data.arrow_types import ARROW_TYPES, holds_times
from tfdual.data.values import convert, lists_from_text
from tfdual.schema import ColumnSchema, Kind, Schema
from tfdual.serving import Retriever
from tfdual.serving.raw_input import missing_row
from tfdual.serving.served_graph import DEFAULT_TOWER


def query(
    model_dir: Annotated[Path, typer.Argument(help="What `Retriever.export` wrote: a version, or a folder of them.")],
    words: Annotated[list[str], typer.Argument(help="A text, or key=value pairs; lists as 1,2,3 or as JSON.")],
    k: Annotated[int, typer.Option("-k", help="How many items.")] = 10,
    exclude: Annotated[
        list[str] | None, typer.Option(help="An item id not to be found; may stand several times.")
    ] = None,
    filter: Annotated[str | None, typer.Option(help='Which items to find, e.g. "year >= 1990".')] = None,
    tower: Annotated[str, typer.Option(help="Name of the query tower.")] = DEFAULT_TOWER,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Ask a saved model."""
    retriever = Retriever.load(model_dir)
    if tower not in retriever.query_schemas:
        raise ValueError(f"There is no query tower {tower!r}. There are {sorted(retriever.query_schemas)}.")
    schema = retriever.query_schemas[tower]
    given = parse_query(words, schema)
    lacking = [column for column in schema if column.name not in given and not column.nullable]
    features = {name: [value] for name, value in given.items()} | {
        column.name: [missing_row(column)] for column in lacking
    }
    excluded = [_ids(exclude, retriever.description["id_dtype"])] if exclude else None
    found = retriever.search(features, k, excluded, filter, tower)
    if lacking:
        unknown = ", ".join(column.name for column in lacking)
        Console(stderr=True).print(f"Not given, so taken as unknown: {unknown}", style="dim")
    names = ["id", "score", *retriever.description["attributes"]]
    rows = zip(*(found[name][0].tolist() for name in names), strict=True)
    answers = [dict(zip(names, row, strict=True)) for row in rows if row[1] > -math.inf]
    if as_json:
        typer.echo(json.dumps([_without_nan(answer) for answer in answers], indent=2))
        return
    table = Table("", *names)
    for rank, answer in enumerate(answers, 1):
        table.add_row(
            str(rank), *(f"{value:.4g}" if isinstance(value, float) else str(value) for value in answer.values())
        )
    Console(markup=False, emoji=False).print(table)


def parse_query(words: list[str], schema: Schema) -> dict[str, Any]:
    """Command-line words to one raw query.

    `key=value` sets a column. Words of which none begins with a name and `=` are a text, where the model takes exactly
    one.

    Raises:
        ValueError: a key is unknown or stands twice, a value doesn't fit, or there is no place for a text.
    """
    pairs = [word.partition("=") for word in words]
    texts = [column.name for column in schema if column.kind is Kind.STRING]
    if not any(separator and (key in schema or key.isidentifier()) for key, separator, _ in pairs):
        if len(texts) != 1:
            raise ValueError(f"This model takes key=value pairs, not a text. Its keys are {schema.column_names}.")
        return {texts[0]: " ".join(words)}
    query: dict[str, Any] = {}
    for key, separator, value in pairs:
        if not separator or key not in schema:
            advice = f" A text that holds '=' is written {texts[0]}='...'." if len(texts) == 1 else ""
            raise ValueError(
                f"The model doesn't know the query key {key!r}. Its keys are {schema.column_names}.{advice}"
            )
        if key in query:
            raise ValueError(f"The query key {key!r} stands twice. Give it once; lists as {key}=1,2,3.")
        query[key] = _value(value, schema[key])
    return query


def _ids(words: list[str], kind: str) -> list[Any]:
    try:
        return words if kind == "string" else [int(word) for word in words]
    except ValueError as error:
        raise ValueError(f"--exclude takes {kind} ids, one each time. Received {words}.") from error


def _without_nan(answer: dict[str, Any]) -> dict[str, Any]:
    """A missing number as JSON has it."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in answer.items()}


def _value(text: str, column: ColumnSchema) -> Any:
    kinds: dict[str, Callable[[str], Any]] = {"string": str, "float32": float, "float64": float, "bool": _bool}
    read = partial(_time, dtype=column.dtype) if holds_times(column) else kinds.get(column.dtype, int)
    try:
        if not column.is_list:
            return read(text)
        return [read(part) for part in _parts(text)]
    except ValueError as error:
        single = "true or false" if column.dtype == "bool" else column.dtype
        if holds_times(column):
            single = f"a time such as 2020-08-01T12:00:03Z, or seconds since 1970, as {column.dtype}"
        wanted = f"a list such as 1,2,3 of {column.dtype}" if column.is_list else single
        raise ValueError(f"The query key '{column.name}' takes {wanted}. Received {text!r}.") from error


def _parts(text: str) -> list[str]:
    """The values between commas, or those of a JSON list."""
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    lists, problems = lists_from_text(pa.array([text]), None)
    if problems or None in (parts := lists[0].as_py()):
        raise ValueError(f"{text!r} is no JSON list.")
    return parts


def _bool(text: str) -> bool:
    """As a CSV file has it: true or false, 1 or 0, yes or no."""
    values, problems = convert(pa.array([text]), pa.bool_())
    if problems:
        raise ValueError(f"{text!r} is neither true nor false.")
    return values[0].as_py()


def _time(text: str, dtype: str) -> Any:
    """As a CSV file has it: ISO 8601, or seconds since 1970."""
    values, problems = convert(pa.array([text]), ARROW_TYPES[dtype], of_time=True)
    if problems:
        raise ValueError(f"{text!r} is no time.")
    return values[0].as_py()
