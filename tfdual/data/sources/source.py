"""What every source of rows is."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from tfdual.data.faults import Fault


@dataclass(frozen=True)
class Part:
    """Rows that can be read on their own: a file, or a row group of one.

    Args:
        file: str. Path or name, for messages.
        index: int. Which row group or table; what it means is up to the source. Defaults to 0.
        first_row: int. Position of the part's first row in its file; the first row of a file is 0, and a header is
            no row. Defaults to 0.
        rows: int. How many, where it is known without reading. Defaults to `None`.
    """

    file: str
    index: int = 0
    first_row: int = 0
    rows: int | None = None


@dataclass(frozen=True)
class Block:
    """Some rows of a part, in order.

    Args:
        table: pyarrow.Table. The physical columns.
        faults: what the source could not represent; the table holds null there, so each row has a fault of its own,
            which holds its value. Defaults to none.
        texts: position -> the row as it stands in the file, of rows that can't be parsed. Defaults to none.
    """

    table: pa.Table
    faults: Sequence[Fault] = ()
    texts: dict[int, str] = field(default_factory=dict)


class Source(ABC):
    """A stream of Arrow tables that can be read again, part by part.

    Args:
        name: str. How messages name the source.
    """

    is_text = False
    """Values are text that is parsed into the schema's types, so a type can't be told before it is read."""

    is_sampled = False
    """The columns are those of the first rows; others may hold more, which are read too. A null type that is wanted is
    the one that the rows have."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """File -> its physical columns, read from metadata or from the first rows."""

    @property
    @abstractmethod
    def parts(self) -> Sequence[Part]:
        """The parts in stored order."""

    @abstractmethod
    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """Read a part.

        Args:
            part: Part.
            wanted: pyarrow.Schema. The columns to read. A format without types of its own reads into these; another
                gives its own types.
            size: int. At most so many rows a block.
        """

    def count(self, part: Part) -> int:
        """Rows of a part; by reading it where nothing else tells."""
        if part.rows is not None:
            return part.rows
        first = self.arrow_schemas[part.file].field(0)
        return sum(block.table.num_rows for block in self.blocks(part, pa.schema([first]), 65_536))

    @cached_property
    def part_rows(self) -> list[int]:
        """Rows of every part; the first use may read the source once."""
        return [self.count(part) for part in self.parts]
