"""The columns of a data set, in order."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tfdual.schema.column_schema import ColumnSchema, Kind
from tfdual.schema.tags import as_tags
from tfdual.schema.textproto import columns_from_json, columns_from_text, text_from_columns

TEXT_FORMAT = (".pbtxt", ".textproto")
IN_FOLDER = ("schema.json", ".merlin/schema.json", "schema.pbtxt")
FORMAT = "tfdual.schema"
VERSION = 1


class Schema:
    """Named, tagged columns; what flows through rows, preprocessing and towers.

    Args:
        columns: iterable of `ColumnSchema` or of names, or one of them. Defaults to none.

    Raises:
        TypeError: something else among the columns.
        ValueError: two columns share a name; an id list is weighed by a column that holds no lists of floats.

    Example:
        >>> from tfdual.schema import Tags
        >>> schema = Schema([ColumnSchema("user_id", [Tags.USER_ID]), ColumnSchema("item_id", [Tags.ITEM_ID])])
        >>> schema.select_by_tag(Tags.ITEM).column_names
        ['item_id']
    """

    def __init__(self, columns: Iterable[ColumnSchema | str] | ColumnSchema | str = ()) -> None:
        given = [columns] if isinstance(columns, str | ColumnSchema) else list(columns)
        parsed = [ColumnSchema(column) if isinstance(column, str) else column for column in given]
        if wrong := [column for column in parsed if not isinstance(column, ColumnSchema)]:
            raise TypeError(f"A schema is made of ColumnSchema, or of names. Received {wrong[0]!r}.")
        names = [column.name for column in parsed]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"Column names must differ. Received these more than once: {repeated}.")
        self._columns = {column.name: column for column in parsed}
        self._check_weights()

    @property
    def column_names(self) -> list[str]:
        """The names, in order."""
        return list(self._columns)

    @property
    def first(self) -> ColumnSchema:
        """The first column.

        Raises:
            ValueError: the schema is empty.
        """
        if not self._columns:
            raise ValueError("An empty schema has no first column. Check the selection that made it.")
        return next(iter(self))

    @property
    def tags(self) -> set[str]:
        """Every tag that some column has."""
        return {tag for column in self for tag in column.tags}

    def select_by_tag(self, tags: Iterable[str] | str) -> "Schema":
        """The columns that have at least one of `tags`."""
        wanted = as_tags(tags)
        return Schema(column for column in self if column.tags & wanted)

    def excluding_by_tag(self, tags: Iterable[str] | str) -> "Schema":
        """The columns that have none of `tags`."""
        wanted = as_tags(tags)
        return Schema(column for column in self if not column.tags & wanted)

    def select_by_name(self, names: Iterable[str] | str) -> "Schema":
        """The columns of these names, in the order of `names`.

        Raises:
            KeyError: a name is not in the schema.
        """
        return Schema(self[name] for name in ([names] if isinstance(names, str) else names))

    def excluding_by_name(self, names: Iterable[str] | str) -> "Schema":
        """The columns without these names; every name must exist.

        Raises:
            KeyError: a name is not in the schema.
        """
        dropped = {self[name].name for name in ([names] if isinstance(names, str) else names)}
        return Schema(column for column in self if column.name not in dropped)

    without = excluding_by_name

    def replace(self, column: str, /, **changes: Any) -> "Schema":
        """A copy in which one column has other arguments, at its old place.

        Args:
            column: str. The column's name.
            **changes: arguments of `ColumnSchema`; those not given stay. With `is_list` or `dims`, the old form of the
                list goes as a whole.

        Raises:
            KeyError: the name is not in the schema.
            ValueError: an argument is unknown or has a bad value.

        Example:
            >>> schema = Schema(["age", "user_id"]).replace("user_id", tags=["user_id"], dtype="string")
            >>> schema["user_id"].kind
            <Kind.CATEGORICAL: 'categorical'>
        """
        config = self[column].to_dict()
        if changes.keys() & {"is_list", "dims"}:
            lengths = ("is_list", "is_ragged", "dims")
            properties = {key: value for key, value in config["properties"].items() if key != "value_count"}
            config = {key: value for key, value in config.items() if key not in lengths} | {"properties": properties}
        changed = ColumnSchema.from_dict({**config, **changes})
        return Schema(changed if old.name == column else old for old in self)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` reads them."""
        return {"format": FORMAT, "version": VERSION, "columns": [column.to_dict() for column in self]}

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> "Schema":
        """The schema that `to_dict` wrote.

        Raises:
            ValueError: another format, or a version that this release does not know.
        """
        if not isinstance(config, dict) or config.get("format") != FORMAT or "columns" not in config:
            raise ValueError(
                f'A schema is a JSON object with "format": "{FORMAT}" and "columns". Received another one.'
            )
        if config.get("version") != VERSION:
            raise ValueError(f"This release reads schema version {VERSION}. Received {config.get('version')!r}.")
        if not isinstance(config["columns"], list):
            raise ValueError(f'"columns" of a schema is a list of objects. Received {config["columns"]!r}.')
        return cls(ColumnSchema.from_dict(column) for column in config["columns"])

    def save(self, path: str | Path) -> None:
        """Write the schema: as JSON, or for `.pbtxt` and `.textproto` as TFX and NVIDIA Merlin do.

        Raises:
            ValueError: a column has a property that the form cannot hold.
        """
        path = Path(path)
        is_text_format = path.suffix in TEXT_FORMAT
        text = text_from_columns(list(self)) if is_text_format else json.dumps(self.to_dict(), indent=2) + "\n"
        path.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Schema":
        """Read a schema from our JSON, from a `.pbtxt` or `.textproto` of TFX or Merlin, or from Merlin's JSON.

        Args:
            path: str or Path. The file, or a folder with `schema.json`, `.merlin/schema.json` or `schema.pbtxt`, looked
                for in this order.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is no schema, or describes what columns cannot hold.
        """
        path = Path(path)
        path = next((path / name for name in IN_FOLDER if (path / name).is_file()), path)
        if not path.is_file():
            raise FileNotFoundError(f"There is no schema file {path}. Write one with `schema.save(path)`.")
        try:
            text = path.read_text(encoding="utf-8")
            if path.suffix in TEXT_FORMAT:
                return cls(columns_from_text(text))
            config = json.loads(text)
            is_merlin = isinstance(config, dict) and bool(config.get("feature"))
            return cls(columns_from_json(config)) if is_merlin else cls.from_dict(config)
        except ValueError as error:
            raise ValueError(f"{path} is not a schema file: {error}") from error

    def __iter__(self) -> Iterator[ColumnSchema]:
        return iter(self._columns.values())

    def __len__(self) -> int:
        return len(self._columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __getitem__(self, name: str) -> ColumnSchema:
        if name not in self._columns:
            raise KeyError(f"The schema has no column {name!r}. It has {self.column_names}.")
        return self._columns[name]

    def __add__(self, other: "Schema") -> "Schema":
        if not isinstance(other, Schema):
            return NotImplemented
        if differing := [column.name for column in other if column.name in self and self[column.name] != column]:
            raise ValueError(
                f"The sum would hold these columns more than once: {differing}. The two schemas describe them "
                f"differently. Drop them from one, e.g. `left + right.without({differing})`."
            )
        return Schema([*self, *(column for column in other if column.name not in self)])

    def __sub__(self, other: "Schema") -> "Schema":
        if not isinstance(other, Schema):
            return NotImplemented
        return Schema(column for column in self if column.name not in other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        rows = [("name", "kind", "dtype", "domain", "tags")]
        for column in self:
            tags = ", ".join(sorted(map(str, column.tags)))
            rows.append((column.name, str(column.kind), _dtype_cell(column), _domain_cell(column), tags))
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _check_weights(self) -> None:
        """An id list and the column that weighs it must fit, where the schema has both."""
        for column in self:
            weights = self._columns.get(column.properties.get("weights", ""))
            if weights is None:
                continue
            if column.kind is not Kind.ID_LIST:
                raise ValueError(
                    f"Column '{column.name}' has weights and is {column.kind}. Weights belong to a list of ids: remove "
                    "the property 'weights', or set is_list=True."
                )
            if not weights.is_list or not weights.dtype.startswith("float"):
                raise ValueError(
                    f"Column '{weights.name}' weighs the ids of '{column.name}', so it must be a list of floats. "
                    f"Received {_dtype_cell(weights)}. Set dtype='float32', is_list=True."
                )


def _dtype_cell(column: ColumnSchema) -> str:
    """`int64`, `float32[8]`, `string[1..20]`, and `?` where a value may be missing."""
    lowest, highest = column.value_count
    bounds = "" if column.value_count == (0, None) else f"{lowest}..{'' if highest is None else highest}"
    lengths = f"[{column.width or bounds}]" if column.is_list else ""
    return column.dtype + lengths + ("?" if column.nullable else "")


def _domain_cell(column: ColumnSchema) -> str:
    if (domain := column.properties.get("domain")) is None:
        return ""
    if column.cardinality is not None:
        return f"{column.domain_name} ({column.cardinality:,})"
    bounds = [str(domain.get(key, "")) for key in ("min", "max")]
    return f"{column.domain_name} ({'..'.join(bounds)})" if any(bounds) else column.domain_name
