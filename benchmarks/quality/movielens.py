"""MovieLens latest-small, split by time: a two-tower with features, matrix factorisation, item to item, popularity.

    python benchmarks/quality/movielens.py [--seeds 0 1 2] [--out FILE]
    python benchmarks/quality/movielens.py --epochs 1 --seeds 0 --out /tmp/smoke.json           # does it run?

Each user's last fifth of ratings is held out, and what anybody rated after one point in time isn't trained on; all
movies that the user hasn't rated are ranked. Settings were chosen on the validation part, with the test part untouched.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from quality_report import data_folder, write_report
from rich.console import Console
from rich.table import Table

import tfdual
from tfdual import Schema
from tfdual.demo.movielens_recipe import movielens_recipe
from tfdual.demo.recipe import Recipe
from tfdual.evaluation import EvaluationReport, evaluate_rankings

METRICS = ("ndcg@10", "recall@10", "mrr@10", "coverage@10")
KS = (10, 100)
REFERENCE = "item to item"


def matrix_factorization(ready: Schema) -> tfdual.TwoTowerModel:
    """Rows of the same width as the two-tower's, of the ids alone."""
    block = tfdual.MatrixFactorizationBlock(ready, 384, post="l2-norm")
    return tfdual.TwoTowerModel(block, temperature=0.2)


class Split:
    """The rows of a recipe, ready to train and to evaluate."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        schemas = recipe.schemas()
        self.train = tfdual.read(recipe.train, schemas["train"])
        self.queries = tfdual.read(recipe.queries, schemas["queries"])
        self.items = tfdual.read(recipe.items, schemas["items"])
        self.prep = tfdual.Preprocessor(recipe.schema, recipe.transforms).adapt(self.train)

    def model_report(self, build: Callable[[Schema], Any], seed: int) -> EvaluationReport:
        """Train a model as the recipe says, and evaluate it."""
        keras.utils.set_random_seed(seed)
        model = build(self.prep.schema)
        model.compile(tfdual.LazyAdam(self.recipe.learning_rate))
        batches = self.train.batch(self.recipe.batch_size, shuffle=True, seed=seed).map(self.prep)
        model.fit(batches, epochs=self.recipe.epochs, verbose=0)
        return tfdual.evaluate(model, self.queries, self.items, KS, self.prep, "relevant", "seen", train=self.train)

    def ranking_report(self, rank: Callable[[int], Any]) -> EvaluationReport:
        """Evaluate what a baseline ranks."""
        corpus = self.recipe.items[self.recipe.item_id].to_numpy()
        return evaluate_rankings(rank(max(KS)), self.queries, corpus, "relevant", KS, train=self.train)


def main() -> None:
    """Train, evaluate, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--validation", action="store_true", help="the validation part instead of the test part")
    parser.add_argument("--out", type=Path, help="JSON to write")
    chosen, console, load_before = parser.parse_args(), Console(), os.getloadavg()[0]
    recipe = movielens_recipe(
        data_folder("movielens-latest-small", console), "validation" if chosen.validation else "test"
    )
    split = Split(recipe if chosen.epochs is None else replace(recipe, epochs=chosen.epochs))
    reports: dict[str, list[EvaluationReport]] = {}
    seconds: dict[str, float] = {}
    for name, build in {"two-tower with features": recipe.build, "matrix factorisation": matrix_factorization}.items():
        start = time.perf_counter()
        reports[name] = [split.model_report(build, seed) for seed in chosen.seeds]
        seconds[name] = round((time.perf_counter() - start) / len(chosen.seeds), 1)
        console.print(f"{name}: {seconds[name]} s a seed")
    for name, rank in recipe.baselines.items():
        reports[name] = [split.ranking_report(rank)]
    console.print(table(reports))
    if chosen.out:
        results = {name: described(several, reports[REFERENCE][0]) for name, several in reports.items()}
        settings = {"seeds": chosen.seeds, "epochs": split.recipe.epochs, "batch": recipe.batch_size}
        write_report(chosen.out, "movielens", load_before, settings, results=results, seconds_a_seed=seconds)


def described(reports: list[EvaluationReport], reference: EvaluationReport) -> list[dict[str, Any]]:
    """Figures and intervals of each seed, and its paired test against the reference."""
    return [
        {
            "metrics": {metric: report[metric] for metric in (*METRICS, "recall@100")},
            "intervals": {metric: list(report.intervals[metric]) for metric in METRICS[:3]},
            "against_item_to_item": {
                metric: test._asdict() for metric, test in report.compare(reference).items() if metric in METRICS
            },
        }
        for report in reports
    ]


def table(reports: dict[str, list[EvaluationReport]]) -> Table:
    """Means over seeds; the interval is that of the first seed."""
    shown = Table("", *METRICS, "95 % of NDCG@10, first seed", "p against item to item")
    reference = reports[REFERENCE][0]
    for name, several in reports.items():
        low, high = several[0].intervals["ndcg@10"]
        test = several[0].compare(reference)["ndcg@10"]
        means = [f"{mean(report[metric] for report in several):.4f}" for metric in METRICS]
        shown.add_row(name, *means, f"{low:.4f} to {high:.4f}", "" if name == REFERENCE else f"{test.p_value:.3f}")
    return shown


if __name__ == "__main__":
    main()
