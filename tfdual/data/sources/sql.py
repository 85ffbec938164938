"""Tables and queries of a database, through SQLAlchemy."""

import tempfile
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfdual._optional import require
from tfdual.data.arrow_types import is_list, is_marked_time, is_text
from tfdual.data.faults import Fault, fault
from tfdual.data.sources.files import find_files
from tfdual.data.sources.parquet import SUFFIXES, ParquetSource
from tfdual.data.sources.source import Block, Part, Source
from tfdual.data.values import Unfit, convert, fitted

FETCHED_ROWS = 2_048
ROW_GROUP_ROWS = 131_072
ROW_GROUP_BYTES = 32 << 20
ADVICE = (
    'For PostgreSQL, `pip install "tfdual[postgres]"` and write postgresql+psycopg://; for another database, install '
    "the package of its SQLAlchemy dialect."
)


class SqlSource(Source):
    """The result of one query, as it was when it was first read.

    A database promises no order, and its rows change while a model trains. So the result is fetched once, by a
    server-side cursor, into a temporary Parquet file; every epoch, split and shuffle reads that. The file goes when
    the source does.

    Args:
        url: str. SQLAlchemy's, e.g. `sqlite:///shop.db` or `postgresql+psycopg://host/db`; Redshift, Hive and others
            are reached by the URL of their SQLAlchemy dialect.
        query: str. A SELECT, or the name of a table.
        hints: pyarrow.Schema. The types that columns are wanted in, times marked. Defaults to none: the database's.

    Raises:
        ImportError: SQLAlchemy or the database's driver is not installed.
        ValueError: the database can't be reached, or refuses the query.
    """

    is_text = True

    def __init__(self, url: str, query: str, hints: pa.Schema | None = None) -> None:
        self._sql = require("sqlalchemy", extra="sql")
        super().__init__(f"The query {' '.join(query.split())[:60]!r}")
        self._hints = {field.name: field.type for field in hints or ()}
        self._times = {field.name for field in hints or () if is_marked_time(field)}
        self._problems: dict[str, list[tuple[int, str, Any]]] = {}
        self._engine = _engine(self._sql, url)
        self._query = query if len(query.split()) > 1 else f"SELECT * FROM {self._quoted(query)}"

    @cached_property
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """The columns of the result."""
        (schema,) = self._snapshot.arrow_schemas.values()
        return {self.name: schema}

    @cached_property
    def parts(self) -> list[Part]:
        """The row groups of the snapshot."""
        return [Part(self.name, i, part.first_row, part.rows) for i, part in enumerate(self._snapshot.parts)]

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """The row group, from the snapshot."""
        first = part.first_row
        for block in self._snapshot.blocks(self._snapshot.parts[part.index], wanted, size):
            count = block.table.num_rows
            faults = [each for name in wanted.names for each in self._faults(name, first, count)]
            yield Block(block.table, faults)
            first += count

    def _faults(self, name: str, first: int, count: int) -> Iterator[Fault]:
        """What was wrong with a column, in `count` rows from row `first`."""
        problems = self._problems.get(name, [])
        start, end = (bisect_left(problems, row, key=itemgetter(0)) for row in (first, first + count))
        for row, rule, value in problems[start:end]:
            yield fault(name, rule, np.array([row - first]), [value])

    @cached_property
    def _snapshot(self) -> ParquetSource:
        self._folder = tempfile.TemporaryDirectory(prefix="tfdual-sql-")
        path = Path(self._folder.name) / "rows.parquet"
        writer = None
        for table in self._fetched():
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        if writer is None:
            raise ValueError(f"{self.name} has no rows. Write at least one row, or ask another query.")
        writer.close()
        for problems in self._problems.values():
            problems.sort(key=itemgetter(0))
        return ParquetSource(find_files(str(path), SUFFIXES, "Parquet"))

    def _fetched(self) -> Iterator[pa.Table]:
        """Tables of one schema, of a row group each."""
        self._problems.clear()
        types: dict[str, pa.DataType] = {}
        first = 0
        try:
            with self._engine.connect() as connection:
                streamed = connection.execution_options(stream_results=True, yield_per=FETCHED_ROWS)
                # text() takes `:name` for a parameter; there are none.
                result = streamed.execute(self._sql.text(self._query.replace(":", "\\:")))
                names = list(result.keys())
                waiting: list[pa.Table] = []
                for fetched in result.partitions(FETCHED_ROWS):
                    columns = zip(*fetched, strict=True)
                    arrays = [
                        self._column(name, list(values), types, first)
                        for name, values in zip(names, columns, strict=True)
                    ]
                    waiting.append(pa.table(arrays, names))
                    first += len(fetched)
                    if len(waiting) * FETCHED_ROWS >= ROW_GROUP_ROWS or _bytes(waiting) >= ROW_GROUP_BYTES:
                        yield pa.concat_tables(waiting).combine_chunks()
                        waiting = []
                if waiting:
                    yield pa.concat_tables(waiting).combine_chunks()
        except self._sql.exc.SQLAlchemyError as error:
            raise ValueError(
                f"{self.name} failed: {_first_line(error)}. Check the URL, the rights and the query."
            ) from error

    def _column(self, name: str, values: list[Any], types: dict[str, pa.DataType], first: int) -> pa.Array:
        """Values of one fetch, in the type that the column was given by the schema, or by its first values."""
        try:
            array = pa.array(values)
        except (pa.ArrowException, OverflowError):
            array = None
        if name not in types:
            types[name] = _stored_type(array, self._hints.get(name))
        target = types[name]
        if array is not None and array.type == target:
            return array
        if array is not None and not is_list(target) and not pa.types.is_nested(array.type):
            array, problems = convert(array, target, name in self._times)
            problems.pop("null", None)  # An empty text is null, and the schema tells whether a value may be missing.
            for rule, rows in problems.items():
                self._found(name, rule, [(first + row, values[row]) for row in rows.tolist()])
            return array
        return pa.array([self._fitted(name, first + i, value, target) for i, value in enumerate(values)], target)

    def _fitted(self, name: str, row: int, value: Any, target: pa.DataType) -> Any:
        if isinstance(value, str) and not value.strip() and not pa.types.is_string(target):
            return None
        try:
            return fitted(value, target, name in self._times)
        except Unfit as rule:
            self._found(name, str(rule), [(row, value)])
            return None

    def _found(self, name: str, rule: str, rows: Sequence[tuple[int, Any]]) -> None:
        self._problems.setdefault(name, []).extend((row, rule, value) for row, value in rows)

    def _quoted(self, table: str) -> str:
        quote = self._engine.dialect.identifier_preparer.quote
        return ".".join(quote(part) for part in table.split("."))


