"""`tfdual evaluate`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tfdual.cli.index import warnings_in_lines
from tfdual.cli.source_columns import SourceColumns, form_of
from tfdual.data.read import read
from tfdual.evaluation import EvaluationOptions, EvaluationReport, evaluate_retriever
from tfdual.evaluation.evaluation_report import PER_QUERY, REPORT
from tfdual.evaluation.recall_picture import picture_class
from tfdual.schema import ColumnSchema, Schema
from tfdual.serving import Retriever


def evaluate(
    model_dir: Annotated[Path, typer.Argument(help="What `Retriever.export` wrote: a version, or a folder of them.")],
    source: Annotated[str, typer.Argument(help="Raw queries: a file, a directory or a glob.")],
    relevant: Annotated[str | None, typer.Option(help="Column of relevant item ids. Default: the item id's.")] = None,
    k: Annotated[list[int] | None, typer.Option("-k", "--k", help="A cut-off; may stand several times.")] = None,
    seen: Annotated[str | None, typer.Option(help="Column of item ids that are not to be found.")] = None,
    relevance: Annotated[str | None, typer.Option(help="Column of grades of the relevant items.")] = None,
    slice: Annotated[list[str] | None, typer.Option(help="Report each value of this column by itself.")] = None,
    train: Annotated[str | None, typer.Option(help="Rows trained on: popularity, and new and rare items.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for report.json, values a query and a picture.")] = None,
    compare: Annotated[Path | None, typer.Option(help="A report.json of the same queries to test against.")] = None,
) -> None:
    """Measure a saved model on held-out queries: recall, NDCG, MRR, MAP against its whole corpus."""
    if wrong := [cut_off for cut_off in k or () if cut_off < 1]:
        raise ValueError(f"-k takes cut-offs of at least 1. Received {wrong[0]}.")
    if out is not None:
        picture_class()
        if (out / REPORT).exists():
            raise FileExistsError(f"{out / REPORT} is there already. Move it away, or name another folder.")
    other = None if compare is None else EvaluationReport.load(compare)
    if other is not None and not other.per_query:
        raise ValueError(f"{compare} can't be compared without its values a query. Keep {PER_QUERY} beside it.")
    retriever = Retriever.load(model_dir)
    relevant = relevant or retriever.description["item_id"]
    options = EvaluationOptions(relevance, slices=tuple(slice or ()))
    ids = [name for name in (relevant, seen) if name is not None]
    schema = _query_schema(retriever, source, ids, [name for name in (relevance, *options.slices) if name])
    trained = None if train is None else read(train, Schema([_item_column(retriever)]))
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    with warnings_in_lines(console), console.status("Evaluating ..."):
        report = evaluate_retriever(
            retriever, read(source, schema), tuple(k or (10, 100)), relevant, seen, trained, options
        )
    comparison = None if other is None else report.compare(other)
    typer.echo(str(report))
    if comparison is not None:
        typer.echo(f"\nfirst: {model_dir}; second: {compare}\n{comparison}")
    if out is not None:
        report.save(out, beside=None if other is None else {str(compare): other})


def _query_schema(retriever: Retriever, source: str, ids: list[str], others: list[str]) -> Schema:
    """The retriever's columns and those named, whose form the first rows of the source tell.

    Raises:
        ValueError: the source lacks a column, or what is named can't be taken.
    """
    columns = SourceColumns.of(source)
    required = [column.name for column in retriever.query_schema if not column.nullable]
    columns.check([*required, *ids, *others])
    ids, others = ([name for name in names if name not in retriever.query_schema] for names in (ids, others))
    found = {name: form_of(columns.stored(name)) for name in others}
    found |= {name: replace(form_of(columns.inferred(name)), dtype=_item_column(retriever).dtype) for name in ids}
    return retriever.query_schema + Schema(found.values())


def _item_column(retriever: Retriever) -> ColumnSchema:
    items = Schema.from_dict(retriever.description["item_schema"])
    return items[retriever.description["item_id"]]
