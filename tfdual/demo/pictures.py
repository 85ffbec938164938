"""The three pictures of a demo."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfdual._optional import require

MAX_POINTS = 2_000
NAMED_CATEGORIES = 9
SIZE = (8, 5)


def draw_training(history: Mapping[str, Sequence[float]], path: Path) -> None:
    """Loss and recall@10 over the epochs."""
    figure, loss_axis = _subplots()
    epochs = np.arange(1, len(history["loss"]) + 1)
    loss_axis.plot(epochs, history["loss"], color="tab:blue", marker="o")
    loss_axis.set(xlabel="epoch", ylabel="training loss")
    loss_axis.yaxis.label.set_color("tab:blue")
    recall_axis = loss_axis.twinx()
    recall_axis.plot(epochs, history["val_recall@10"], color="tab:orange", marker="s")
    recall_axis.set_ylabel("recall@10 of held-out queries, whole corpus")
    recall_axis.yaxis.label.set_color("tab:orange")
    recall_axis.set_ylim(0, 1.1 * max(history["val_recall@10"]))
    _save(figure, "Training", path)


def draw_recall(metrics: Mapping[str, Mapping[str, float]], ks: Sequence[int], path: Path) -> None:
    """Recall at each k, a line a method."""
    figure, axis = _subplots()
    for name, values in metrics.items():
        axis.plot(
            ks, [values[f"recall@{k}"] for k in ks], marker="o", label=name, linewidth=3 if name == "tfdual" else 1.5
        )
    axis.set(xlabel="k", ylabel="recall@k", xscale="log", ylim=(0, None))
    axis.set_xticks(ks, [str(k) for k in ks])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.legend()
    _save(figure, f"Recall of {int(metrics['tfdual']['queries']):,} held-out queries, whole corpus", path)


def draw_items(embeddings: np.ndarray, categories: Sequence[str], label: str, path: Path, seed: int) -> None:
    """Item embeddings in two dimensions by t-SNE, coloured by the most frequent categories."""
    manifold = require("sklearn.manifold", extra="demo")
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    points = manifold.TSNE(perplexity=perplexity, random_state=seed, init="pca").fit_transform(embeddings)
    figure, axis = _subplots()
    names = np.array(categories)
    named = [name for name, _ in Counter(categories).most_common(NAMED_CATEGORIES)]
    others = ~np.isin(names, named)
    axis.scatter(*points[others].T, s=4, color="lightgrey", label=f"{len(set(names[others]))} others")
    for name in named:
        axis.scatter(*points[names == name].T, s=6, label=name)
    axis.set(xticks=[], yticks=[])
    axis.legend(markerscale=3, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5), title=label)
    _save(figure, f"{len(embeddings):,} item embeddings by t-SNE", path)


def _subplots() -> tuple[Any, Any]:
    figure = require("matplotlib.figure", extra="demo").Figure(figsize=SIZE, layout="constrained")
    return figure, figure.subplots()


def _save(figure: Any, title: str, path: Path) -> None:
    figure.suptitle(title)
    figure.savefig(path, dpi=130)
