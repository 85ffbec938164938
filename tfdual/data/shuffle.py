"""Order of rows: as stored, or shuffled in bounded memory."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

READ_ROWS = 65_536
WINDOW_ROWS = 524_288


def stored_order(dataset: ds.Dataset, columns: list[str]) -> Iterator[pa.Table]:
    """The rows as they are stored, in tables of at most `READ_ROWS` rows."""
    for batch in dataset.to_batches(columns=columns, batch_size=READ_ROWS):
        yield pa.Table.from_batches([batch])


def shuffled(dataset: ds.Dataset, columns: list[str], rng: np.random.Generator) -> Iterator[pa.Table]:
    """The rows in random order, `WINDOW_ROWS` in memory at a time.

    Row groups are read in random order, gathered into windows, and each window is permuted. A file of up to
    `WINDOW_ROWS` rows is permuted as a whole.
    """
    fragments = [part for fragment in dataset.get_fragments() for part in _row_groups(fragment)]
    window: list[pa.Table] = []
    rows = 0
    for i in rng.permutation(len(fragments)):
        for batch in fragments[i].to_batches(dataset.schema, columns=columns, batch_size=READ_ROWS):
            window.append(pa.Table.from_batches([batch]))
            rows += batch.num_rows
            if rows >= WINDOW_ROWS:
                yield _permuted(window, rng)
                window, rows = [], 0
    if rows:
        yield _permuted(window, rng)


def _permuted(window: list[pa.Table], rng: np.random.Generator) -> pa.Table:
    table = pa.concat_tables(window).combine_chunks()
    return table.take(pa.array(rng.permutation(table.num_rows)))


def _row_groups(fragment: ds.Fragment) -> list[ds.Fragment]:
    return fragment.split_by_row_group() if isinstance(fragment, ds.ParquetFileFragment) else [fragment]


def rebatched(tables: Iterator[pa.Table], size: int, drop_remainder: bool) -> Iterator[pa.Table]:
    """Cut and join tables so that each has `size` rows; the last may have fewer."""
    rest: pa.Table | None = None
    for table in tables:
        if rest is not None:
            table = pa.concat_tables([rest, table])
        whole = table.num_rows // size * size
        for start in range(0, whole, size):
            yield table.slice(start, size)
        rest = table.slice(whole) if whole < table.num_rows else None
    if rest is not None and not drop_remainder:
        yield rest
