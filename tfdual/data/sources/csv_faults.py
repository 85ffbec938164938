"""What is wrong with parsed rows of a CSV: text of another encoding, and rows that a quote swallowed."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfdual.data.faults import Fault, fault
from tfdual.data.sources.source import Block
from tfdual.data.sources.utf8 import MARK, shown


def without_marks(block: Block) -> Block:
    """Null, and a fault, where a value holds bytes that couldn't be decoded."""
    table, faults = block.table, list(block.faults)
    for i, name in enumerate(table.column_names):
        column = table.column(i)
        is_marked = pc.match_substring(column, MARK)
        if len(rows := _positions(is_marked)):
            values = [shown(value) for value in column.take(pa.array(rows)).to_pylist()]
            faults.append(Fault(name, "utf-8", rows, values))
            table = table.set_column(i, name, pc.if_else(is_marked, pa.scalar(None, column.type), column))
    return replace(block, table=table, faults=faults)


def with_swallowed(block: Block) -> Block:
    """A fault for each row of a TSV with a value that holds a tab and an end of line.

    Where quotes are text, a field that begins with one is taken for quoted, up to the next quote: it swallows the rows
    between.
    """
    faults = list(block.faults)
    for column in block.table.columns:
        swallows = pc.and_(pc.match_substring(column, "\n"), pc.match_substring(column, "\t"))
        if len(rows := _positions(swallows)):
            faults.append(fault("", "malformed", rows, (column[row] for row in rows.tolist())))
    return replace(block, faults=faults)


def _positions(mask: pa.ChunkedArray) -> np.ndarray:
    return np.flatnonzero(pc.fill_null(mask, False).to_numpy())
