"""What `CorpusEvaluation` at the end of each epoch costs: its share of the time that `fit` takes.

The two-tower of the training benchmark on a Parquet file; the whole catalogue is searched for a sample of queries.
These and the items are read and preprocessed once, by the callback (`rows`) or by cached datasets (`cached`).
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import keras
import synthetic
from harness import HERE, write_report
from rich import box
from rich.console import Console
from rich.table import Table
from tfdual_model import open_rows, two_tower

import tfdual


class Timed(tfdual.CorpusEvaluation):
    """Notes the seconds of each epoch's training, and of its evaluation."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Begin to note."""
        self.training: list[float] = []
        self.evaluation: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Evaluate between two looks at the clock."""
        ended = time.perf_counter()
        super().on_epoch_end(epoch, logs)
        self.training.append(ended - self.started)
        self.evaluation.append(time.perf_counter() - ended)


def trained(path: Path, variant: str, chosen: argparse.Namespace) -> Timed:
    """Train, and evaluate after each epoch."""
    keras.utils.set_random_seed(0)
    rows, prep = open_rows(path)
    items = rows.select(rows.schema.select_by_name(synthetic.ITEM_COLUMNS)).unique(by="item_id")
    if variant == "rows":
        watch = Timed(rows, items, ks=(10, 100), preprocessor=prep, sample=chosen.sample)
    else:
        queries = rows.batch(chosen.sample, shuffle=True, seed=1).take(1)
        watch = Timed(queries.map(prep).cache(), items.batch(4_096).map(prep).cache(), ks=(10, 100))
    train = rows.batch(chosen.batch, shuffle=True, seed=0).map(prep)
    two_tower(prep).fit(train, epochs=chosen.epochs, callbacks=[watch], verbose=0)
    return watch


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--batch", type=int, default=4_096)
    parser.add_argument("--sample", type=int, default=1_000, help="queries that are asked")
    parser.add_argument("--epochs", type=int, default=4, help="the first is not counted: it traces")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "corpus_evaluation.json")
    chosen = parser.parse_args()
    if chosen.epochs < 2 or min(chosen.rows, chosen.batch, chosen.sample) < 1:
        parser.error("epochs must be at least 2; rows, batch and sample at least 1")
    return chosen


def main() -> None:
    """Measure, print the table, write the JSON."""
    chosen, console = arguments(), Console()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        synthetic.write(path, chosen.rows)
        watches = {variant: trained(path, variant, chosen) for variant in ("rows", "cached")}
    results = {}
    shown = Table(title="Seconds an epoch, medians without the first", title_justify="left", box=box.SIMPLE)
    for heading in ("variant", "training", "evaluation", "share"):
        shown.add_column(heading, justify="right")
    for variant, watch in watches.items():
        training, own = median(watch.training[1:]), median(watch.evaluation[1:])
        results[variant] = {"training": watch.training, "evaluation": watch.evaluation, "share": own / (own + training)}
        shown.add_row(variant, f"{training:.2f}", f"{own:.2f}", f"{own / (own + training):.1%}")
    console.print(shown)
    settings = {name: getattr(chosen, name) for name in ("rows", "batch", "sample", "epochs")}
    write_report(chosen.out, "corpus_evaluation", load_before, settings, results=results)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
