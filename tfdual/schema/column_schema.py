"""One column: its name, type and meaning."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from tfdual.schema.list_lengths import Bounds, settle_lengths
from tfdual.schema.properties import check_properties
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
        properties: mapping. `"domain"`: `{"name": str, "min": number, "max": number}`; columns whose domains share a
            name share vocabulary and embedding table. `"nullable"`: a row may hold no value. `"value_count"`:
            `{"min": int, "max": int or None}`, the bounds of a list's length. `"weights"`: the column that weighs the
            ids of this list. `"delimiter"`: what parts a list in a text file. `"shared_ids"`: how many first ids
            may each be of several values, as hashed ones are. Others are kept. Defaults to none.
        dtype: str. One of `int64`, `int32`, `float32`, `float64`, `string`, `bool`. Defaults to `"int64"`.
        is_list: bool. Each row holds several values; `dims` and `"value_count"` say so too. Defaults to `False`.
        is_ragged: bool. Rows differ in length. Defaults to `is_list` where no width is given.
        dims: tuple. `(None, width)` for vectors of a fixed width, `(None, None)` for lists of any length,
            `(None, (min, max))` for lists of bounded length. Defaults to `None`.

    Raises:
        ValueError: empty name, unknown dtype, tags that exclude each other, dims of another form, a property of
            another type or form.
        TypeError: a tag that is no string, or properties that are no mapping.

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
        dims: Sequence[Any] | None = None,
    ) -> None:
        if not isinstance(properties or {}, Mapping):
            raise TypeError(f"Column {name!r}: properties is a mapping of name to value. Received {properties!r}.")
        properties = dict(properties or {})
        if not isinstance(name, str) or not name:
            raise ValueError(f"A column needs a name, a string of at least one character. Received {name!r}.")
        if dtype not in DTYPES:
            raise ValueError(f"Column '{name}' has the unknown dtype {dtype!r}. Use one of {', '.join(DTYPES)}.")
        properties, dims, has_lengths = settle_lengths(name, properties, dims)
        is_list = is_list or has_lengths
        values = {
            "name": name,
            "tags": expand_tags(tags),
            "properties": properties,
            "dtype": dtype,
            "is_list": is_list,
            "is_ragged": is_list and dims is None and is_ragged is not False,
            "dims": dims,
        }
        for field, value in values.items():
            object.__setattr__(self, field, value)
        check_properties(name, properties, dtype, ids=self.kind in (Kind.CATEGORICAL, Kind.ID_LIST))

    def __hash__(self) -> int:
        return hash((self.name, self.tags, self.dtype, self.is_list, self.is_ragged, self.dims))

    @property
    def kind(self) -> Kind:
        """What the column is: told by type and tags.

        Floats in a list are an embedding, other lists are id lists. A single value is categorical if it is tagged
        `CATEGORICAL` or `ID`, text if it is a string, and dense otherwise. A column tagged `WEIGHT` is no feature of
        its own: it belongs to the id list that names it in `"weights"`.
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
    def value_count(self) -> Bounds:
        """The fewest and the most values of a row that has any; None where there is no upper bound."""
        if not self.is_list:
            return 1, 1
        if self.width is not None:
            return self.width, self.width
        bounds = self.properties.get("value_count", {})
        return bounds.get("min", 0), bounds.get("max")

    @property
    def nullable(self) -> bool:
        """Whether a row may hold no value."""
        return self.properties.get("nullable", False)

    @property
    def weights(self) -> str | None:
        """The column that holds a weight for each id of this list; None where all weigh the same."""
        return self.properties.get("weights")

    @property
    def delimiter(self) -> str | None:
        """What parts the values of a list in a text; None where nothing does."""
        return self.properties.get("delimiter")

    @property
    def domain_name(self) -> str:
        """The name under which vocabulary and embedding table are shared; the column's own by default."""
        return self.properties.get("domain", {}).get("name", self.name)

    @property
    def cardinality(self) -> int | None:
        """Rows that an embedding table needs: the domain's max + 1. None for floats and where max is not known."""
        maximum = self.properties.get("domain", {}).get("max")
        return None if maximum is None or self.dtype.startswith("float") else int(maximum) + 1

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
