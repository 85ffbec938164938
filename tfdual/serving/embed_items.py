"""All items through the item tower, to a folder of Parquet files."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.preprocessing import Preprocessor
from tfdual.schema import Schema
from tfdual.serving.ahead import ahead
from tfdual.serving.embedding_hashes import RowsHash, items_hash
from tfdual.serving.embedding_parts import AGAIN, EMBEDDING, FILE, Manifest, flush_parts, part_name
from tfdual.serving.folder_lock import locked
from tfdual.serving.item_batches import ItemBatches
from tfdual.serving.item_embeddings import ItemEmbeddings
from tfdual.serving.part_writer import PartWriter

BATCH = 4_096
AHEAD = 4  # batches that are prepared, and as many that wait to be written
Columns = dict[str, Tensor]


class ItemEncoder(Protocol):
    """What embeds items: every `DualEncoder` does."""

    item_id: str

    @property
    def item_columns(self) -> Sequence[str]:
        """Names of the model-ready columns that the item tower reads."""

    @property
    def compiled_encode_item(self) -> Callable[[Columns], Tensor]:
        """From model-ready columns to embeddings."""

    def embedding_space(self, preprocessor: Preprocessor) -> str:
        """A name of the space that the embeddings lie in."""


def embed_items(
    model: ItemEncoder,
    items: Rows,
    preprocessor: Preprocessor,
    folder: str | Path,
    attributes: Sequence[str] = (),
    progress: bool = False,
    shard_rows: int = 65_536,
) -> ItemEmbeddings:
    """Embed the items, one row an item, and write them part by part; what is there already is kept.

    Killed and called again with the same arguments, it goes on: parts that are whole are compared with the items, but
    not embedded again, and at most one part is computed twice. Only a few batches are in memory, and of the items only
    the id, the attributes and what the tower reads: the next batches are read and preprocessed, and those before
    written, while one is embedded.

    Args:
        model: a trained model, such as `TwoTowerModel`.
        items: raw rows of `tfdual.read`; their order is that of the embeddings.
        preprocessor: Preprocessor that the model was trained with.
        folder: path. Made where it is missing.
        attributes: names of raw single-valued columns to keep beside the embeddings. Defaults to none.
        progress: bool. Show a bar on standard error. Defaults to `False`.
        shard_rows: int. Items a part, about: a part holds whole batches of equal size. Defaults to 65,536.

    Returns:
        `ItemEmbeddings`.

    Raises:
        TypeError: the items are no rows of `tfdual.read`.
        ValueError: the folder holds other files, embeddings of another model or of other items, or is in use; the items
            lack a column; an attribute is no single-valued column; an embedding is not finite; the preprocessor knows
            more ids than the model.
        OSError: the folder can't be written, or the disk is full. Whole parts stay; call it again to go on.
    """
    _check(model, items, attributes, shard_rows)
    model = model.served() if hasattr(model, "served") else model
    encode = model.compiled_encode_item  # makes the weights
    read = _raw_columns(model, preprocessor)
    items = items.select(_selected(items.schema, [model.item_id, *attributes, *read]))
    batches = -(-shard_rows // BATCH)
    size = -(-shard_rows // batches)
    wanted = Manifest(
        model.embedding_space(preprocessor),
        items_hash(items),
        model.item_id,
        list(attributes),
        len(items),
        size * batches,
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(folder, wait=False))
        except BlockingIOError as error:
            raise ValueError(
                f"Another process embeds items into {folder}. Wait for it, or use another folder."
            ) from error
        manifest = _begun(folder, wanted)
        bar = held.enter_context(_bar(progress))
        _Run(encode, ItemBatches(items, preprocessor, read, size), folder, manifest, batches, bar).to_the_end()
    return ItemEmbeddings(folder)


@dataclass
class _Run:
    encode: Callable[[Columns], Tensor]
    items: ItemBatches
    folder: Path
    manifest: Manifest
    batches: int  # of a part
    bar: Progress

    def to_the_end(self) -> None:
        """Keep the parts that are whole, make the others."""
        task = self.bar.add_task("Embedding items", total=self.manifest.rows)
        numbers = range(self.manifest.count)
        whole = {number for number in numbers if not self.manifest.fault(self.folder, number)}
        runs = [(kept, list(run)) for kept, run in groupby(numbers, whole.__contains__)]
        for run in (run for kept, run in runs if kept):
            for rows in self._verified(run):
                self.bar.advance(task, rows)
        for run in (run for kept, run in runs if not kept):
            for rows in self._made(run):
                self.bar.advance(task, rows)
        if not self.manifest.complete:
            flush_parts(self.folder, list(self.manifest.parts))
            self.manifest.complete = True
            self.manifest.write(self.folder)
            flush_parts(self.folder, [FILE])

    def _verified(self, run: list[int]) -> Iterator[int]:
        """Compare the rows that consecutive parts were made of with those of today; rows of each batch."""
        tables = self.items.raw(run[0] * self.batches)
        for number in run:
            source = RowsHash()
            for table in islice(tables, self.batches):
                source.update(table)
                yield table.num_rows
            if source.hexdigest() != self.manifest.parts[part_name(number)].source:
                raise ValueError(f"{self.folder / part_name(number)} holds embeddings of other items. {AGAIN}")

    def _made(self, run: list[int]) -> Iterator[int]:
        """Embed consecutive parts, while the next batches are prepared; a part ends before the next begins."""
        with ahead(self.items.prepared(run[0] * self.batches), AHEAD) as prepared:
            for number in run:
                yield from self._part(number, islice(prepared, self.batches))

    def _part(self, number: int, prepared: Iterator[tuple[pa.Table, Columns]]) -> Iterator[int]:
        """Embed a part and list it; batches are written while the next ones are embedded."""
        told = self.manifest
        out = PartWriter(self.folder, number, told.item_id, told.attributes, told.dim)
        with contextlib.closing(out), ThreadPoolExecutor(1) as pool:
            writing: deque[Future[None]] = deque()
            for rows, ready in prepared:
                embeddings = np.asarray(self.encode(ready)).astype(np.float32, copy=False)
                writing.append(pool.submit(out.append, rows, embeddings))
                if len(writing) > AHEAD:
                    writing.popleft().result()
                yield len(embeddings)
            for batch in writing:
                batch.result()
            told.parts[part_name(number)], told.dim = out.finish(), out.dim
        told.write(self.folder)


def _raw_columns(model: ItemEncoder, preprocessor: Preprocessor) -> list[str]:
    """What the tower reads, as it is before the preprocessor; a column that this doesn't know passes unchanged."""
    unknown = [name for name in model.item_columns if name not in preprocessor.schema]
    return [*preprocessor.raw_columns(model.item_columns).column_names, *unknown]


