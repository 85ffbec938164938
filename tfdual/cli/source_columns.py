"""The columns of a source that options name."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from tfdual.data.infer_schema import sample
from tfdual.data.open_source import open_source
from tfdual.data.sources.csv import CsvSource
from tfdual.schema import ColumnSchema, Schema
from tfdual.schema.inference import infer_columns
from tfdual.schema.sample_values import dtype_of, single_values


@dataclass(frozen=True)
class SourceColumns:
    """What the first rows tell of the columns of a source.

    Args:
        source: str.
        rows: Table. The first rows.
        from_text: bool. They come from a CSV, so strings may spell numbers.
        schema: Schema. The columns of which inference made something.
        reasons: dict of str. Of every column, why that, or why nothing.
    """

    source: str
    rows: pa.Table
    from_text: bool
    schema: Schema
    reasons: dict[str, str]

    @classmethod
    def of(cls, source: str, format: str | None = None, rows: int = 10_000) -> "SourceColumns":
        """Of that many rows; `format` as `tfdual.read` takes it."""
        opened = open_source(source, pa.schema([]), format=format)
        from_text = isinstance(opened, CsvSource)
        first = sample(opened, rows)
        return cls(source, first, from_text, *infer_columns(first, from_text))

    def check(self, names: Iterable[str], advice: str = "") -> None:
        """Refuse a source that lacks a column.

        Raises:
            ValueError: it does.
        """
        if missing := [name for name in names if name not in self.reasons]:
            raise ValueError(f"{self.source} lacks the columns {missing}. It has {list(self.reasons)}.{advice}")

    def inferred(self, name: str) -> ColumnSchema:
        """A column as inference has it.

        Raises:
            ValueError: inference left it out.
        """
        if name not in self.schema:
            raise ValueError(f"The column '{name}' of {self.source} can't be taken: {self.reasons[name]}.")
        return self.schema[name]

    def stored(self, name: str) -> ColumnSchema:
        """A column that needn't be a feature: as inference has it, else one value a row, of the type it is stored in.

        Raises:
            ValueError: inference left it out, and no dtype holds its values.
        """
        if name in self.schema or name not in self.rows.column_names:
            return self.inferred(name)
        array = pa.concat_arrays(self.rows[name].chunks)
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        values = single_values(array, self.from_text)
        if values is None or not (self.from_text or values.dtype == dtype_of(array.type)):
            return self.inferred(name)
        holds_missing = values.dtype.startswith("float") or values.dtype == "string"
        return ColumnSchema(name, dtype="float64" if values.missing and not holds_missing else values.dtype)


def form_of(column: ColumnSchema) -> ColumnSchema:
    """A column that reads the same values and says nothing else: no tags, and of the properties the delimiter."""
    delimiter = {name: value for name, value in column.properties.items() if name == "delimiter"}
    return ColumnSchema(column.name, (), delimiter, column.dtype, column.is_list)
