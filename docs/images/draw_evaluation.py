"""Draw docs/images/evaluation.png: `python docs/images/draw_evaluation.py`; it runs what docs/evaluation.md shows."""

import doctest
from pathlib import Path

import numpy as np

import tfdual
from tfdual.evaluation import evaluate_rankings
from tfdual.evaluation.recall_picture import draw_recall

KS = (1, 2, 5, 10, 20, 50)

if __name__ == "__main__":
    page = Path(__file__).parents[1] / "evaluation.md"
    names: dict = {}
    for example in doctest.DocTestParser().get_examples(page.read_text()):
        exec(example.source, names)
    task = {**names["task"], "ks": KS}
    owned, ranked = names["owned"], names["ranked"]
    reports = {
        "two-tower": tfdual.evaluate(
            names["model"], names["queries"], names["books"], KS, names["prep"], "liked", "read"
        ),
        "read together": evaluate_rankings(**ranked(owned @ (owned.T @ owned)), **task),
        "popularity": evaluate_rankings(**ranked(np.tile(owned.sum(axis=0), (600, 1))), **task),
    }
    draw_recall(reports, Path(__file__).with_name("evaluation.png"))
