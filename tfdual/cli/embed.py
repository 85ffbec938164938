"""`tfdual embed`."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from tfdual.data.infer_schema import infer_schema
from tfdual.data.read import read
from tfdual.features import TextEncoder
from tfdual.schema import ColumnSchema, Schema
from tfdual.serving.embed_texts import SHARD_ROWS, embed_texts

SAMPLE = 100

Model = Annotated[Path, typer.Option(help="Directory of a text model, as Hugging Face writes them.")]
Text = Annotated[list[str], typer.Option(help="Column of texts; several are joined by a space.")]
Reuse = Annotated[
    list[Path] | None, typer.Option(help="Folder of an earlier run, whose vectors of equal texts to take.")
]


def embed(
    corpus: Annotated[str, typer.Argument(help="A file, a folder or a glob.")],
    model: Model,
    text: Text,
    out: Annotated[Path, typer.Option(help="Folder of Parquet files to make, or to go on with.")],
    id: Annotated[str, typer.Option(help="Column of the ids.")] = "id",
    reuse: Reuse = None,
    format: Annotated[str | None, typer.Option(help="parquet, csv, jsonl, arrow or tfrecord.")] = None,
    shard_rows: Annotated[int, typer.Option(min=1, help="Rows of a file, about.")] = SHARD_ROWS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Encode a corpus of texts to Parquet files of embeddings; killed and called again, it goes on."""
    encoder = TextEncoder.from_directory(model)
    rows = read(corpus, _schema(corpus, id, text, format), format=format)
    start = time.perf_counter()
    done = embed_texts(encoder, rows, id, text, out, reuse or (), progress=not as_json, shard_rows=shard_rows)
    found = {"rows": done.rows, "distinct": done.distinct, "known": done.known, "encoded": done.encoded}
    seconds = round(time.perf_counter() - start, 3)
    if as_json:
        about = {"dim": done.embeddings.dim, "space": done.embeddings.space, "path": str(out)}
        typer.echo(json.dumps(found | about | {"seconds": seconds}))
        return
    typer.echo(
        f"{done.rows:,} rows, {done.distinct:,} different texts: {done.known:,} known, {done.encoded:,} encoded in "
        f"{seconds:.1f} s\nsaved in {out}"
    )


def _schema(corpus: str, id: str, text: list[str], format: str | None) -> Schema:
    """The id as the first rows show it, and strings."""
    found = infer_schema(corpus, format=format, rows=SAMPLE, print_reasons=False)
    if missing := [name for name in (id, *text) if name not in found]:
        raise ValueError(f"{corpus} lacks the columns {missing}. It has {found.column_names}. Use --id and --text.")
    kind = "string" if found[id].dtype == "string" else "int64"
    return Schema([ColumnSchema(id, dtype=kind), *(ColumnSchema(name, dtype="string") for name in text)])
