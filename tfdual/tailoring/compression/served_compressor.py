"""A compressor as a query tower, and joined to an index."""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfdual._typing import Tensor
from tfdual.index import Index
from tfdual.schema import ColumnSchema, Schema, Tags
from tfdual.serving import ItemColumns, Retriever, ServedGraph, ServedItems, ServedTower
from tfdual.serving.served_graph import DEFAULT_TOWER
from tfdual.serving.served_tower import require_space
from tfdual.tailoring.compression.truncation import Truncation

if TYPE_CHECKING:
    from tfdual.tailoring.compression.compressor import EmbeddingCompressor


def query_tower_of(compressor: "EmbeddingCompressor", width: int, spaces: Mapping[str, str] | None) -> ServedTower:
    """What `EmbeddingCompressor.to_query_tower` gives."""
    space_now = functools.partial(compressor.embedding_space, width, spaces)
    columns = [ColumnSchema(name, dtype="float32", dims=(None, size)) for name, size in compressor.part_widths.items()]
    cut = Truncation(width)

    def encode(parts: dict[str, Tensor]) -> Tensor:
        return cut(compressor({column.name: parts[column.name] for column in columns}))

    resources = [variable.value for variable in compressor.variables]
    return ServedTower(Schema(columns), dict, encode, resources, space_now(), space_now)


def retriever_of(
    compressor: "EmbeddingCompressor", index: Index, width: int, spaces: Mapping[str, str] | None
) -> Retriever:
    """What `EmbeddingCompressor.to_retriever` gives."""
    tower = query_tower_of(compressor, width, spaces)
    schema = Schema([ColumnSchema("item_id", [Tags.ITEM_ID], dtype=index.items.kind)])
    require_space(tower.space, index.space)
    graph = ServedGraph({DEFAULT_TOWER: tower}, ServedItems(index, schema, ItemColumns({})))
    described = {"item_schema": schema.to_dict(), "item_id": "item_id", "parameters": int(compressor.count_params())}
    return Retriever.from_graph(graph, described)
