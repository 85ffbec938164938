"""All items through the item tower, to a folder of Parquet files."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.data.arrow_types import arrow_schema
from tfdual.index.item_ids import shown
from tfdual.preprocessing import Preprocessor
from tfdual.serving.embedding_hashes import RowsHash, items_hash
from tfdual.serving.embedding_parts import (
    AGAIN,
    EMBEDDING,
    FILE,
    Manifest,
    PartWriter,
    embedding_column,
    flush_parts,
    part_name,
    parts_schema,
)
from tfdual.serving.folder_lock import locked
from tfdual.serving.item_embeddings import ItemEmbeddings

BATCH = 4_096
Columns = dict[str, Tensor]


class ItemEncoder(Protocol):
    """What embeds items: every `DualEncoder` does."""

    item_id: str

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

    Killed and called again with the same arguments, it goes on: parts that are whole are read against the items, but
    not embedded again, and at most one part is computed twice. Only a few batches are in memory.

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
            lack a column; an attribute is no single-valued column; an embedding is not finite.
        OSError: the folder can't be written, or the disk is full. Whole parts stay; call it again to go on.
    """
    _check(model, items, attributes, shard_rows)
    encode = model.compiled_encode_item  # makes the weights
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
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
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(folder, wait=False))
        except BlockingIOError as error:
            raise ValueError(
                f"Another process embeds items into {folder}. Wait for it, or use another folder."
            ) from error
        manifest = _begun(folder, wanted)
        bar = held.enter_context(_bar(progress))
        _Run(encode, items, preprocessor, folder, manifest, size, bar).to_the_end()
    return ItemEmbeddings(folder)


@dataclass
class _Run:
    encode: Callable[[Columns], Tensor]
    items: Rows
    preprocessor: Preprocessor
    folder: Path
    manifest: Manifest
    size: int
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

    @property
    def _batches(self) -> int:
        """Batches a part."""
        return self.manifest.shard_rows // self.size

    def _pairs(self, run: list[int]) -> Iterator[tuple[int, bool, Columns, Columns]]:
        """Batches of consecutive parts: number of the part, whether it ends here, ids and attributes, model-ready."""
        kept = (self.manifest.item_id, *self.manifest.attributes)
        first = run[0] * self._batches
        rows = self.items.batch(self.size, start=first).take(len(run) * self._batches)
        pairs = rows.map(lambda raw: ({name: raw[name] for name in kept}, self.preprocessor(raw))).prefetch(1)
        last = -(-self.manifest.rows // self.size) - 1
        for place, (raw, ready) in enumerate(pairs, first):
            yield place // self._batches, place == last or (place + 1) % self._batches == 0, raw, ready

    def _verified(self, run: list[int]) -> Iterator[int]:
        """Compare the rows that parts were made of with those of today; rows of each batch."""
        source = RowsHash()
        for number, is_last, raw, ready in self._pairs(run):
            source.update(raw, ready)
            if is_last:
                if source.hexdigest() != self.manifest.parts[part_name(number)].source:
                    raise ValueError(
                        f"{self.folder / part_name(number)} holds embeddings of other items, or of items that were "
                        f"preprocessed otherwise. {AGAIN}"
                    )
                source = RowsHash()
            yield _rows(raw, self.manifest.item_id)

    def _made(self, run: list[int]) -> Iterator[int]:
        """Embed parts; a batch is written while the next one is embedded, and a part ends before the next begins."""
        with ThreadPoolExecutor(1) as pool, contextlib.closing(_Writing(self.folder, self.manifest, self.items)) as out:
            writing: Future[None] | None = None
            for number, is_last, raw, ready in self._pairs(run):
                embeddings = self.encode(ready).numpy().astype(np.float32, copy=False)
                if writing is not None:
                    writing.result()
                writing = pool.submit(out.append, number, is_last, raw, ready, embeddings)
                if is_last:
                    writing.result()
                yield len(embeddings)


class _Writing:
    """The part that is being written, if any."""

    def __init__(self, folder: Path, manifest: Manifest, items: Rows) -> None:
        self._folder, self._manifest = folder, manifest
        self._columns = arrow_schema(items.schema.select_by_name([manifest.item_id, *manifest.attributes]))
        self._part: PartWriter | None = None
        self._source = RowsHash()

    def append(self, number: int, is_last: bool, raw: Columns, ready: Columns, embeddings: np.ndarray) -> None:
        """Write a batch; the last one of a part ends it, and lists it."""
        ids = raw[self._manifest.item_id].numpy()
        if not np.isfinite(embeddings).all():
            bad = ids[int(np.flatnonzero(~np.isfinite(embeddings).all(axis=1))[0])]
            raise ValueError(
                f"The embedding of the item {shown(bad)!r} holds NaN or infinity. Train with a lower learning rate."
            )
        if self._manifest.dim not in (None, embeddings.shape[1]):
            raise ValueError(
                f"{self._folder} holds embeddings of width {self._manifest.dim}. Received {embeddings.shape[1]}. "
                f"{AGAIN}"
            )
        schema = parts_schema(self._columns, embeddings.shape[1])
        if self._part is None:
            self._part, self._source = PartWriter(self._folder, number, schema), RowsHash()
        arrays = [pa.array(raw[name].numpy(), self._columns.field(name).type) for name in self._columns.names]
        self._part.append(pa.Table.from_arrays([*arrays, embedding_column(embeddings)], schema=schema))
        self._source.update(raw, ready)
        if is_last:
            self._manifest.parts[self._part.path.name] = self._part.finish(self._source.hexdigest())
            self._manifest.dim, self._part = embeddings.shape[1], None
            self._manifest.write(self._folder)

    def close(self) -> None:
        """Remove a part that did not come to its end."""
        if self._part is not None:
            self._part.discard()


def _rows(columns: Columns, name: str) -> int:
    return int(columns[name].shape[0])


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
