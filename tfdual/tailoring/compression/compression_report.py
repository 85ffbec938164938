"""What compression kept."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfdual._text_table import text_table
from tfdual.tailoring.compression.compression_picture import draw_kept

LEARNED = "learned"


@dataclass(frozen=True)
class CompressionRow:
    """One way to make vectors shorter, at one width.

    Args:
        method: str. `"learned"`, `"learned, int8"`, `"learned, binary"`, `"PCA"` or `"random projection"`.
        width: int.
        bytes: int. Of what a search scans, a vector.
        recall: float. The share of the exact nearest of all parts side by side that is found.
        ndcg: float. By labels; None where there are none.
    """

    method: str
    width: int
    bytes: int
    recall: float
    ndcg: float | None = None


@dataclass(frozen=True)
class CompressionReport:
    """What compression kept of the search by all parts side by side, at each width and in other ways beside it.

    Args:
        k: int. So many neighbours are asked for.
        items: int.
        queries: int.
        width: int. Of all parts side by side.
        rows: tuple of CompressionRow.
        ndcg: float. By labels, of all parts side by side. Defaults to `None`: there are none.
    """

    k: int
    items: int
    queries: int
    width: int
    rows: tuple[CompressionRow, ...]
    ndcg: float | None = None

    def row(self, width: int, method: str = LEARNED) -> CompressionRow:
        """The row of a method at a width.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if (row.method, row.width) == (method, width):
                return row
        raise KeyError(f"The report has no {method!r} at width {width}.")

    @property
    def methods(self) -> list[str]:
        """Their names, in the order of the rows."""
        return list(dict.fromkeys(row.method for row in self.rows))

    def __str__(self) -> str:
        texts = [
            f"{self.items:,} items of {self.width} numbers, {4 * self.width} bytes; {self.queries:,} queries",
            f"recall@{self.k} of the exact nearest, and bytes a vector",
            self._table("recall"),
        ]
        if self.ndcg is not None:
            texts += [f"NDCG@{self.k} by labels; {self.ndcg:.4f} with all {self.width} numbers", self._table("ndcg")]
        return "\n".join(texts)

    def _table(self, measure: str) -> str:
        lines = [["width", *self.methods]]
        for width in dict.fromkeys(row.width for row in self.rows):
            found = [self.row(width, method) for method in self.methods]
            sizes = [f" ({row.bytes})" if measure == "recall" else "" for row in found]
            lines.append(
                [str(width), *(f"{getattr(row, measure):.4f}{size}" for row, size in zip(found, sizes, strict=True))]
            )
        return text_table(lines)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON types."""
        return asdict(self) | {"rows": [asdict(row) for row in self.rows]}

    def plot(self, path: str | Path) -> None:
        """Draw recall over width as a PNG, a line a method.

        Needs the extra `demo`.

        Raises:
            ImportError: matplotlib is not installed.
        """
        points = {
            method: [(row.width, row.recall) for row in self.rows if row.method == method] for method in self.methods
        }
        title = f"Of the {self.k} nearest by {self.width} numbers ({self.items:,} items, {self.queries:,} queries)"
        draw_kept(points, f"recall@{self.k}", title, path)
