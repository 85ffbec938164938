"""Item embeddings that were written by `embed_items`."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tfdual._arrow_arrays import to_numpy
from tfdual.serving.embedding_parts import EMBEDDING, Manifest, part_name

RESUME = "Call `tfdual.serving.embed_items` again as before: it makes what is missing."


class ItemEmbeddings:
    """A folder of item embeddings, read part by part: one part is in memory at a time.

    The files are plain Parquet, `part-00000.parquet`, `part-00001.parquet`, ...: the id under its own name, `embedding`
    as a list of float32 of fixed size, and the attributes. Each is checked against its SHA-256 before it is first used.

    Args:
        folder: path. What `embed_items` wrote.

    Attributes:
        dim: int. Width of an embedding.
        space: str. Which embedding space they are of.
        item_id: str. Name of the id column.
        attribute_names: names of the attributes.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: the folder holds something else, is damaged, or is not complete.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._manifest = Manifest.read(self.folder)
        if not self._manifest.complete or self._manifest.dim is None:
            there = len(self._manifest.parts)
            raise ValueError(f"{folder} is not complete: {there} of {self._manifest.count} parts are there. {RESUME}")
        for number in range(self._manifest.count):
            self._refuse(number, self._manifest.fault(self.folder, number, checksum=False))
        self.dim: int = self._manifest.dim
        self.space = self._manifest.space
        self.item_id = self._manifest.item_id
        self.attribute_names = tuple(self._manifest.attributes)
        self._checked: set[int] = set()

    def __len__(self) -> int:
        return self._manifest.rows

    @cached_property
    def ids(self) -> np.ndarray:
        """The ids, `(items,)`: int64, or an object array of UTF-8 bytes.

        Raises:
            ValueError: a part is damaged.
        """
        return self._column(self.item_id)

    def blocks(self) -> Iterator[np.ndarray]:
        """The embeddings in the order of the ids, float32 `(rows, dim)`, a part at a time: for `Index.build`.

        Raises:
            ValueError: a part is damaged.
        """
        return self._arrays(EMBEDDING)

    def attributes(self, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Attributes in the order of the ids, `(items,)` each; strings as UTF-8 bytes.

        Args:
            names: which. Defaults to `None`: all.

        Raises:
            ValueError: there is no such attribute, or a part is damaged.
        """
        wanted = self.attribute_names if names is None else tuple(names)
        if unknown := [name for name in wanted if name not in self.attribute_names]:
            raise ValueError(f"{self.folder} has no attributes {unknown}. It has {list(self.attribute_names)}.")
        return {name: self._column(name) for name in wanted}

    def _column(self, name: str) -> np.ndarray:
        return np.concatenate(list(self._arrays(name)))

    def _arrays(self, column: str) -> Iterator[np.ndarray]:
        for number in range(self._manifest.count):
            if number not in self._checked:
                self._refuse(number, self._manifest.fault(self.folder, number))
                self._checked.add(number)
            array = to_numpy(
                pq.read_table(self.folder / part_name(number), columns=[column], partitioning=None)[column]
            )
            assert isinstance(array, np.ndarray)  # no column holds lists that differ in length
            yield array

    def _refuse(self, number: int, fault: str) -> None:
        if fault:
            raise ValueError(f"{self.folder} is damaged: {part_name(number)} {fault}. {RESUME}")
