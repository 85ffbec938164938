"""Items for Vespa: ids, embeddings, attributes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from tfdual.index.item_ids import id_array, kind_of, shown
from tfdual.serving.item_embeddings import ItemEmbeddings
from tfdual.tailoring.vespa.names import NO_FIELD, check_name

EMBEDDING = "embedding"
BLOCK = 4_096
FIELD_TYPES = {
    "bool": "bool",
    "int8": "byte",
    "int16": "int",
    "int32": "int",
    "int64": "long",
    "uint8": "int",
    "uint16": "int",
    "uint32": "long",
    "float16": "float",
    "float32": "float",
    "float64": "double",
}


@runtime_checkable
class VectorBlocks(Protocol):
    """Embeddings that are read block by block: `ItemEmbeddings`, or anything with these two."""

    dim: int

    def blocks(self) -> Iterator[np.ndarray]:
        """Blocks `(rows, dim)`, in the order of the ids."""


@dataclass(frozen=True, eq=False)
class VespaItems:
    """What becomes the documents of an application: one an item.

    Ids and attributes are in memory; embeddings are read a block at a time, also those of an `np.memmap`.

    Args:
        ids: int64 or strings, `(items,)`, all different.
        vectors: `(items, dim)`, or `VectorBlocks`.
        attributes: name -> `(items,)`: booleans, integers, floats or strings. A float that is NaN, and a string that is
            None, is left out of the document: Vespa holds none there. Defaults to none.
        item_id: str. Name of the field that holds the id. Defaults to `"id"`.

    Raises:
        TypeError: ids that are no ids; an attribute of another type.
        ValueError: no item, an id twice; numbers of rows that differ; a name that Vespa doesn't take.

    Example:
        >>> items = VespaItems(["a", "b"], np.eye(2), {"year": [1999, 2004]})
        >>> items.dim, items.fields
        (2, {'id': 'string', 'year': 'long'})
    """

    ids: Any
    vectors: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)
    item_id: str = "id"

    def __post_init__(self) -> None:
        ids = id_array(self.ids)
        attributes = {name: np.asarray(values) for name, values in self.attributes.items()}
        vectors = self.vectors if isinstance(self.vectors, VectorBlocks) else np.asanyarray(self.vectors)
        for name, value in (("ids", ids), ("attributes", attributes), ("vectors", vectors)):
            object.__setattr__(self, name, value)
        _check_ids(ids)
        if isinstance(vectors, np.ndarray) and (vectors.ndim != 2 or len(vectors) != len(ids) or not vectors.size):
            raise ValueError(
                f"Vectors are (items, dim), one an id. Received the shape {vectors.shape} with {len(ids)} ids."
            )
        if isinstance(vectors, np.ndarray) and vectors.dtype.kind not in "fiu":
            raise TypeError(f"Vectors are real numbers. Received {vectors.dtype}.")
        for name in (self.item_id, *attributes):
            check_name("A field", name, NO_FIELD | {EMBEDDING})
        if self.item_id in attributes:
            raise ValueError(f"'{self.item_id}' is the field of the id. Rename the attribute, or pass another item_id.")
        for name, values in attributes.items():
            if values.shape != ids.shape:
                raise ValueError(
                    f"The attribute '{name}' needs one value an item, {ids.shape}. Received the shape {values.shape}."
                )
            _field_type(name, values)

    @classmethod
    def of(cls, embeddings: ItemEmbeddings) -> Self:
        """The items of a folder that `embed_items` wrote, with all their attributes."""
        return cls(embeddings.ids, embeddings, embeddings.attributes(), embeddings.item_id)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.vectors.dim if isinstance(self.vectors, VectorBlocks) else self.vectors.shape[1]

    @property
    def fields(self) -> dict[str, str]:
        """Names and types of the id's field and of the attributes', in Vespa's words."""
        of_id = "long" if kind_of(self.ids) == "int64" else "string"
        return {self.item_id: of_id} | {name: _field_type(name, values) for name, values in self.attributes.items()}

    def blocks(self) -> Iterator[np.ndarray]:
        """The embeddings in the order of the ids, `(rows, dim)` each."""
        if isinstance(self.vectors, VectorBlocks):
            yield from self.vectors.blocks()
        else:
            yield from (self.vectors[start : start + BLOCK] for start in range(0, len(self), BLOCK))


def _check_ids(ids: np.ndarray) -> None:
    if not len(ids):
        raise ValueError("There is no item. Pass at least one.")
    values, counts = np.unique(ids, return_counts=True)
    if len(twice := values[counts > 1]):
        raise ValueError(f"The ids of items differ. These stand several times: {[shown(item) for item in twice[:5]]}.")


def _field_type(name: str, values: np.ndarray) -> str:
    if values.dtype.kind in "SU" or (
        values.dtype.kind == "O" and all(value is None or isinstance(value, str | bytes) for value in values)
    ):
        return "string"
    if values.dtype.name not in FIELD_TYPES:
        raise TypeError(
            f"The attribute '{name}' needs booleans, integers, floats or strings. Received {values.dtype}. Convert it, "
            "or leave it out."
        )
    return FIELD_TYPES[values.dtype.name]
