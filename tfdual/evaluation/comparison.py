"""Two evaluations of the same queries."""

from tfdual._text_table import text_table
from tfdual.metrics import PairedTest


class Comparison(dict[str, PairedTest]):
    """Metric -> `PairedTest`; as a string, a table. Made by `report.compare(other)`."""

    def __str__(self) -> str:
        rows = [["", "first", "second", "difference", "95 % interval", "p"]]
        for name, test in self.items():
            low, high = test.interval
            figures = [f"{test.first:.4f}", f"{test.second:.4f}", f"{test.difference:+.4f}"]
            rows.append([name, *figures, f"[{low:+.4f}, {high:+.4f}]", f"{test.p_value:.4f}"])
        return text_table(rows)
