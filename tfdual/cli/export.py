"""`tfdual export`."""

import json
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import keras
import tensorflow as tf
import typer
from rich.console import Console

from tfdual.cli.index import KINDS, Dtype, TargetRecall, in_words, new_index, warnings_in_lines
from tfdual.cli.source_columns import SourceColumns, form_of
from tfdual.data import Rows
from tfdual.data.read import read
from tfdual.index import Index
from tfdual.models import DualEncoder
from tfdual.preprocessing import Preprocessor
from tfdual.schema import Schema, Tags
from tfdual.serving import Canary
from tfdual.serving.artefact import describe

MISSABLE = ("string", "float32", "float64")
Names = list[str] | None


def export(  # noqa: PLR0913 (the options of a command)
    model: Annotated[Path, typer.Argument(help="A trained model, as `model.save` wrote it: MODEL.keras.")],
    preprocessor: Annotated[Path, typer.Option(help="What `Preprocessor.save` wrote.")],
    items: Annotated[str, typer.Option(help="Raw items: a file, a directory or a glob; one row an item.")],
    out: Annotated[Path, typer.Option(help="Folder of versions to write the next one into.")],
    index: Annotated[Path | None, typer.Option(help="A saved index of these items, instead of a new one.")] = None,
    kind: Annotated[str | None, typer.Option(help=f"{' or '.join(KINDS)}; default {KINDS[0]}.")] = None,
    target_recall: TargetRecall = None,
    dtype: Dtype = None,
    attributes: Annotated[Names, typer.Option(help="Item column to give with ids; may stand several times.")] = None,
    filters: Annotated[Names, typer.Option(help="Item column to filter by; may stand several times.")] = None,
    item_tower: Annotated[bool, typer.Option(help="Serve the item tower as well.")] = True,
    canary: Annotated[Path | None, typer.Option(help="Raw queries to try before it is published.")] = None,
    min_recall: Annotated[float | None, typer.Option(help="Least recall of the canary queries.")] = None,
    max_latency_ms: Annotated[float | None, typer.Option(help="Longest median of the canary queries, in ms.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Join a trained model, its preprocessor and the items, and publish the next version of a served model."""
    if canary is None and not (min_recall is None and max_latency_ms is None):
        raise ValueError("--min-recall and --max-latency-ms are of canary queries. Name their file: --canary FILE.")
    if index is not None and not (kind is None and target_recall is None and dtype is None):
        raise ValueError("--index is built already. Leave --kind, --target-recall and --dtype out.")
    start = time.perf_counter()
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    with warnings_in_lines(console), console.status("Loading ...") as status:
        encoder, prep = load_model(model).served(), Preprocessor.load(preprocessor)
        built = Index.load(index) if index else new_index(kind or KINDS[0], target_recall, dtype=dtype)
        rows = _items(items, encoder, prep, [*(attributes or ()), *(filters or ())])
        asked = None
        if canary is not None:
            queries = _queries(canary, prep.raw_columns(encoder.query_side.columns))
            asked = Canary(queries, min_recall=min_recall or 0.0, max_latency_ms=max_latency_ms)
        status.update("Reading items ..." if index else "Embedding items and building the index ...")
        retriever = encoder.to_retriever(rows, built, prep, attributes or (), filters or (), item_tower)
        status.update("Exporting ...")
        path = retriever.export(out, canary=asked)
    _print(path, time.perf_counter() - start, as_json)


def load_model(path: Path) -> DualEncoder:
    """A saved model of this library.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no `.keras` file, or damaged, or needs classes that are not known.
        TypeError: it is another model.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {path}. Write one with `model.save('{path.stem}.keras')`.")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no .keras file, or damaged. Write one with `model.save('{path.stem}.keras')`.")
    try:
        model = keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, LookupError, zipfile.BadZipFile) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"The model {path} can't be loaded: {first} It is damaged, or holds layers of your own, which a program "
            "that imports them exports: `model.to_retriever(...).export(...)`."
        ) from error
    if not isinstance(model, DualEncoder):
        raise TypeError(f"{path} holds a {type(model).__name__}. Give a model of tfdual.models, e.g. a TwoTowerModel.")
    return model


def _items(source: str, model: DualEncoder, preprocessor: Preprocessor, others: Sequence[str]) -> Rows:
    """Raw items: the columns of the item tower, and others; the type of what the preprocessor doesn't know is inferred.

    Raises:
        ValueError: a column is not there, or can't be taken.
    """
    known = preprocessor.input_schema
    names = dict.fromkeys([model.item_id, *preprocessor.raw_columns(model.item_columns).column_names, *others])
    columns = {name: known[name] for name in names if name in known}
    if unknown := [name for name in names if name not in known]:
        found = SourceColumns.of(source)
        found.check(unknown)
        for column in map(found.stored, unknown):
            nullable = not column.is_list and column.dtype in MISSABLE
            held = form_of(column).with_properties({"nullable": nullable})
            columns[column.name] = replace(held, tags=column.tags & {Tags.TIME})
    return read(source, Schema(columns.values()))


def _queries(path: Path, schema: Schema) -> dict[str, Any]:
    """All queries of a file, column by column."""
    rows = read(path, schema)
    (batch,) = rows.batch(len(rows))
    return {
        name: values.to_list() if isinstance(values, tf.RaggedTensor) else values.numpy()
        for name, values in batch.items()
    }


def _print(path: Path, seconds: float, as_json: bool) -> None:
    about = describe(path)
    if as_json:
        told = {"version": int(path.name), "path": str(path), "seconds": round(seconds, 3)}
        typer.echo(json.dumps(told | {name: about[name] for name in ("index", "embedding_space", "canary")}))
        return
    typer.echo(f"version {path.name}, in {path}, after {seconds:.1f} s\n{in_words(about['index'])}")
    shown = {name: value for name, value in about["canary"].items() if name != "queries"}
    if shown:
        figures = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in shown.items())
        typer.echo(f"{about['canary']['queries']:,} canary queries: {figures}")
