"""Rows whose features stand in one map for each kind, as the layered dual-encoder architecture has them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from tfdual.data.arrow_types import arrow_type
from tfdual.data.faults import fault
from tfdual.data.sources.source import Block, Part, Source
from tfdual.schema import Kind, Schema, Tags
from tfdual.schema.feature_maps import FEATURE_MAPS


def holds_feature_maps(source: Source) -> bool:
    """Whether some column of the source is one of the five maps."""
    return any(set(schema.names) & set(FEATURE_MAPS.values()) for schema in source.arrow_schemas.values())


class FeatureMapSource(Source):
    """Features of nested JSON objects, Arrow structs or Arrow maps, as columns.

    A column is looked for in the map of its kind, the weights of a list also beside the list; columns beside the maps
    stay what they are. A feature id stands once in a row, in whichever map.

    Args:
        source: Source of the nested rows.
        schema: Schema. The columns to find; their kinds tell the map.
    """

    is_text = True

    def __init__(self, source: Source, schema: Schema) -> None:
        super().__init__(source.name)
        self._source = source
        self._schema = schema

    @cached_property
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """The columns of the schema, and those beside the maps."""
        found = {}
        for label, nested in self._source.arrow_schemas.items():
            beside = [field for field in nested if field.name not in FEATURE_MAPS.values()]
            names = {field.name for field in beside}
            features = _features(nested)
            inside = [
                pa.field(column.name, arrow_type(column))
                for column in self._schema
                if column.name not in names and _may_hold(features, column.name, self._maps[column.name])
            ]
            found[label] = pa.schema(beside + inside)
        return found

    @property
    def parts(self) -> Sequence[Part]:
        """The parts of the nested rows."""
        return self._source.parts

    def count(self, part: Part) -> int:
        """Rows of a part."""
        return self._source.count(part)

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """Nested rows made flat; a feature id that stands twice in a row is a fault."""
        nested = self._source.arrow_schemas[part.file]
        names = set(nested.names)
        beside = [field for field in wanted if field.name in names]
        inside = [field for field in wanted if field.name not in names]
        maps = [
            pa.field(name, found if pa.types.is_map(found) else self._struct(name, found, inside))
            for name in FEATURE_MAPS.values()
            if name in names and not pa.types.is_null(found := nested.field(name).type)
        ]
        for block in self._source.blocks(part, pa.schema(beside + maps), size):
            yield self._flat(block, beside, inside)

    def _struct(self, name: str, found: pa.DataType, inside: list[pa.Field]) -> pa.DataType:
        """The map as a struct: its own features typed by the schema, those of other maps there to be found twice."""
        foreign = {field.name: field.type for field in found} if pa.types.is_struct(found) else {}
        own = [field for field in inside if self._maps[field.name] == name]
        others = [pa.field(field.name, foreign[field.name]) for field in inside if field.name in foreign]
        return pa.struct([*own, *(field for field in others if self._maps[field.name] != name)])

    def _flat(self, block: Block, beside: list[pa.Field], inside: list[pa.Field]) -> Block:
        table = block.table
        rows = table.num_rows
        arrays = {field.name: table.column(field.name) for field in beside}
        entries = {name: _entries(table.column(name)) for name in FEATURE_MAPS.values() if name in table.column_names}
        faults = list(block.faults)
        for field in inside:
            own = self._maps[field.name]
            arrays[field.name] = entries[own].column(field.name, rows) if own in entries else pa.nulls(rows)
            times = sum(each.times(field.name, rows) for each in entries.values())
            if len(repeated := np.flatnonzero(np.asarray(times) > 1)):
                faults.append(fault(field.name, "duplicate feature", repeated, [field.name] * len(repeated)))
        return replace(block, table=pa.table(arrays), faults=faults)

    @cached_property
    def _maps(self) -> dict[str, str]:
        """Column -> its map."""
        lists = FEATURE_MAPS[Kind.ID_LIST]
        schemas = self._source.arrow_schemas.values()
        among_lists = {name for nested in schemas for name in _features(nested).get(lists) or ()}
        weights = among_lists & set(self._schema.select_by_tag(Tags.WEIGHT).column_names)
        return {column.name: lists if column.name in weights else FEATURE_MAPS[column.kind] for column in self._schema}


class _Struct:
    """A map of a block that is read as a struct."""

    def __init__(self, array: pa.StructArray) -> None:
        self._fields = dict(zip((field.name for field in array.type), array.flatten(), strict=True))

    def column(self, name: str, rows: int) -> pa.Array:
        """The feature of every row; null where a row lacks it."""
        return self._fields[name] if name in self._fields else pa.nulls(rows)

    def times(self, name: str, rows: int) -> np.ndarray:
        """How often the feature stands in every row."""
        return self.column(name, rows).is_valid().to_numpy(zero_copy_only=False).astype(np.int64)


class _Map:
    """A map of a block that is an Arrow map, with the entries of each feature side by side."""

    def __init__(self, array: pa.MapArray) -> None:
        offsets = array.offsets.to_numpy()
        inside = slice(int(offsets[0]), int(offsets[-1]))
        self._items = array.items[inside]
        self._row_of = np.repeat(np.arange(len(array)), np.diff(offsets))
        keys = array.keys[inside].cast(pa.string()).dictionary_encode()
        codes = keys.indices.to_numpy()
        self._order = np.argsort(codes, kind="stable")
        ends = np.cumsum(np.bincount(codes, minlength=len(keys.dictionary))).tolist()
        self._places = dict(zip(keys.dictionary.to_pylist(), zip([0, *ends], ends, strict=False), strict=True))

    def column(self, name: str, rows: int) -> pa.Array:
        """The feature of every row, the first where it stands twice; null where a row lacks it."""
        entries = self._of(name)[::-1]
        places = np.full(rows, -1)
        places[self._row_of[entries]] = entries
        return self._items.take(pa.array(places, mask=places < 0))

    def times(self, name: str, rows: int) -> np.ndarray:
        """How often the feature stands in every row."""
        return np.bincount(self._row_of[self._of(name)], minlength=rows)

    def _of(self, name: str) -> np.ndarray:
        start, end = self._places.get(name, (0, 0))
        return self._order[start:end]


def _entries(column: pa.ChunkedArray) -> _Struct | _Map:
    array = column.combine_chunks()
    return _Map(array) if pa.types.is_map(array.type) else _Struct(array)


def _features(nested: pa.Schema) -> dict[str, set[str] | None]:
    """Map -> its features, or None where only the rows tell."""
    maps = {name: nested.field(name).type for name in FEATURE_MAPS.values() if name in nested.names}
    return {
        name: {field.name for field in found} if pa.types.is_struct(found) else None for name, found in maps.items()
    }


def _may_hold(features: dict[str, set[str] | None], name: str, own: str) -> bool:
    """Whether a feature can be in its own map; not where the first rows show it in another one only."""
    if own not in features:
        return False
    known = features[own]
    return known is None or name in known or not any(name in (other or ()) for other in features.values())
