"""What an evaluation found."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfdual._text_table import text_table
from tfdual.evaluation.comparison import Comparison
from tfdual.evaluation.judgements import findable
from tfdual.evaluation.recall_picture import draw_recall, picture_class
from tfdual.metrics import paired_test

FORMAT = "tfdual.evaluation"
VERSION = 1
REPORT, PER_QUERY, PICTURE = "report.json", "per_query.parquet", "recall.png"
MOST_LINES = 8


class EvaluationReport(dict[str, float]):
    """Figures by name, such as `report["recall@10"]`, with what stands behind them; as a string, a table.

    Args:
        figures: mapping of name -> float, with `"queries"`, the number of queries scored.
        intervals: mapping of name -> (low, high): 95 % bootstrap intervals of the means. Defaults to none.
        per_query: mapping of name -> `(queries,)`: the values that the means are of. Defaults to none.
        slices: mapping of name -> EvaluationReport of a part of the queries or items. Defaults to none.
        rows: int `(queries,)`. Which rows of the input the scored queries are. Defaults to none.
        totals: mapping of name -> int: items, queries without a relevant item, relevant and seen ids outside the
            corpus.
        settings: mapping of plain JSON types: what was asked.
        fingerprint: str. A hash of the scored queries and of what is relevant to them.

    Example:
        >>> report = EvaluationReport({"recall@10": 0.5, "queries": 4}, {"recall@10": (0.25, 0.75)})
        >>> print(report)
        4 queries
                             @10
        recall  0.500 [.250, .750]
    """

    def __init__(
        self,
        figures: Mapping[str, float],
        intervals: Mapping[str, tuple[float, float]] | None = None,
        per_query: Mapping[str, np.ndarray] | None = None,
        slices: Mapping[str, "EvaluationReport"] | None = None,
        rows: np.ndarray | None = None,
        totals: Mapping[str, int] | None = None,
        settings: Mapping[str, Any] | None = None,
        fingerprint: str = "",
    ) -> None:
        super().__init__(figures)
        self.intervals = dict(intervals or {})
        self.per_query = dict(per_query or {})
        self.slices = dict(slices or {})
        self.rows = np.zeros(0, np.int64) if rows is None else rows
        self.totals = dict(totals or {})
        self.settings = dict(settings or {})
        self.fingerprint = fingerprint

    @property
    def ks(self) -> tuple[int, ...]:
        """The cut-offs, ascending."""
        return tuple(sorted({int(name.split("@")[1]) for name in self if "@" in name}))

    def __str__(self) -> str:
        return self.to_table()

    def to_table(self) -> str:
        """Metrics by cut-off, and a line a slice, as plain text."""
        lines = [f"{self['queries']:,} queries"]
        if "items" in self.totals:
            lines[0] += f" against {self.totals['items']:,} items"
        if without := self.totals.get("queries_without_relevant"):
            where = findable(self.settings.get("seen"), self.settings.get("candidates"))
            lines.append(f"{without:,} queries have no relevant item {where}, and are not scored")
        if outside := self.totals.get("relevant_outside_corpus"):
            lines.append(f"{outside:,} relevant ids are of no item in the corpus and don't count")
        if outside := self.totals.get("seen_outside_corpus"):
            lines.append(f"{outside:,} seen ids are of no item in the corpus and leave none out")
        metrics = list(dict.fromkeys(name.split("@")[0] for name in self if "@" in name))
        rows = [["", *(f"@{k}" for k in self.ks)]]
        rows += [[metric, *(self._cell(f"{metric}@{k}") for k in self.ks)] for metric in metrics]
        lines.append(text_table(rows))
        if self.slices:
            shown = [f"{metric}@{self.ks[0]}" for metric in ("recall", "ndcg")]
            rows = [["slice", "queries", *shown]]
            for name, part in self.slices.items():
                rows.append([name, f"{part['queries']:,}", *(part._cell(figure) for figure in shown)])
            table = text_table(rows)
            lines += ["-" * max(map(len, table.splitlines())), table]
        return "\n".join(lines)

    def compare(self, other: "EvaluationReport", samples: int = 10_000, seed: int = 0) -> Comparison:
        """Paired randomisation tests of every metric that both hold; this report first.

        Args:
            other: EvaluationReport of the same queries, e.g. of another model or a baseline.
            samples: int. Defaults to 10,000.
            seed: int. Defaults to 0.

        Raises:
            ValueError: other queries were scored, other items were relevant, or the values of the queries are lacking.
        """
        for report in (self, other):
            if not report.per_query:
                raise ValueError(
                    f"A report without values a query can't be compared. Keep {PER_QUERY} beside {REPORT}."
                )
        if self.fingerprint != other.fingerprint:
            raise ValueError(
                "The reports are of different queries, or different items were relevant: "
                f"{self['queries']:,} queries and {other['queries']:,}. Evaluate both on one file, with one corpus and "
                "the same columns of relevant and seen items."
            )
        shared = [name for name in self.per_query if name in other.per_query]
        return Comparison(
            {name: paired_test(self.per_query[name], other.per_query[name], samples, seed) for name in shared}
        )

    def save(
        self, folder: str | Path, picture: bool = True, beside: Mapping[str, "EvaluationReport"] | None = None
    ) -> Path:
        """Write `report.json`, `per_query.parquet` (a row a scored query) and `recall.png`; each whole or not at all.

        Args:
            folder: path. Made where it is missing; the files of an earlier report are replaced.
            picture: bool. Draw recall over k, for all queries and each slice. Defaults to `True`.
            beside: mapping of name -> EvaluationReport, drawn in place of the slices. Defaults to `None`.

        Returns:
            The path of `report.json`.

        Raises:
            ImportError: a picture is wanted, and matplotlib is not installed; nothing is written then.
            OSError: the folder can't be written.
        """
        folder = Path(folder)
        if picture:
            picture_class()
        folder.mkdir(parents=True, exist_ok=True)
        if not self.per_query:
            (folder / PER_QUERY).unlink(missing_ok=True)
        if not picture:
            (folder / PICTURE).unlink(missing_ok=True)
        if picture:
            lines = {"all": self, **(beside or dict(list(self.slices.items())[:MOST_LINES]))}
            _written(folder / PICTURE, lambda path: draw_recall(lines, path))
        if self.per_query:
            values = pa.table({"row": self.rows, **self.per_query})
            values = values.replace_schema_metadata({"fingerprint": self.fingerprint})
            _written(folder / PER_QUERY, lambda path: pq.write_table(values, path))
        content = {"format": FORMAT, "version": VERSION, **self._to_dict()}
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        _written(folder / REPORT, lambda path: path.write_text(text, encoding="utf-8"))
        return folder / REPORT

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Args:
            path: the folder, or its `report.json`. `per_query.parquet` is read where it lies beside.

        Raises:
            FileNotFoundError: there is no report.
            ValueError: the file is no report of ours, or the values of the queries are of another.
        """
        path = Path(path)
        path = path / REPORT if path.is_dir() else path
        if not path.is_file():
            raise FileNotFoundError(
                f"There is no report {path}. Write one with `report.save` or `tfdual evaluate --out`."
            )
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no report: {error}. Evaluate again.") from error
        if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
            raise ValueError(f"{path} is not of format {FORMAT}, version {VERSION}. Evaluate again with this release.")
        report = cls._from_dict(content)
        if (beside := path.with_name(PER_QUERY)).is_file():
            table = pq.read_table(beside)
            if (table.schema.metadata or {}).get(b"fingerprint", b"").decode() != report.fingerprint:
                raise ValueError(f"{beside} is not of the queries of {path}. Keep the files of one report together.")
            columns = {name: table.column(name).to_numpy() for name in table.column_names}
            report.rows = columns.pop("row")
            report.per_query = columns
        return report

    def _cell(self, name: str) -> str:
        if name not in self:
            return ""
        if name not in self.intervals:
            return f"{self[name]:.3f}"
        low, high = (f"{bound:.3f}" for bound in self.intervals[name])
        return f"{self[name]:.3f} [{low.removeprefix('0')}, {high.removeprefix('0')}]"

    def _to_dict(self) -> dict[str, Any]:
        return {
            "metrics": {name: None if math.isnan(value) else value for name, value in self.items()},
            "intervals": {name: list(bounds) for name, bounds in self.intervals.items()},
            "slices": {name: part._to_dict() for name, part in self.slices.items()},
            "totals": self.totals,
            "settings": self.settings,
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> Self:
        return cls(
            {name: math.nan if value is None else value for name, value in content["metrics"].items()},
            {name: (low, high) for name, (low, high) in content["intervals"].items()},
            slices={name: cls._from_dict(part) for name, part in content["slices"].items()},
            totals=content["totals"],
            settings=content["settings"],
            fingerprint=content["fingerprint"],
        )


def _written(path: Path, write: Any) -> None:
    """Write a file aside and rename it."""
    aside = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        write(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
