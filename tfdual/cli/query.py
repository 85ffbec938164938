"""`tfdual query`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tfdual.schema import ColumnSchema, Kind, Schema
from tfdual.serving import Retriever


def query(
    model_dir: Annotated[Path, typer.Argument(help="What `Retriever.export` wrote: a version, or a folder of them.")],
    words: Annotated[list[str], typer.Argument(help="A text, or key=value pairs; lists as 1,2,3.")],
    k: Annotated[int, typer.Option("-k", help="How many items.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Ask a saved model."""
    retriever = Retriever.load(model_dir)
    given = parse_query(words, retriever.query_schema)
    features = {column.name: [given.get(column.name, _unknown(column))] for column in retriever.query_schema}
    found = retriever.search(features, k)
    if lacking := [name for name in retriever.query_schema.column_names if name not in given]:
        Console(stderr=True).print(f"Not given, so taken as unknown: {', '.join(lacking)}", style="dim")
    names = ["id", "score", *retriever.description["attributes"]]
    answers = [
        dict(zip(names, row, strict=True)) for row in zip(*(found[name][0].tolist() for name in names), strict=True)
    ]
    if as_json:
        typer.echo(json.dumps(answers, indent=2))
        return
    table = Table("", *names)
    for rank, answer in enumerate(answers, 1):
        table.add_row(
            str(rank), *(f"{value:.4g}" if isinstance(value, float) else str(value) for value in answer.values())
        )
    Console().print(table)


def parse_query(words: list[str], schema: Schema) -> dict[str, Any]:
    """Command-line words to one raw query.

    `key=value` sets a column. Words without `=` are a text, where the model takes exactly one.

    Raises:
        ValueError: a key is unknown or stands twice, a value doesn't fit, or there is no place for a text.
    """
    pairs = [word.partition("=") for word in words]
    if all(not separator for _, separator, _ in pairs):
        texts = [column.name for column in schema if column.kind is Kind.STRING]
        if len(texts) != 1:
            raise ValueError(f"This model takes key=value pairs, not a text. Its keys are {schema.column_names}.")
        return {texts[0]: " ".join(words)}
    query: dict[str, Any] = {}
    for key, separator, value in pairs:
        if not separator or key not in schema:
            raise ValueError(f"The model doesn't know the query key {key!r}. Its keys are {schema.column_names}.")
        if key in query:
            raise ValueError(f"The query key {key!r} stands twice. Give it once; lists as {key}=1,2,3.")
        query[key] = _value(value, schema[key])
    return query


def _value(text: str, column: ColumnSchema) -> Any:
    convert = str if column.dtype == "string" else float if column.dtype.startswith("float") else int
    try:
        if not column.is_list:
            return convert(text)
        return [convert(part.strip()) for part in text.split(",") if part.strip()]
    except ValueError as error:
        wanted = f"a list such as 1,2,3 of {column.dtype}" if column.is_list else column.dtype
        raise ValueError(f"The query key '{column.name}' takes {wanted}. Received {text!r}.") from error


def _unknown(column: ColumnSchema) -> Any:
    if column.is_list:
        return [0.0] * column.width if column.width else []
    return {"string": "", "int64": -1, "int32": -1, "bool": False}.get(column.dtype, float("nan"))