def _engine(sql: ModuleType, url: str) -> Any:
    """SQLAlchemy's engine, without a pool: the database is read once."""
    kind = url.split(":")[0]
    try:
        engine = sql.create_engine(url, poolclass=sql.pool.NullPool)
    except ModuleNotFoundError as error:
        raise ImportError(f"{kind}:// needs the driver {error.name!r}, which is not installed. {ADVICE}") from error
    except sql.exc.NoSuchModuleError as error:
        raise ImportError(f"{kind}:// needs a dialect of SQLAlchemy that is not installed. {ADVICE}") from error
    except sql.exc.SQLAlchemyError as error:
        raise ValueError(f"{kind}:// is no database URL of SQLAlchemy: {_first_line(error)}") from error
    file = engine.url.database
    if engine.dialect.name == "sqlite" and file and not file.startswith((":", "file:")) and not Path(file).exists():
        raise FileNotFoundError(
            f"There is no SQLite file {file}. Give the path of a database, as in sqlite:///shop.db."
        )
    return engine


def _stored_type(array: pa.Array | None, hint: pa.DataType | None) -> pa.DataType:
    """The type of a column's snapshot: the schema's; without a schema, what the first values are."""
    if array is None:
        return pa.string() if hint is None else hint
    if hint is not None:
        return array.type if is_list(hint) and is_text(array.type) else hint
    if pa.types.is_decimal(array.type):
        return pa.float64()
    return pa.string() if pa.types.is_null(array.type) else array.type


def _bytes(tables: list[pa.Table]) -> int:
    return sum(table.nbytes for table in tables)


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
