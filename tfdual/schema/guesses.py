"""What one column of a sample is, as far as its name, type and values tell."""

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tfdual.schema.column_schema import ColumnSchema, Kind
from tfdual.schema.iso_times import iso_times
from tfdual.schema.names import name_tags
from tfdual.schema.sample_values import SampleValues, dtype_of, fits_int64, single_values, spelled_dtype, split_lists
from tfdual.schema.tags import COMPOUND, Tags

SIDES: set[str] = {Tags.USER, Tags.ITEM, Tags.SESSION}
IDS: set[str] = {Tags.ID, Tags.USER_ID, Tags.ITEM_ID, Tags.SESSION_ID}
TOLD_DTYPES: dict[str, tuple[str, ...]] = {
    Tags.CONTINUOUS: ("int32", "int64", "float32", "float64", "bool"),
    Tags.CATEGORICAL: ("int32", "int64", "string"),
    Tags.TEXT: ("string",),
}
FEW = 100
AS_STRINGS = "store them as strings, or correct them"


@dataclass(frozen=True)
class Sampled:
    """One column of the sample; `told` is what the feature map that it stands in says."""

    name: str
    array: pa.Array
    told: str | None = None


@dataclass(frozen=True)
class Guess:
    """A column, None where it is left out, and why."""

    column: ColumnSchema | None
    why: str

    @property
    def reason(self) -> str:
        """Why, and the tags of the column."""
        if self.column is None:
            return self.why
        tags = ", ".join(sorted(str(tag).upper() for tag in self.column.tags)) or str(self.column.kind)
        return f"{self.why} -> {tags}"

    def on_side(self, side: str) -> "Guess":
        """The guess for a column of a table that has one row a user, or one an item."""
        column = self.column
        if column is None or column.tags & {Tags.TARGET, side, *COMPOUND}:
            return self
        return Guess(replace(column, tags=(column.tags - SIDES) | {side}), f"{self.why}, each row is another {side}")


def left_out(sampled: Sampled, why: str) -> Guess:
    """A column that is no feature."""
    return Guess(None, f"{sampled.array.type}, left out: {why}")


def said(sampled: Sampled) -> str:
    """The type and the missing rows of a column of lists."""
    missing = (
        f", {sampled.array.null_count:,} of {len(sampled.array):,} rows missing" if sampled.array.null_count else ""
    )
    return f"lists of {sampled.array.type.value_type}{missing}"


def guess_ids(sampled: Sampled) -> Guess:
    """A list of integers or strings is a list of ids."""
    dtype = dtype_of(sampled.array.type.value_type)
    if dtype is None or dtype == "bool":
        return left_out(sampled, "only lists of numbers and strings are features")
    values = sampled.array.flatten().drop_null()
    if pa.types.is_integer(values.type) and (not fits_int64(values) or SampleValues.of(values, dtype).has_negatives):
        return left_out(sampled, f"some values are negative or beyond int64, and no id is; {AS_STRINGS}")
    tags = {Tags.CATEGORICAL} | (name_tags(sampled.name) & SIDES)
    properties = {"nullable": True} if sampled.array.null_count else {}
    column = ColumnSchema(sampled.name, tags, properties, dtype, is_list=True)
    return Guess(column, f"{said(sampled)}, a list of ids")


def guess_single(sampled: Sampled, from_text: bool) -> Guess:
    """A column of one value a row: ids, categories, a number or text; or a list that a text file spells."""
    values = single_values(sampled.array, from_text)
    if values is None:
        return left_out(sampled, "features are numbers, bools, strings and lists of them")
    if not len(values.array):
        return left_out(sampled, "every value is missing")
    properties: dict[str, Any] = {"nullable": True} if values.missing else {}
    named = name_tags(sampled.name)
    if values.dtype == "string" and not sampled.told and Tags.ID not in named:
        values = _as_times(values)
    if from_text and values.dtype == "string" and values.are_bracketed:
        first = values.array[0].as_py()
        return left_out(sampled, f"lists that are no JSON, such as {first}; write strings in double quotes, no None")
    if from_text and values.dtype == "string" and Tags.ID not in named and (split := split_lists(values)):
        delimiter, lists = split
        parts = SampleValues.of(lists.flatten(), spelled_dtype(lists.flatten()))
        dtype = "int64" if parts.dtype == "int64" and not parts.has_negatives else "string"
        tags = {Tags.CATEGORICAL} | (named & SIDES)
        column = ColumnSchema(sampled.name, tags, properties | {"delimiter": delimiter}, dtype, is_list=True)
        return Guess(column, f"{values}, short values that repeat between '{delimiter}', a list of ids")
    if refusal := _refusal(values, named, sampled.told):
        return left_out(sampled, refusal)
    tags, why = _told(sampled.told, named) if sampled.told else _tags(values, named)
    dtype = values.dtype
    if Tags.CATEGORICAL in tags and values.has_negatives:
        tags, dtype, why = _without_ids(values, tags, why)
    column = ColumnSchema(sampled.name, tags, properties, dtype)
    if column.nullable and column.kind is Kind.DENSE and not dtype.startswith("float"):
        column = ColumnSchema(sampled.name, tags, properties, "float64")
        why = f"{why}, float64 so that a value may be missing"
    return Guess(column, f"{values}, {why}")


