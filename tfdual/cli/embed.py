"""`tfdual embed`."""

import json
import time
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
import typer

from tfdual.cli.source_columns import SourceColumns
from tfdual.data.arrow_types import ARROW_TYPES, decoded, is_text, is_time
from tfdual.data.read import read
from tfdual.features import TextEncoder
from tfdual.schema import ColumnSchema, Schema
from tfdual.schema.sample_values import dtype_of
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
    """Encode a corpus of texts to Parquet files of embeddings; killed and called again, it goes on.

    A missing text is an empty one. Ids of a CSV are integers where each is written as one, else strings.
    """
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
    """The id as it is stored, and strings that may be missing."""
    found = SourceColumns.of(corpus, format, SAMPLE)
    found.check([id, *text], " Use --id and --text.")
    if found.from_text:
        dtype = _spelled_id(corpus, id, format)
    elif id in found.rows.column_names:
        dtype = _stored_id(corpus, id, decoded(found.rows.schema.field(id).type))
    else:  # in a feature map
        dtype = _stored_id(corpus, id, ARROW_TYPES[found.schema[id].dtype] if id in found.schema else None)
    texts = [ColumnSchema(name, dtype="string", properties={"nullable": True}) for name in text]
    return Schema([ColumnSchema(id, dtype=dtype), *texts])


def _stored_id(corpus: str, id: str, held: pa.DataType | None) -> str:
    """The dtype of ids of a type."""
    if held is not None and is_text(held):
        return "string"
    if held is None or is_time(held) or dtype_of(held) not in ("int32", "int64"):
        raise ValueError(f"Ids are integers or strings. The column '{id}' of {corpus} holds {held}.")
    return "int64"


def _spelled_id(corpus: str, id: str, format: str | None) -> str:
    """The dtype that keeps each id of a CSV as it is written.

    Raises:
        ValueError: a row has no id.
    """
    column = ColumnSchema(id, dtype="string", properties={"nullable": True})
    row, are_integers = 0, True
    for texts in (table[id] for table in read(corpus, Schema([column]), format=format).tables()):
        if texts.null_count:
            row += pc.index(texts.is_null(), True).as_py()
            raise ValueError(
                f"Each row needs an id. Row {row} of {corpus} has none in the column '{id}'. Fill it, or name another "
                "column by --id."
            )
        row += len(texts)
        are_integers = are_integers and _are_integers(texts)
    return "int64" if are_integers else "string"


def _are_integers(texts: pa.ChunkedArray) -> bool:
    """Whether each is an integer from 0 on, without leading zeros and the like."""
    try:
        numbers = texts.cast(pa.int64())
    except pa.ArrowInvalid:
        return False
    return pc.min(numbers).as_py() >= 0 and numbers.cast(pa.string()).equals(texts)
