"""The values of one column of a sample: their type, as Arrow has it or as text spells it, and what they look like."""

import json
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

INTEGER = r"^-?(0|[1-9][0-9]*)$"
FLOAT = r"^[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
JSON_LIST = r"^\s*(\[|null\s*$|$)"  # how each text begins that a column of JSON lists may hold
BRACKETED = r"(?s)^\s*\[.*\]\s*$"
BOOL = r"(?i)^(true|false)$"
DELIMITERS = ("|", ";", ", ", ",")
MONTH = r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
YEAR = r"\b[12][0-9]{3}\b"
DATE = (
    r"(?i)^([0-9]+(st|nd|rd|th)?|(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?|[ap]m|at|of|utc|gmt|t|z|[\s,.:/+-]|"
    r"jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|"
    r"dec(ember)?)+$"
)


@dataclass(frozen=True)
class SampleValues:
    """What single values have in common.

    Args:
        array: Array. The values that are there.
        rows: int. The rows of the sample.
        dtype: str. The dtype of a `ColumnSchema`.
    """

    array: pa.Array
    rows: int
    dtype: str

    @classmethod
    def of(cls, array: pa.Array, dtype: str) -> "SampleValues":
        """Values of which none is missing."""
        return cls(array, len(array), dtype)

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self.rows - len(self.array)

    @property
    def has_negatives(self) -> bool:
        """Whether a whole number is below 0."""
        if not self.dtype.startswith("int") or pa.types.is_temporal(self.array.type):
            return False
        return (pc.min(self.array.cast(pa.int64())).as_py() or 0) < 0

    @property
    def is_spelled(self) -> bool:
        """Whether the values stand as text."""
        return pa.types.is_string(self.array.type) or pa.types.is_large_string(self.array.type)

    @property
    def distinct(self) -> int:
        """Different values."""
        return pc.count_distinct(self.array).as_py()

    @property
    def are_bracketed(self) -> bool:
        """Whether each text stands in brackets, as lists do in Python and JSON."""
        return self.is_spelled and _all_match(self.array, BRACKETED)

    @property
    def are_dates_in_words(self) -> bool:
        """Whether each text is a date with the name of its month, such as `Feb 1, 2007`."""
        return self.is_spelled and all(_all_match(self.array, pattern) for pattern in (MONTH, YEAR, DATE))

    @property
    def mixture(self) -> str:
        """How many texts spell numbers and how many don't, with one of these; empty where none or all do."""
        is_number = pc.match_substring_regex(self.array, FLOAT)
        count = pc.sum(is_number).as_py()
        if count in (0, len(self.array)):
            return ""
        other = self.array[pc.index(is_number, False).as_py()].as_py()
        return f", {count:,} numbers and {len(self.array) - count:,} others such as {other!r}"

    @property
    def mean_words(self) -> float:
        """Words a value."""
        return float(pc.mean(pc.add(pc.count_substring_regex(pc.utf8_trim_whitespace(self.array), r"\s+"), 1)).as_py())

    def __str__(self) -> str:
        missing = f", {self.missing:,} missing" if self.missing else ""
        beyond = " beyond int64" if self.dtype == "float64" and _is_whole(self.array.type) else ""
        return f"{self.dtype}{beyond}, {self.distinct:,} values in {self.rows:,} rows{missing}"


def single_values(array: pa.Array, from_text: bool) -> SampleValues | None:
    """The values of a column that holds one a row; None where no dtype fits.

    Args:
        array: Array. The column.
        from_text: bool. Strings may spell numbers and bools, and an empty one is no value.
    """
    dtype = dtype_of(array.type)
    if dtype is None:
        return None
    present = array.drop_null()
    if pa.types.is_floating(array.type):
        present = present.filter(pc.invert(pc.is_nan(present)))
    if _is_whole(array.type) and not fits_int64(present):
        dtype = "float64"
    if dtype == "string" and from_text:
        present = present.filter(pc.not_equal(present, ""))
        dtype = spelled_dtype(present)
    return SampleValues(present, len(array), dtype)


def dtype_of(found: pa.DataType) -> str | None:
    """The dtype that holds an Arrow type; None where there is none. Times become seconds since 1970."""
    if pa.types.is_boolean(found):
        return "bool"
    if pa.types.is_integer(found):
        is_small = found.bit_width < 32 or found == pa.int32()
        return "int32" if is_small else "int64"
    if pa.types.is_floating(found):
        return "float64" if found == pa.float64() else "float32"
    if pa.types.is_decimal(found):
        return "float64" if found.scale else "int64"
    if pa.types.is_timestamp(found):
        return "int64" if found.unit == "s" else "float64"
    if pa.types.is_date(found):
        return "int64"
    return "string" if pa.types.is_string(found) or pa.types.is_large_string(found) else None


def split_lists(values: SampleValues) -> tuple[str, pa.Array] | None:
    """The delimiter that parts the strings into short values that repeat, and the lists; None where there is none."""
    if values.are_dates_in_words:
        return None
    for delimiter in DELIMITERS:
        having = pc.mean(pc.match_substring(values.array, delimiter).cast(pa.int8())).as_py()
        if having is None or having < 0.3:
            continue
        lists = pc.split_pattern(values.array, delimiter)
        parts = SampleValues.of(lists.flatten(), "string")
        if parts.distinct <= parts.rows / 2 and parts.mean_words <= 2:
            return delimiter, lists
    return None


def json_lists(array: pa.Array) -> pa.Array:
    """The lists that all texts spell as JSON, null where there is no text; the array itself where some text is none."""
    if not _all_match(array, JSON_LIST):
        return array
    texts = array.to_pylist()
    as_text = partial(json.loads, parse_int=str, parse_float=str)
    for parse in (json.loads, as_text):  # lists that hold both numbers and strings are of strings
        try:
            lists = pa.array([parse(text) if text else None for text in texts])
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError, RecursionError):
            continue
        return lists if pa.types.is_list(lists.type) else array
    return array


def spelled_dtype(texts: pa.Array) -> str:
    """The narrowest dtype that every text spells. `007` is a string: as a number it would lose its zeros."""
    if not len(texts):
        return "string"
    if _all_match(texts, INTEGER):
        return "int64" if fits_int64(texts) else "string"
    if _all_match(texts, FLOAT):
        return "float64"
    return "bool" if _all_match(texts, BOOL) else "string"


def _all_match(texts: pa.Array, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(texts, pattern)).as_py()


def fits_int64(values: pa.Array) -> bool:
    """Whether int64 holds every whole number, also of texts that spell them."""
    try:
        values.cast(pa.int64())
    except pa.ArrowInvalid:
        return False
    return True


def _is_whole(found: pa.DataType) -> bool:
    return pa.types.is_integer(found) or (pa.types.is_decimal(found) and not found.scale)
