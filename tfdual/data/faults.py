"""What can be wrong with a row, and how it is said."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from tfdual.data.arrow_types import is_list, is_text

RULES = {
    "missing column": "the source lacks the column. Add it, or take it out of the schema",
    "duplicate column": "the source has two columns of that name. Rename one",
    "duplicate feature": "the feature id stands more than once in the row. Keep one",
    "malformed": "the row can't be parsed, or a quote in it swallows others. Correct the file. Of a CSV: where fields "
    "hold the separator, so that a row has more of them than there are names, name one that none holds, "
    "csv=CsvFormat(separator='\\t'); where quotes inside the fields stand behind a backslash, pass "
    "csv=CsvFormat(escape='\\\\'); and where they are text like any other, csv=CsvFormat(quote=None)",
    "dtype": "the value is not of the column's dtype. Correct it, or the dtype",
    "time": "the value is no time of the column's dtype. Write it as ISO 8601, such as 2020-08-01T12:00:03Z, or as "
    "seconds since 1970; fractions of seconds need float64",
    "leading zeros": "as an integer the id would lose its sign or zeros: 0012 would become 12. Give the column the "
    "dtype string",
    "overflow": "the number doesn't fit the column's dtype. Give the column a wider dtype; ids beyond int64 are of the "
    "dtype string",
    "utf-8": "the text is not UTF-8, or not of the encoding named. Encode the file as UTF-8, or name the encoding of a "
    "CSV: csv=CsvFormat(encoding='latin-1')",
    "null": "the value is missing. Fill it, or allow it with properties={'nullable': True}",
    "nan": "the value is not a number. Fill it; a missing number is allowed with properties={'nullable': True}",
    "infinite": "the value is infinite. Replace it by a number",
    "negative": "an id is negative (integers of a category or list are ids). Correct it, make numbers that are no ids "
    "floats, or name the domain's min in the schema's properties",
    "domain": "the value is outside the column's domain. Correct it, or the domain in the schema's properties",
    "width": "the vector has another width than the schema's dims",
    "length": "the list is shorter or longer than the schema's value_count",
    "weights": "ids and weights differ in number",
}
SHOWN = 5


@dataclass(frozen=True)
class Fault:
    """Rows of a block that break a rule.

    Args:
        column: str. The column, or `""` where the whole row is at fault.
        rule: str. A key of `RULES`.
        rows: int array. Positions in the block.
        values: list. What stood there, for the first few rows.
    """

    column: str
    rule: str
    rows: np.ndarray
    values: list[Any] = field(default_factory=list)

    def message(self, file: str, row: int) -> str:
        """One sentence, for the first of the rows, which is row `row` of `file`."""
        where = f"Column '{self.column}' of {file}" if self.column else file
        received = f"Received {short(self.values[0])}. " if self.values else ""
        return (
            f"{where}, row {row}: {RULES[self.rule]}. {received}"
            "To leave such rows aside, pass read(..., on_error='quarantine', quarantine='bad-rows.parquet')."
        )


def fault(column: str, rule: str, rows: np.ndarray, values: Iterable[Any]) -> Fault:
    """A fault with the first of `values`, which are in the order of `rows`."""
    return Fault(column, rule, rows, [readable(value) for value in islice(values, SHOWN)])


def readable(value: Any) -> Any:
    """An Arrow scalar as a Python value, also where it is text that is no UTF-8 or a time that Python lacks."""
    if not isinstance(value, pa.Scalar):
        return value
    if isinstance(value, pa.DictionaryScalar):
        value = value.value
    if not value.is_valid:
        return None
    if is_text(value.type):
        return value.as_buffer().to_pybytes().decode(errors="backslashreplace")
    if is_list(value.type) or pa.types.is_map(value.type):
        return [readable(each) for each in value.values]
    if pa.types.is_struct(value.type):
        return {name: readable(each) for name, each in value.items()}
    return value.cast(pa.string()).as_py() if pa.types.is_temporal(value.type) else value.as_py()


def short(value: Any, most: int = 80) -> str:
    """The value in Python's notation, cut to `most` characters."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def without_rows(faults: list[Fault], kept: np.ndarray) -> list[Fault]:
    """The faults of the rows that are kept, renumbered.

    Args:
        kept: bool array, one entry a row of the block.
    """
    if not faults or kept.all():
        return faults
    renumbered = np.cumsum(kept) - 1
    left = [
        Fault(
            each.column,
            each.rule,
            renumbered[each.rows[kept[each.rows]]],
            [value for row, value in zip(each.rows, each.values, strict=False) if kept[row]],
        )
        for each in faults
    ]
    return [each for each in left if len(each.rows)]
