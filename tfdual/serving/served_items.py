"""The items of a served graph, and how they change."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tfdual.index import Index
from tfdual.schema import ColumnSchema, Kind, Schema
from tfdual.serving.item_columns import ItemColumns
from tfdual.serving.raw_input import one_row_each, to_ragged
from tfdual.serving.reranker import Reranker
from tfdual.serving.served_tower import Columns, ServedTower


@dataclass(frozen=True)
class ServedItems:
    """The items' side of a served graph.

    Args:
        index: Index. Built, with the items' ids.
        schema: Schema. All raw columns of the items that are used: ids, the tower's, and those below.
        columns: ItemColumns. Raw columns, in the order of the index.
        attributes: names of columns to return with the ids.
        filters: names of columns to filter by.
        tower: ServedTower. The items' own. Defaults to `None`: none is served.
        reranker: Reranker. Defaults to `None`.
        features: ItemColumns. Model-ready columns that the re-ranker reads.
    """

    index: Index
    schema: Schema
    columns: ItemColumns
    attributes: Sequence[str] = ()
    filters: Sequence[str] = ()
    tower: ServedTower | None = None
    reranker: Reranker | None = None
    features: ItemColumns = field(default_factory=lambda: ItemColumns({}))

    def upsert(self, features: Columns, item_id: str) -> None:
        """Add or change items; of no rows, do nothing.

        Args:
            features: dense raw columns, `(items, ...)`.
            item_id: str. The column of their ids.

        Raises:
            ValueError: there is no item tower, or its model was trained since; an id is negative, or stands twice.
        """
        tower = self.tower
        if tower is None:
            raise ValueError("Items are embedded by the item tower, and none is here.")
        features = one_row_each(features, self.schema)
        ids = features[item_id].numpy()
        if not len(ids):
            return
        _refuse_negative(ids, self.schema[item_id])
        tower.require_space(self.index.space)
        ragged = to_ragged(features, self.schema)
        embeddings = tower.embed({name: features[name] for name in tower.schema.column_names})
        ready = tower.prepare(ragged) if self.reranker else {}
        self.index.upsert(embeddings.numpy(), ids)
        positions = self.index.items.positions(features[item_id]).numpy()
        self.columns.put(positions, ragged)
        self.features.put(positions, ready)


def _refuse_negative(ids: np.ndarray, column: ColumnSchema) -> None:
    """Refuse the ids that `tfdual.read` would refuse in this column."""
    least = column.properties.get("domain", {}).get("min") or 0
    if column.kind is Kind.CATEGORICAL and ids.dtype.kind == "i" and ids.min() < least:
        raise ValueError(
            f"Ids of the column '{column.name}' are {least} or more. Received {ids.min()}. Correct it, or name the "
            "domain's min in the schema's properties."
        )
