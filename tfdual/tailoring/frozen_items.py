"""Item vectors made elsewhere, which stay as they are."""

import hashlib
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from tfdual.data import Rows, read
from tfdual.index import Index
from tfdual.index.embedding_blocks import EmbeddingBlocks
from tfdual.index.item_ids import id_array, kind_of
from tfdual.schema import ColumnSchema, Schema, Tags
from tfdual.serving.item_embeddings import ItemEmbeddings


class FrozenItems:
    """Item ids, their vectors, and the name of the space that these lie in.

    Args:
        ids: int64 or strings, `(items,)`, all different.
        vectors: `(items, dim)`, or an iterator of such blocks; a memory-mapped float32 array is not copied.
        space: str. What the vectors' maker calls their space, as `embedding_space` of a model does. Defaults to
            `None`: a hash of ids and vectors.

    Attributes:
        ids: int64, or an object array of UTF-8 bytes.
        vectors: float32 `(items, dim)`.
        space: str.

    Raises:
        ValueError: no matrix, no item, NaN or infinity; ids that are missing, stand twice, or are not as many.
        TypeError: ids that are neither integers nor strings.

    Example:
        >>> from tfdual import BruteForce
        >>> frozen = FrozenItems(["a", "b"], np.array([[1.0, 0.0], [0.0, 1.0]]), space="minilm")
        >>> frozen.index(BruteForce()).search(np.array([[2.0, 1.0]], "float32"), k=2).ids.numpy().tolist()
        [[b'a', b'b']]
    """

    def __init__(self, ids: Any, vectors: Any, space: str | None = None) -> None:
        self.ids = id_array(ids)
        if len(np.unique(self.ids)) < len(self.ids):
            values, counts = np.unique(self.ids, return_counts=True)
            raise ValueError(f"An item has one vector. These ids stand twice: {values[counts > 1][:5].tolist()}.")
        rows = np.asarray(vectors, np.float32) if isinstance(vectors, list) else vectors
        self.vectors = EmbeddingBlocks(rows, "dot", len(self.ids)).matrix()
        self.space = _space(self.ids, self.vectors) if space is None else space

    @classmethod
    def read(cls, embeddings: ItemEmbeddings | str | Path) -> Self:
        """What `tfdual.serving.embed_items` wrote, of the space that is noted there.

        Raises:
            FileNotFoundError: there is no such folder.
            ValueError: it holds something else, is damaged, or is not complete.
        """
        found = embeddings if isinstance(embeddings, ItemEmbeddings) else ItemEmbeddings(embeddings)
        return cls(found.ids, found.blocks(), found.space)

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self.vectors.shape[1]

    def __len__(self) -> int:
        return len(self.ids)

    def index(self, index: Index) -> Index:
        """Build an index of the vectors, stamped with their space."""
        return index.build(self.vectors, self.ids, self.space)

    def rows(self, item_id: str = "item_id", vector: str = "vector") -> Rows:
        """Ids and vectors as rows: to join to interactions, to draw negatives from, and as the corpus to serve.

        Args:
            item_id: str. Name of the column of ids, tagged `ITEM_ID`.
            vector: str. Name of the column of vectors, tagged `ITEM`.
        """
        kind = kind_of(self.ids)
        schema = Schema(
            [
                ColumnSchema(item_id, [Tags.ITEM_ID], dtype=kind),
                ColumnSchema(vector, [Tags.ITEM], dtype="float32", is_list=True, dims=(None, self.dim)),
            ]
        )
        ids = pa.array(self.ids, pa.int64()) if kind == "int64" else pa.array(self.ids, pa.binary()).cast(pa.string())
        flat = pa.array(np.ascontiguousarray(self.vectors).reshape(-1))
        vectors = pa.FixedSizeListArray.from_arrays(flat, self.dim)
        return read(pa.table([ids, vectors], [item_id, vector]), schema)


def _space(ids: np.ndarray, vectors: np.ndarray) -> str:
    """A hash of both."""
    digest = hashlib.sha256(repr(ids.tolist()).encode())
    digest.update(np.ascontiguousarray(vectors).data)
    return digest.hexdigest()[:16]
