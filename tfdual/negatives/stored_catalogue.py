"""The items that a source draws from, part of its saved state."""

from collections.abc import Iterable, Mapping
from typing import Any

from keras import ops

from tfdual._typing import Tensor
from tfdual.negatives.catalogue import Catalogue
from tfdual.negatives.stored_arrays import StoredArrays

CatalogueLike = Catalogue | Iterable[Mapping[str, Tensor]]


class StoredCatalogue:
    """A catalogue that a graph reads, that `adapt` replaces, and that is saved with a source.

    Args:
        owner: str. The source that it belongs to, for messages.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._arrays = StoredArrays()

    def replace(self, catalogue: Catalogue, others: Mapping[str, Tensor] | None = None) -> None:
        """Hold these items, and other arrays that belong to them."""
        self._arrays.replace(catalogue.arrays | dict(others or {}))

    @property
    def is_there(self) -> bool:
        """Whether there are items."""
        return bool(self._arrays.names)

    @property
    def size(self) -> Tensor:
        """How many items, an int32 scalar.

        Raises:
            ValueError: there are none yet.
        """
        return ops.cast(ops.shape(self.arrays["ids"])[0], "int32")

    @property
    def arrays(self) -> StoredArrays:
        """All arrays.

        Raises:
            ValueError: there are none yet.
        """
        if not self.is_there:
            raise ValueError(f"{self._owner} knows no items yet. Call `adapt(items)` before training.")
        return self._arrays

    def rows(self, positions: Tensor) -> dict[str, Tensor]:
        """The model-ready columns of the items at these positions, `(n, ...)`, in the order of their names."""
        columns = {}
        for array in self.arrays.names:
            kind, _, name = array.partition(":")
            if kind == "dense":
                columns[name] = self.arrays.take(array, positions)
            elif kind == "values":
                columns[name] = self.arrays.take_lists(array, f"row_splits:{name}", positions)
        return dict(sorted(columns.items()))

    def positions(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Where items of these ids, `(n,)`, stand, and whether they do; where not, the position is that of another."""
        ids = ops.cast(ids, "int64")
        ordered = self.arrays["ordered_ids"]
        places = ops.minimum(ops.cast(ops.searchsorted(ordered, ids), "int32"), self.size - 1)
        return self.arrays.take("order", places), ops.equal(self.arrays.take("ordered_ids", places), ids)

    def save(self, store: Any) -> None:
        """Write it into a store of Keras."""
        self._arrays.save(store)

    def load(self, store: Any) -> None:
        """Read what `save` wrote."""
        self._arrays.load(store)
