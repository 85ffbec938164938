"""Trained towers and their items, joined to a retriever."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.data import Rows, read
from tfdual.index import BruteForce, Index
from tfdual.schema import Schema
from tfdual.serving import ItemColumns, Retriever, ServedGraph, ServedItems
from tfdual.serving.corpus_columns import (
    joined,
    kept_columns,
    require_different,
    require_same_ids,
    single_valued,
)
from tfdual.serving.raw_input import tensor_spec, to_ragged
from tfdual.serving.served_graph import DEFAULT_TOWER
from tfdual.serving.served_tower import require_space
from tfdual.tfrs.trained_tower import Columns, TrainedTower

BATCH = 4_096
Corpus: TypeAlias = Rows | tf.data.Dataset | Mapping[str, Any]


def retriever_of_towers(
    query: TrainedTower,
    item: TrainedTower,
    items: Corpus,
    item_id: str,
    schema: Schema | None = None,
    index: Index | None = None,
    attributes: Sequence[str] = (),
    filters: Sequence[str] = (),
    item_tower: bool = True,
) -> Retriever:
    """Embed the items by a trained tower, index them, and join query tower and index.

    Args:
        query: TrainedTower. The query tower.
        item: TrainedTower. The candidate tower.
        items: the corpus, one row an item: rows of `tfdual.read`; a dict of arrays; or a `tf.data.Dataset` of batches,
            dicts of raw columns, or tensors where one column is all that is used.
        item_id: str. The column of the ids, int64 or strings.
        schema: Schema. The types of raw item columns that the tower doesn't take: id, attributes, filters. Defaults to
            `None`: the schema of the rows; of a dict or a dataset, the tower's own.
        index: Index, not built yet, or built of these items' embeddings by this tower; then no item is embedded.
            Defaults to `None`: `BruteForce()`.
        attributes: names of raw item columns to return with the ids. Defaults to none.
        filters: names of raw item columns, single-valued or lists, to filter by in `search(..., filter=...)`. Defaults
            to none.
        item_tower: bool. Whether the item tower is served too, for `embed_item`, `score` and `upsert`. Defaults to
            `True`.

    Returns:
        `Retriever`.

    Raises:
        ValueError: embeddings of two widths, or no `(batch, dim)`; a column that no schema names, or of another type
            than it says; no item; an id stands twice; an attribute or a filter as `DualEncoder.to_retriever` refuses.
        TypeError: items of another kind; ids that are neither integers nor strings.
    """
    widths = query.width(), item.width()
    if None not in widths and widths[0] != widths[1]:
        raise ValueError(
            f"Both towers give embeddings of one width. The query tower's have {widths[0]}, the item tower's "
            f"{widths[1]}. End both in a layer of one width and train them together."
        )
    if "id" in attributes and item_id != "id":
        raise ValueError("The attribute name 'id' is taken by the item ids. Rename the column 'id'.")
    kept = list(dict.fromkeys([*attributes, *filters]))
    known = items.schema if isinstance(items, Rows) and schema is None else schema or Schema()
    needed = _needed(item.schema, known, [item_id, *kept])
    space, index = item.embedding_space(), index or BruteForce()

    ids, embeddings, columns = _read(item, _batches(items, needed), item_id, (attributes, filters), not index.size)
    if index.size:
        require_space(space, index.space)
        require_same_ids(index, ids)
    else:
        require_different(ids, item_id)
        index.build(iter(embeddings), ids, space)

    towers = {DEFAULT_TOWER: query.served(space, index.dim)}
    held = ItemColumns({name: joined(columns[name]) for name in kept})
    served = item.served(space, index.dim) if item_tower else None
    variables = {variable.ref(): variable for variable in (*query.variables, *item.variables)}
    description = {
        "item_schema": needed.to_dict(),
        "item_id": item_id,
        "parameters": sum(int(np.prod(variable.shape)) for variable in variables.values()),
    }
    side = ServedItems(index, needed, held, tuple(attributes), tuple(filters), served)
    return Retriever.from_graph(ServedGraph(towers, side), description)


def _needed(tower: Schema, known: Schema, names: Sequence[str]) -> Schema:
    """The item columns that are used, with their types."""
    others = [name for name in dict.fromkeys(names) if name not in tower]
    if unknown := [name for name in others if name not in known]:
        raise ValueError(
            f"No schema says what the item columns {unknown} are. The tower takes {tower.column_names}, the items' "
            f"schema has {known.column_names}. Pass schema=... with them."
        )
    return Schema([*tower, *(known[name] for name in others)])


def _batches(items: Corpus, needed: Schema) -> Iterator[Columns]:
    """Raw columns, of the schema's types; lists ragged."""
    if isinstance(items, tf.data.Dataset):
        for batch in items:
            yield _typed(batch, needed)
    elif isinstance(items, Rows | Mapping):
        rows = items.select(needed) if isinstance(items, Rows) else read(dict(items), needed)
        yield from rows.batch(BATCH)
    else:
        raise TypeError(
            "Items are rows of `tfdual.read`, a dict of arrays, or a tf.data.Dataset of batches. Received "
            f"{type(items).__name__}."
        )


def _typed(batch: Tensor | Columns, needed: Schema) -> Columns:
    columns = batch if isinstance(batch, Mapping) else {needed.first.name: batch}
    if lacking := [column.name for column in needed if column.name not in columns]:
        raise ValueError(f"The batches of items lack the columns {lacking}. They have {sorted(columns)}.")
    for column in needed:
        values, wanted = columns[column.name], tensor_spec(column)
        if values.dtype != wanted.dtype or not values.shape.is_compatible_with(wanted.shape):
            raise ValueError(
                f"The item column '{column.name}' is {wanted.dtype.name} {wanted.shape} by its schema. The dataset "
                f"gives {values.dtype.name} {values.shape}. Batch or map it, or say the other type in the schema."
            )
    padded = Schema(column for column in needed if not isinstance(columns[column.name], tf.RaggedTensor))
    return to_ragged({column.name: columns[column.name] for column in needed}, padded)


def _read(
    item: TrainedTower,
    batches: Iterator[Columns],
    item_id: str,
    served: tuple[Sequence[str], Sequence[str]],
    embed: bool,
) -> tuple[np.ndarray, list[np.ndarray], dict[str, list[Tensor]]]:
    """Ids, embeddings and the columns to keep."""
    attributes, filters = served
    ids: list[np.ndarray] = []
    embeddings: list[np.ndarray] = []
    columns: dict[str, list[Tensor]] = {name: [] for name in (*attributes, *filters)}
    for batch in batches:
        ids.append(single_valued(batch, item_id, "item id").numpy())
        if embed:
            embeddings.append(item.encode(batch).numpy().astype(np.float32))
        for name, values in kept_columns(batch, attributes, filters).items():
            columns[name].append(values)
    if not ids:
        raise ValueError("A retriever needs at least one item. Received none.")
    return np.concatenate(ids), embeddings, columns
