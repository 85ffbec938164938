"""Two evaluations of the same queries."""

from tfdual._text_table import text_table
from tfdual.metrics import PairedTest


class Comparison(dict[str, PairedTest]):
    """Metric -> `PairedTest`; as a string, a table. Made by `report.compare(other)`."""

    def __str__(self) -> str:
        rows = [["", "first", "second", "difference", "95 % interval", "p"]]
        rows += [[name, *test.cells()] for name, test in self.items()]
        return text_table(rows)
