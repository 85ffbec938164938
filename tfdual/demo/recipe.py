"""What a demo is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from tfdual.models import TwoTowerModel
from tfdual.preprocessing import Transform
from tfdual.schema import ColumnSchema, Schema, Tags


@dataclass(frozen=True)
class Recipe:
    """Data, model and baselines of one demo.

    Args:
        name: str. As in `tfdual demo --dataset`.
        schema: Schema. Raw query and item columns.
        item_id: str. The column of item ids.
        train: Table. One row a (query, positive) pair.
        queries: Table. One row a held-out query: the query columns, `relevant` and `seen` (lists of item ids).
        items: Table. One row an item.
        build: from the model-ready schema to the model, not compiled.
        transforms: mapping of column or domain -> Transform, for `Preprocessor`.
        epochs: int.
        batch_size: int.
        learning_rate: float.
        baselines: name -> function that ranks items for `queries`: `(queries, k)` item ids.
        headline: str. The figure to compare by.
        category: str. The item column that colours the picture of the embeddings.
        attributes: tuple of str. Item columns that the retriever returns.
        questions: name -> raw query, to be asked of the saved model.
    """

    name: str
    schema: Schema
    item_id: str
    train: pa.Table
    queries: pa.Table
    items: pa.Table
    build: Callable[[Schema], TwoTowerModel]
    transforms: Mapping[str, Transform]
    epochs: int
    batch_size: int
    learning_rate: float
    baselines: Mapping[str, Callable[[int], np.ndarray]]
    headline: str
    category: str
    attributes: tuple[str, ...] = ()
    questions: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def schemas(self) -> dict[str, Schema]:
        """Of the tables `train`, `queries` and `items`."""
        items = self.schema.select_by_tag(Tags.ITEM)
        dtype = self.schema[self.item_id].dtype
        lists = Schema(ColumnSchema(name, dtype=dtype, is_list=True) for name in ("relevant", "seen"))
        return {"train": self.schema, "queries": (self.schema - items) + lists, "items": items}
