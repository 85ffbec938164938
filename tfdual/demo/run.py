"""Train, evaluate, export and query: the main job, step by step."""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tfdual.data import Rows, read
from tfdual.demo import pictures
from tfdual.demo.output import REPORT, written_aside
from tfdual.demo.progress import TrainingProgress
from tfdual.demo.recipe import Recipe
from tfdual.evaluation import CorpusEvaluation, evaluate, evaluate_rankings
from tfdual.index import ScaNN
from tfdual.models import TwoTowerModel
from tfdual.optimizers import LazyAdam
from tfdual.preprocessing import Preprocessor

KS = (1, 5, 10, 20, 50, 100)
SHOWN = ("recall@10", "recall@100", "ndcg@10", "mrr@10", "hit_rate@10")


class Demo:
    """One run of a recipe into a folder.

    Args:
        recipe: Recipe.
        out: Path. The folder to leave: `data/`, `model/1/`, `report.json` and three pictures.
        console: rich Console. Where progress is shown.
        seed: int. Defaults to 0.
    """

    def __init__(self, recipe: Recipe, out: Path, console: Console, seed: int = 0) -> None:
        self.recipe = recipe
        self.out = out
        self.console = console
        self.seed = seed
        self.seconds: dict[str, float] = {}

    def run(self) -> dict[str, Any]:
        """Do all of it, and return the report."""
        keras.utils.set_random_seed(self.seed)
        with written_aside(self.out) as aside:
            train, queries, items = self._write_data(aside / "data")
            with self._step("Fitting the preprocessor"):
                prep = Preprocessor(self.recipe.schema, self.recipe.transforms).adapt(train)
            model = self.recipe.build(prep.schema)
            history = self._train(model, prep, train, queries, items)
            arguments: dict[str, Any] = {"preprocessor": prep, "relevant": "relevant", "seen": self._seen()}
            with self._step("Evaluating against the whole corpus"):
                results = {"tfdual": evaluate(model, queries, items, KS, **arguments)}
            for name, rank in self.recipe.baselines.items():
                with self._step(f"Baseline: {name}"):
                    ranked, corpus = rank(self._depth()), self.recipe.items[self.recipe.item_id].to_numpy()
                    results[name] = evaluate_rankings(ranked, queries, corpus, "relevant", KS)
            with self._step("Building the ScaNN index"):
                retriever = model.to_retriever(items, ScaNN(), prep, self.recipe.attributes)
            report = self._report(results, history, retriever.description["index"], model)
            with self._step("Exporting one SavedModel"):
                retriever.export(aside / "model", {"metrics": results, "dataset": self.recipe.name})
            with self._step("Drawing pictures"):
                self._draw(aside, report, model, prep, items)
            report["seconds"] = self.seconds
            report["peak_memory_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
            (aside / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        return report

    def ask(self) -> dict[str, list[dict[str, Any]]]:
        """Load the saved model in a fresh process for each question of the recipe, and return its answers."""
        answers = {}
        for name, question in self.recipe.questions.items():
            with self._step(f"A fresh process answers: {name}"):
                command = [sys.executable, "-m", "tfdual", "query", str(self.out / "model"), "-k", "5", "--json"]
                arguments = [f"{key}={_as_argument(values[0])}" for key, values in question.items()]
                done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
            if done.returncode:
                raise ValueError(f"The fresh process failed: {done.stderr.strip()}")
            answers[name] = json.loads(done.stdout)
        return answers

    def _depth(self) -> int:
        """How many items the baselines rank: no query has seen so many that there are fewer."""
        most_seen = max(map(len, self.recipe.queries.column("seen").to_pylist()))
        return min(max(KS), len(self.recipe.items) - most_seen)

    def _seen(self) -> str | None:
        return "seen" if any(self.recipe.queries.column("seen").to_pylist()) else None

    def _write_data(self, folder: Path) -> tuple[Rows, Rows, Rows]:
        """The tables as Parquet files, read back as any user's files are."""
        folder.mkdir()
        tables = {"train": self.recipe.train, "queries": self.recipe.queries, "items": self.recipe.items}
        schemas = self.recipe.schemas()
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet")
        train, queries, items = (read(folder / f"{name}.parquet", schemas[name]) for name in tables)
        return train, queries, items

    def _train(
        self, model: TwoTowerModel, prep: Preprocessor, train: Rows, queries: Rows, items: Rows
    ) -> dict[str, list[float]]:
        recipe = self.recipe
        model.compile(optimizer=LazyAdam(recipe.learning_rate))
        batches = train.batch(recipe.batch_size, shuffle=True, seed=self.seed).map(prep)
        corpus = CorpusEvaluation(queries, items, (10,), prep, "relevant", self._seen())
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        started = time.perf_counter()
        with Progress(*columns, TimeElapsedColumn(), console=self.console) as progress:
            callbacks = [TrainingProgress(progress), corpus]
            fitted = model.fit(batches, epochs=recipe.epochs, verbose=0, callbacks=callbacks)
        self.seconds["Training"] = round(time.perf_counter() - started, 1)
        return fitted.history

    def _report(self, results: dict, history: dict, index: dict, model: TwoTowerModel) -> dict[str, Any]:
        recipe = self.recipe
        return {
            "dataset": recipe.name,
            "rows": {"train": len(recipe.train), "queries": len(recipe.queries), "items": len(recipe.items)},
            "settings": {
                "epochs": recipe.epochs,
                "batch_size": recipe.batch_size,
                "learning_rate": recipe.learning_rate,
                "temperature": model.objective.temperature,
                "seed": self.seed,
                "parameters": int(model.count_params()),
            },
            "headline": recipe.headline,
            "metrics": results,
            "history": {name: [float(value) for value in values] for name, values in history.items()},
            "index": index,
            "versions": {name: version(name) for name in ("tfdual", "tensorflow", "keras", "scann")}
            | {"python": platform.python_version()},
            "cores": os.cpu_count(),
        }

    def _draw(self, folder: Path, report: dict, model: TwoTowerModel, prep: Preprocessor, items: Rows) -> None:
        pictures.draw_training(report["history"], folder / "training.png")
        pictures.draw_recall(report["metrics"], KS, folder / "recall.png")
        sample = pa.array(np.random.default_rng(self.seed).permutation(len(items))[: pictures.MAX_POINTS])
        chosen = read(self.recipe.items.take(sample), items.schema)
        embeddings = np.concatenate([model.compiled_encode_item(prep(b)).numpy() for b in chosen.batch(4096)])
        categories = self.recipe.items.column(self.recipe.category).take(sample).to_pylist()
        pictures.draw_items(embeddings, categories, self.recipe.category, folder / "items.png", self.seed)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        with self.console.status(f"{name} ..."):
            yield
        self.seconds[name] = round(time.perf_counter() - started, 1)
        self.console.print(f"[green]✓[/] {name} [dim]{self.seconds[name]} s[/]")


def _as_argument(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
