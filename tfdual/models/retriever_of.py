"""A trained model and its items, joined to a retriever."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.index import Index
from tfdual.models.index_check import fitting
from tfdual.models.known_ids import require_known_ids
from tfdual.models.ready_batches import ReadyBatches
from tfdual.models.side import Side
from tfdual.preprocessing import Preprocessor
from tfdual.schema import Schema
from tfdual.serving import ItemColumns, Reranker, Retriever, ServedGraph, ServedItems, ServedTower
from tfdual.serving.corpus_columns import joined, kept_columns, require_different, require_same_ids
from tfdual.serving.served_graph import DEFAULT_TOWER
from tfdual.serving.served_tower import require_space

if TYPE_CHECKING:
    from tfdual.models.dual_encoder import DualEncoder


@dataclass(frozen=True)
class ServedColumns:
    """What is served beside ids and scores, as `DualEncoder.to_retriever` takes it."""

    attributes: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    item_tower: bool = True
    reranker: Reranker | None = None

    @property
    def raw(self) -> list[str]:
        """Raw item columns to keep."""
        return list(dict.fromkeys([*self.attributes, *self.filters]))

    @property
    def ready(self) -> list[str]:
        """Model-ready item columns to keep."""
        return list(self.reranker.item_columns) if self.reranker else []


def retriever_of(
    model: "DualEncoder",
    items: Rows | tf.data.Dataset,
    index: Index | None,
    preprocessor: Preprocessor | None,
    served: ServedColumns,
) -> Retriever:
    """What `DualEncoder.to_retriever` gives."""
    if preprocessor is None:
        raise ValueError("A retriever takes raw queries. Pass preprocessor=..., the one that the model trained with.")
    if "id" in served.attributes and model.item_id != "id":
        raise ValueError("The attribute name 'id' is taken by the item ids. Rename the column 'id'.")
    query, index = query_tower_of(model, preprocessor), fitting(model, index)
    item = tower_of(model.encode_item, model.item_side, preprocessor, query.space, query.space_now)
    query = _with_columns(query, item, served.reranker, preprocessor)
    found = _read(model, items, preprocessor, served, embed=not index.size)
    if index.size:
        require_space(query.space, index.space)
        require_same_ids(index, found.ids)
    else:
        require_different(found.ids, model.item_id)
        index.build(iter(found.embeddings), found.ids, query.space)
    raw = _raw_columns(items, preprocessor)
    names = [model.item_id, *item.schema.column_names, *served.raw]
    names += preprocessor.raw_columns(served.ready).column_names
    schema = raw.select_by_name([name for name in dict.fromkeys(names) if name in raw])
    side = ServedItems(
        index,
        schema,
        ItemColumns({name: joined(found.raw[name]) for name in served.raw}),
        served.attributes,
        served.filters,
        item if served.item_tower else None,
        served.reranker,
        ItemColumns({name: joined(found.ready[name]) for name in served.ready}),
    )
    description = {
        "item_schema": schema.to_dict(),
        "item_id": model.item_id,
        "parameters": int(model.count_params()),
    }
    return Retriever.from_graph(ServedGraph({DEFAULT_TOWER: query}, side), description)


def _raw_columns(items: Rows | tf.data.Dataset, preprocessor: Preprocessor) -> Schema:
    """Those of the preprocessor, and others that the items have."""
    raw = preprocessor.input_schema
    others = items.schema if isinstance(items, Rows) else ()
    return raw + Schema(column for column in others if column.name not in raw)


def query_tower_of(model: "DualEncoder", preprocessor: Preprocessor) -> ServedTower:
    """What `DualEncoder.to_query_tower` gives."""
    space_now = partial(model.embedding_space, preprocessor)
    space = space_now()  # makes the weights of a model that has none yet
    require_known_ids(model.query_side, preprocessor)
    return tower_of(model.encode_query, model.query_side, preprocessor, space, space_now)


def tower_of(
    encode: Callable[[dict[str, Tensor]], Tensor],
    side: Side,
    preprocessor: Preprocessor,
    space: str,
    space_now: Callable[[], str] | None,
) -> ServedTower:
    """One side of a model, from the raw columns that its model-ready ones are made of."""
    schema = preprocessor.raw_columns(side.columns)
    return ServedTower(schema, preprocessor, encode, [*side.variables, *preprocessor.tables], space, space_now)


@dataclass
class _Found:
    """What a pass over the items gave, a part for each batch."""

    ids: np.ndarray
    embeddings: list[np.ndarray]
    raw: dict[str, list[Tensor]]
    ready: dict[str, list[Tensor]]


def _read(
    model: "DualEncoder",
    items: Rows | tf.data.Dataset,
    preprocessor: Preprocessor,
    served: ServedColumns,
    embed: bool,
) -> _Found:
    raw: dict[str, list] = {name: [] for name in served.raw}
    ready: dict[str, list] = {name: [] for name in served.ready}
    ids, embeddings = [], []
    batches = ReadyBatches(items, preprocessor)
    if embed:
        batches.require("item", model.item_columns)
    for batch, columns in batches:
        ids.append(batches.raw_ids(batch, model.item_id, preprocessor))
        if embed:
            embeddings.append(model.compiled_encode_item(columns).numpy().astype(np.float32))
        for name, values in kept_columns(batch, served.attributes, served.filters).items():
            raw[name].append(values)
        for name in served.ready:
            ready[name].append(_ready(columns, name))
    if not ids:
        raise ValueError("A retriever needs at least one item. Received none.")
    return _Found(np.concatenate(ids), embeddings, raw, ready)


def _ready(columns: dict[str, Tensor], name: str) -> Tensor:
    if name not in columns:
        raise ValueError(f"The re-ranker reads the item column '{name}'. Model-ready ones are {sorted(columns)}.")
    return columns[name]


def _with_columns(
    query: ServedTower, item: ServedTower, reranker: Reranker | None, preprocessor: Preprocessor
) -> ServedTower:
    """The query tower, asked for what the re-ranker reads, too."""
    schema = query.schema
    for name in reranker.query_columns if reranker else ():
        made = preprocessor.raw_columns([name])
        if not len(made) or made.first.name in item.schema:
            raise ValueError(
                f"The re-ranker reads the query column '{name}', which isn't made of a column of queries. Model-ready "
                f"columns are {preprocessor.schema.column_names}; those of items are named in item_columns."
            )
        schema += Schema(column for column in made if column.name not in schema)
    return replace(query, schema=schema)
