"""One column: its name, type and meaning."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from tfdual.schema.tags import Tags, expand_tags

DTYPES = ("int64", "int32", "float32", "float64", "string", "bool")


class Kind(StrEnum):
    """The five kinds of feature; the kind decides how a column is preprocessed and encoded."""

    DENSE = "dense"
    CATEGORICAL = "categorical"
    EMBEDDING = "embedding"
    ID_LIST = "id_list"
    STRING = "string"


@dataclass(frozen=True, init=False)
class ColumnSchema:
    """A column of a schema.

    Args:
        name: str. The column's name in the rows and in the model's inputs.
        tags: iterable of `Tags` or str. Compound tags are expanded. Defaults to none.
        properties: mapping. `"domain"`: `{"name": str, "min": int, "max": int}`; columns whose domains share a
            name share vocabulary and embedding table. Defaults to none.
        dtype: str. One of `int64`, `int32`, `float32`, `float64`, `string`, `bool`. Defaults to `"int64"`.
        is_list: bool. Each row holds several values. Defaults to `False`.
        is_ragged: bool. Rows differ in length. Defaults to `is_list` where no width is given.
        dims: tuple. `(None, width)` for vectors of a fixed width. Defaults to `None`.

    Raises:
        ValueError: empty name, unknown dtype, tags that exclude each other, a width that is not positive, a domain
            that is no mapping.

    Example:
        >>> ColumnSchema("user_id", tags=[Tags.USER_ID], dtype="string").kind
        <Kind.CATEGORICAL: 'categorical'>
    """

    name: str
    tags: frozenset[str]
    properties: Mapping[str, Any]
    dtype: str
    is_list: bool
    is_ragged: bool
    dims: tuple[int | None, ...] | None

    def __init__(
        self,
        name: str,
        tags: Iterable[str] | str = (),
        properties: Mapping[str, Any] | None = None,
        dtype: str = "int64",
        is_list: bool = False,
        is_ragged: bool | None = None,
        dims: Sequence[int | None] | None = None,
    ) -> None:
        properties = dict(properties or {})
        if not isinstance(name, str) or not name:
            raise ValueError(f"A column needs a name, a string of at least one character. Received {name!r}.")
        if dtype not in DTYPES:
            raise ValueError(f"Column '{name}' has the unknown dtype {dtype!r}. Use one of {', '.join(DTYPES)}.")
        if dims is not None and (len(dims) != 2 or not dims[1] or dims[1] < 1):
            raise ValueError(f"Column '{name}': dims must be (None, width), width >= 1. Received {dims}.")
        if not isinstance(domain := properties.get("domain", {}), Mapping):
            raise ValueError(f"Column '{name}': the property 'domain' is a mapping. Received {domain!r}.")
        is_list = is_list or dims is not None
        values = {
            "name": name,
            "tags": expand_tags(tags),
            "properties": properties,
            "dtype": dtype,
            "is_list": is_list,
            "is_ragged": is_list and dims is None if is_ragged is None else is_ragged,
            "dims": None if dims is None else tuple(dims),
        }
        for field, value in values.items():
            object.__setattr__(self, field, value)

    def __hash__(self) -> int:
        return hash((self.name, self.tags, self.dtype, self.is_list, self.is_ragged, self.dims))

    @property
    def kind(self) -> Kind:
        """What the column is: told by type and tags.

        Floats in a list are an embedding, other lists are id lists. A single value is categorical if it is tagged
        `CATEGORICAL` or `ID`, text if it is a string, and dense otherwise.
        """
        if self.is_list:
            return Kind.EMBEDDING if self.dtype.startswith("float") else Kind.ID_LIST
        if Tags.TEXT not in self.tags and self.tags & {Tags.CATEGORICAL, Tags.ID}:
            return Kind.CATEGORICAL
        return Kind.STRING if self.dtype == "string" else Kind.DENSE

    @property
    def width(self) -> int | None:
        """Values a row, where it is fixed; otherwise None."""
        return None if self.dims is None else self.dims[1]

    @property
    def domain_name(self) -> str:
        """The name under which vocabulary and embedding table are shared; the column's own by default."""
        return self.properties.get("domain", {}).get("name", self.name)

    @property
    def cardinality(self) -> int | None:
        """Rows that an embedding table needs: the domain's max + 1. None where the domain is not known."""
        maximum = self.properties.get("domain", {}).get("max")
        return None if maximum is None else int(maximum) + 1

    def with_tags(self, tags: Any) -> "ColumnSchema":
        """A copy that has `tags` as well."""
        return replace(self, tags=self.tags | expand_tags(tags))

    def with_properties(self, properties: Mapping[str, Any]) -> "ColumnSchema":
        """A copy whose properties are updated by `properties`."""
        return replace(self, properties={**self.properties, **properties})

    def with_name(self, name: str) -> "ColumnSchema":
        """A copy of that name."""
        return replace(self, name=name)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` reads them."""
        return {
            "name": self.name,
            "tags": sorted(str(tag) for tag in self.tags),
            "properties": dict(self.properties),
            "dtype": self.dtype,
            "is_list": self.is_list,
            "is_ragged": self.is_ragged,
            "dims": None if self.dims is None else list(self.dims),
        }

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "ColumnSchema":
        """The column that `to_dict` wrote.

        Raises:
            ValueError: a key is unknown, the name is missing, or a value is of another type.
        """
        if not isinstance(config, Mapping):
            raise ValueError(f"A column is an object with the key 'name'. Received {config!r}.")
        known = {"name", "tags", "properties", "dtype", "is_list", "is_ragged", "dims"}
        if unknown := set(config) - known:
            raise ValueError(f"A column has the unknown keys {sorted(unknown)}. Known: {sorted(known)}.")
        if "name" not in config:
            raise ValueError(f"A column needs the key 'name'. Received {dict(config)}.")
        values = dict(config)
        try:
            if values.get("dims") is not None:
                values["dims"] = tuple(values["dims"])
            return cls(**values)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"Column {config['name']!r} has a value of the wrong type: {error}.") from error
