"""Vectors of texts that were embedded before."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfdual._arrow_arrays import to_numpy
from tfdual.serving.embedding_parts import EMBEDDING, Manifest, part_name

PARTS_IN_MEMORY = 16


def content_keys(columns: Sequence[np.ndarray]) -> list[bytes]:
    """What tells texts apart, 16 bytes each: equal where all columns of a row are."""
    keys = []
    for row in zip(*columns, strict=True):
        digest = hashlib.blake2b(digest_size=16)
        for text in row:
            digest.update(len(text).to_bytes(8, "little") + text)
        keys.append(digest.digest())
    return keys


class KnownVectors:
    """Vectors by the content of their texts, in folders that `embed_texts` wrote, also where it was interrupted.

    Of a folder its whole parts count, each checked against its SHA-256. The keys are in memory, and of the vectors
    those of a few parts.

    Args:
        folders: paths.
        space: str. The embedding space that they are of.
        text_columns: names of the columns that the texts are made of, in the order in which they are joined.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a folder holds something else, embeddings of another model, or of other columns or another order.
    """

    def __init__(self, folders: Iterable[str | Path], space: str, text_columns: Sequence[str]) -> None:
        self._parts: list[Path] = []
        self._places: dict[bytes, tuple[int, int]] = {}
        self._read: OrderedDict[int, np.ndarray] = OrderedDict()
        for folder in map(Path, folders):
            manifest = Manifest.read(folder)
            _check(folder, manifest, space, text_columns)
            for number in range(manifest.count):
                if not manifest.fault(folder, number):
                    self._add(folder / part_name(number), text_columns)

    def _add(self, path: Path, text_columns: Sequence[str]) -> None:
        table = pq.read_table(path, columns=list(text_columns), partitioning=None)
        number = len(self._parts)
        self._parts.append(path)
        for row, key in enumerate(content_keys(text_arrays(table, text_columns))):
            self._places.setdefault(key, (number, row))

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def vector(self, key: bytes) -> np.ndarray:
        """The vector, float32 `(dim,)`."""
        number, row = self._places[key]
        if number not in self._read:
            column = pq.read_table(self._parts[number], columns=[EMBEDDING], partitioning=None)[EMBEDDING]
            vectors = to_numpy(column)
            assert isinstance(vectors, np.ndarray)  # lists of a fixed size
            self._read[number] = vectors
            if len(self._read) > PARTS_IN_MEMORY:
                self._read.popitem(last=False)
        self._read.move_to_end(number)
        return self._read[number][row]


def text_arrays(table: pa.Table, names: Sequence[str]) -> list[np.ndarray]:
    """Columns of strings as arrays of UTF-8 bytes; what is missing is empty."""
    return [np.asarray(to_numpy(table[name])) for name in names]


def _check(folder: Path, manifest: Manifest, space: str, text_columns: Sequence[str]) -> None:
    if manifest.space != space:
        raise ValueError(
            f"{folder} holds embeddings of another model, in the space {manifest.space!r}; this one's is {space!r}. "
            "Leave it out."
        )
    if manifest.attributes != list(text_columns):
        raise ValueError(
            f"{folder} holds embeddings of the columns {manifest.attributes}, and these are of {list(text_columns)}; "
            "their order counts, since they are joined in it. Leave the folder out."
        )