def _as_times(values: SampleValues) -> SampleValues:
    """Times where every text spells one."""
    times = iso_times(values.array)
    if times is None:
        return values
    is_whole = pc.all(pc.equal(pc.floor_temporal(times, unit="second"), times)).as_py()
    return SampleValues(times, values.rows, "int64" if is_whole else "float64")


def _without_ids(values: SampleValues, tags: set[str], why: str) -> tuple[set[str], str, str]:
    """Tags, dtype and reason of categories of which some are negative, which no id is."""
    if values.is_spelled:
        return tags, "string", f"{why}, as strings because some are negative"
    return (tags - {Tags.CATEGORICAL}) | {Tags.CONTINUOUS}, values.dtype, f"{why}, as numbers because some are negative"


def _told(told: str, named: set[str]) -> tuple[set[str], str]:
    kept = SIDES | IDS if told == Tags.CATEGORICAL else SIDES
    return {told} | (named & kept), f"stands among the {told} features"


def _refusal(values: SampleValues, named: set[str], told: str | None) -> str:
    is_id = told == Tags.CATEGORICAL or (not told and Tags.ID in named)
    if is_id and values.dtype == "float64" and dtype_of(values.array.type) == "int64":
        return f"ids are integers or strings, and some values are beyond 2**63 - 1; {AS_STRINGS}"
    if told and values.dtype not in TOLD_DTYPES.get(told, ()):
        return f"it stands among the {told} features; store it there as these are stored"
    if not told and Tags.ID in named and values.dtype.startswith("float"):
        return "the name says id, and ids are integers or strings; cast them"
    if is_id and values.has_negatives and not values.is_spelled:
        return f"some values are negative, and no id is; {AS_STRINGS}"
    if not told and values.dtype == "string" and (Tags.TIME in named or values.are_dates_in_words):
        return "times as text of no known form; write them as ISO 8601, such as 2020-08-01T12:00:03Z, or as seconds"
    return ""


def _tags(values: SampleValues, named: set[str]) -> tuple[set[str], str]:
    """The tags that name and values tell together, and what told them."""
    side = named & SIDES
    numeric = values.dtype not in ("string", "bool")
    if pa.types.is_temporal(values.array.type):
        return {Tags.TIME, Tags.CONTINUOUS} | side, "times, as seconds since 1970"
    if Tags.ID in named and values.dtype != "bool":
        return {Tags.CATEGORICAL} | (named & IDS) | side, "name says id"
    if Tags.TARGET in named and values.dtype != "string":
        return {Tags.TARGET}, "name says target"
    if Tags.TIME in named and numeric:
        return {Tags.TIME, Tags.CONTINUOUS} | side, "name says time"
    if values.dtype == "string":
        several = values.mean_words >= 1.5 and values.distinct > len(values.array) / 2
        if several or values.mean_words >= 5:
            return side | {Tags.TEXT}, "several words"
        return side | {Tags.CATEGORICAL}, f"short values{values.mixture}"
    if values.dtype == "bool":
        return side, "true or false"
    few = max(2, min(FEW, len(values.array) // 10))
    if values.dtype.startswith("int") and Tags.CONTINUOUS not in named and values.distinct <= few:
        return side | {Tags.CATEGORICAL}, "few different integers"
    return side | {Tags.CONTINUOUS}, "a number"