def _selected(schema: Schema, names: Sequence[str]) -> Schema:
    if missing := [name for name in names if name not in schema]:
        raise ValueError(f"The items lack the columns {missing}. They have {schema.column_names}.")
    return schema.select_by_name(list(dict.fromkeys(names)))


def _begun(folder: Path, wanted: Manifest) -> Manifest:
    """The manifest of a folder that this run may go on with; written where the folder is new."""
    for left in (*folder.glob(".part-*.writing"), *folder.glob(f".{FILE}.writing")):
        left.unlink()
    if not (folder / FILE).exists():
        if found := sorted(child.name for child in folder.iterdir()):
            raise ValueError(f"{folder} holds other files, such as {found[0]}. Give a folder that is new or empty.")
        wanted.write(folder)
        return wanted
    manifest = Manifest.read(folder)
    told = {
        "space": "embeddings of another model, in the space",
        "source": "embeddings of other items, of the source",
        "item_id": "the id column",
        "attributes": "the attributes",
        "rows": "the number of items",
        "shard_rows": "the rows a part",
    }
    for name, what in told.items():
        there, here = getattr(manifest, name), getattr(wanted, name)
        if there != here:
            raise ValueError(f"{folder} holds {what} {there!r}. This would be {here!r}. {AGAIN}")
    return manifest


def _check(model: ItemEncoder, items: Rows, attributes: Sequence[str], shard_rows: int) -> None:
    if not isinstance(items, Rows):
        raise TypeError(f"Items are raw rows of `tfdual.read`. Received {type(items).__name__}.")
    if shard_rows < 1:
        raise ValueError(f"A part has at least 1 row. Received shard_rows={shard_rows}.")
    if model.item_id not in items.schema:
        raise ValueError(
            f"The items lack their id, the column '{model.item_id}'. They have {items.schema.column_names}."
        )
    for name in attributes:
        if name not in items.schema or items.schema[name].is_list:
            raise ValueError(
                f"The attribute '{name}' must be a single-valued column of the items. They have "
                f"{items.schema.column_names}."
            )
    names = [model.item_id, EMBEDDING, *attributes]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Columns of the files must differ. {repeated} would stand twice: rename or leave them out.")


def _bar(is_shown: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not is_shown)
