"""`tfdual index`."""

import contextlib
import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tfdual._arrow_arrays import to_numpy
from tfdual.cli.source_columns import SourceColumns
from tfdual.cli.words import in_options
from tfdual.data.read import read
from tfdual.index import BruteForce, Index, ScaNN
from tfdual.schema import ColumnSchema, Schema
from tfdual.serving import ItemEmbeddings
from tfdual.serving.embedding_parts import EMBEDDING, FILE

KINDS = ("brute-force", "scann")
SAMPLE = 100

Kind = Annotated[str, typer.Option(help=f"{' or '.join(KINDS)}.")]
TargetRecall = Annotated[float | None, typer.Option(help="Share of the exact top 10 to find, for scann.")]
Dtype = Annotated[str | None, typer.Option(help="float32, bfloat16, int8 or binary, for brute-force.")]


def index(
    embeddings: Annotated[str, typer.Argument(help="A folder of `embed_items`; or Parquet: a file, a folder, a glob.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    id: Annotated[str | None, typer.Option(help="Column of the ids, for Parquet.")] = None,
    embedding: Annotated[str | None, typer.Option(help="Column of the embeddings, for Parquet.")] = None,
    kind: Kind = KINDS[0],
    target_recall: TargetRecall = None,
    distance: Annotated[str, typer.Option(help="dot, cosine or l2.")] = "dot",
    dtype: Dtype = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build an index of item embeddings, and save it."""
    if out.exists():
        raise FileExistsError(f"{out} is there already. Move it away, or name another folder.")
    made = new_index(kind, target_recall, distance, dtype)
    found = _held(embeddings, id, embedding)
    start = time.perf_counter()
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with warnings_in_lines(console), shown as progress:
        ids = found.ids()
        blocks = _watched(found.blocks(), progress, len(ids))
        made.build(blocks, ids, found.space)
    seconds = time.perf_counter() - start
    made.save(out)
    if as_json:
        typer.echo(json.dumps(made.describe() | {"space": made.space, "seconds": round(seconds, 3), "path": str(out)}))
        return
    if isinstance(made, ScaNN) and made.curve:
        typer.echo(made.report())
    typer.echo(f"{in_words(made.describe())}, built in {seconds:.1f} s\nsaved in {out}")


def new_index(kind: str, target_recall: float | None, distance: str = "dot", dtype: str | None = None) -> Index:
    """An index that isn't built yet.

    Args:
        kind: str. One of `KINDS`.
        target_recall: float. For scann. None: its default.
        distance: str.
        dtype: str. For brute-force. None: its default.

    Raises:
        ValueError: another kind, or an option of the other kind.
        ImportError: scann is not installed.
    """
    if kind not in KINDS:
        raise ValueError(f"--kind is one of {', '.join(KINDS)}. Received {kind!r}.")
    if kind == "scann" and dtype is not None:
        raise ValueError("--dtype is for --kind brute-force. Leave it out.")
    if kind != "scann" and target_recall is not None:
        raise ValueError("--target-recall is for --kind scann; brute-force finds all. Add --kind scann.")
    if kind == "scann":
        return ScaNN(distance=distance) if target_recall is None else ScaNN(target_recall, distance)
    return BruteForce(distance) if dtype is None else BruteForce(distance, dtype)


@contextlib.contextmanager
def warnings_in_lines(console: Console) -> Iterator[None]:
    """Print what is warned of as a line each, after the block."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in said:
        console.print(f"tfdual: {in_options(str(warning.message))}", markup=False)


def in_words(about: dict[str, Any]) -> str:
    """What `Index.describe` says, in a line."""
    recall = f"finds {about['measured_recall']:.3f} of the exact top 10" if not about["exact"] else "exact"
    leaves = f", {about['leaves_to_search']:,} of {about['leaves']:,} leaves searched" if about.get("leaves") else ""
    return f"{about['kind']}: {about['items']:,} items of width {about['dim']}, {about['distance']}, {recall}{leaves}"


@dataclass(frozen=True)
class _Held:
    """Embeddings to index: ids, and blocks in their order."""

    ids: Callable[[], np.ndarray]
    blocks: Callable[[], Iterable[np.ndarray]]
    space: str = ""


def _held(source: str, id_column: str | None, embedding_column: str | None) -> _Held:
    if (Path(source) / FILE).exists():
        if id_column or embedding_column:
            raise ValueError(f"{source} says itself which columns it holds. Leave --id and --embedding out.")
        held = ItemEmbeddings(source)
        return _Held(lambda: held.ids, held.blocks, held.space)
    id_column, embedding_column = id_column or "id", embedding_column or EMBEDDING
    found = SourceColumns.of(source, "parquet", SAMPLE)
    if missing := [name for name in (id_column, embedding_column) if name not in found.schema]:
        reasons = "".join(f"'{name}' is {found.reasons[name]}. " for name in missing if name in found.reasons)
        raise ValueError(
            f"{source} holds no ids, or no lists of one length, as {missing}. {reasons}It holds {list(found.reasons)}. "
            "Name the columns by --id and --embedding."
        )
    item, vector = found.schema[id_column], found.schema[embedding_column]
    if item.is_list or not (item.dtype == "string" or item.dtype.startswith("int")):
        raise ValueError(
            f"Ids are integers or strings, one an item. The column '{id_column}' holds others: "
            f"{found.reasons[id_column]}."
        )
    if not vector.is_list or vector.width is None or vector.dtype == "string":
        raise ValueError(
            f"Embeddings are lists of one length. The column '{embedding_column}' of {source} holds others."
        )
    ids = ColumnSchema(id_column, dtype="string" if item.dtype == "string" else "int64")
    vectors = ColumnSchema(embedding_column, dtype="float32", dims=(None, vector.width))
    return _Held(lambda: np.concatenate(list(_column(source, ids))), lambda: _column(source, vectors))


def _column(source: str, column: ColumnSchema) -> Iterator[np.ndarray]:
    """A column of Parquet files, block by block."""
    for table in read(source, Schema([column]), format="parquet").tables():
        array = to_numpy(table[column.name])
        assert isinstance(array, np.ndarray)  # no list differs in length
        yield array


def _watched(blocks: Iterable[np.ndarray], progress: Progress, total: int) -> Iterator[np.ndarray]:
    """The blocks; a bar says how far they are read, and then that the index is built."""
    task = progress.add_task("Reading embeddings", total=total)
    for block in blocks:
        yield block
        progress.advance(task, len(block))
    progress.update(task, description="Building the index")
