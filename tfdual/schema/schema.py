"""The columns of a data set, in order."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tfdual.schema.column_schema import ColumnSchema

FORMAT = "tfdual.schema"
VERSION = 1


class Schema:
    """Named, tagged columns; what flows through rows, preprocessing and towers.

    Args:
        columns: iterable of `ColumnSchema`, or of names. Defaults to none.

    Raises:
        ValueError: two columns share a name.

    Example:
        >>> from tfdual.schema import Tags
        >>> schema = Schema([ColumnSchema("user_id", [Tags.USER_ID]), ColumnSchema("item_id", [Tags.ITEM_ID])])
        >>> schema.select_by_tag(Tags.ITEM).column_names
        ['item_id']
    """

    def __init__(self, columns: Iterable[ColumnSchema | str] = ()) -> None:
        parsed = [ColumnSchema(column) if isinstance(column, str) else column for column in columns]
        names = [column.name for column in parsed]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"Column names must differ. Received these more than once: {repeated}.")
        self._columns = {column.name: column for column in parsed}

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
        wanted = {tags} if isinstance(tags, str) else set(tags)
        return Schema(column for column in self if column.tags & wanted)

    def excluding_by_tag(self, tags: Iterable[str] | str) -> "Schema":
        """The columns that have none of `tags`."""
        wanted = {tags} if isinstance(tags, str) else set(tags)
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
        """Write the schema as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Schema":
        """Read a schema from JSON.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is no JSON, or no schema.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"There is no schema file {path}. Write one with `schema.save(path)`.")
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
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
        return Schema([*self, *(column for column in other if column.name not in self or self[column.name] != column)])

    def __sub__(self, other: "Schema") -> "Schema":
        return Schema(column for column in self if column.name not in other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        rows = [("name", "kind", "dtype", "domain", "tags")]
        for column in self:
            size = "" if column.cardinality is None else f" ({column.cardinality:,})"
            domain = f"{column.domain_name}{size}" if "domain" in column.properties else ""
            dtype = column.dtype + (f"[{column.width or ''}]" if column.is_list else "")
            rows.append((column.name, str(column.kind), dtype, domain, ", ".join(sorted(map(str, column.tags)))))
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )
