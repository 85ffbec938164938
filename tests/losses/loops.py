"""Every loss as its paper writes it: a loop over queries, positives and negatives, in float64."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfdual import losses

Row = np.ndarray  # of the candidates of one query that take part: scores, labels, the teacher's scores


def softmax(scores: Row, positive: Row, _: Row) -> float:
    return np.mean([np.logaddexp.reduce([p, *scores[~positive]]) - p for p in scores[positive]])


def decoupled(scores: Row, positive: Row, _: Row) -> float:
    return np.mean([np.logaddexp.reduce(scores[~positive]) - p for p in scores[positive]])


def supervised(scores: Row, positive: Row, _: Row) -> float:
    return np.mean([np.logaddexp.reduce(scores) - p for p in scores[positive]])


def logistic(scores: Row, positive: Row, _: Row) -> float:
    return np.mean([np.logaddexp(0, n - p) for p in scores[positive] for n in scores[~positive]])


def hinge(scores: Row, positive: Row, _: Row, margin: float = 1.0) -> float:
    return np.mean([max(0.0, margin - p + n) for p in scores[positive] for n in scores[~positive]])


def triplet(scores: Row, positive: Row, _: Row, margin: float = 0.1) -> float:
    found = []
    for p in scores[positive]:
        below = [n for n in scores[~positive] if n < p]
        found.append(max(0.0, margin - p + (max(below) if below else min(scores[~positive]))))
    return np.mean(found)


def cosine(scores: Row, positive: Row, _: Row, margin: float = 0.5, negative_weight: float = 1.0) -> float:
    pushed = [max(0.0, n - margin) for n in scores[~positive]]
    return np.mean([1 - p for p in scores[positive]]) + negative_weight * np.mean(pushed)


def binary(scores: Row, positive: Row, _: Row, positive_weight: float = 1.0) -> float:
    terms = [positive_weight * np.logaddexp(0, -p) for p in scores[positive]]
    return np.mean(terms + [np.logaddexp(0, n) for n in scores[~positive]])


def squared_margins(scores: Row, positive: Row, teacher: Row) -> float:
    pairs = [(i, j) for i in np.flatnonzero(positive) for j in np.flatnonzero(~positive)]
    return np.mean([((scores[i] - scores[j]) - (teacher[i] - teacher[j])) ** 2 for i, j in pairs])


def divergence(scores: Row, _: Row, teacher: Row, temperature: float = 1.0) -> float:
    log_q = scores / temperature - np.logaddexp.reduce(scores / temperature)
    log_p = teacher / temperature - np.logaddexp.reduce(teacher / temperature)
    return temperature**2 * sum(np.exp(p) * (p - q) for p, q in zip(log_p, log_q, strict=True))


def both(positive: Row) -> bool:
    return positive.any() and not positive.all()


def some(positive: Row) -> bool:
    return positive.size > 0


def two(positive: Row) -> bool:
    return positive.size > 1


@dataclass(frozen=True)
class Case:
    """A loss, the loop of one of its queries, and which queries count."""

    loss: Callable
    query: Callable
    counts: Callable = both
    takes: tuple[str, ...] = ("labels",)

    def __call__(self, scores: Any, labels: Any, teacher: Any, mask: Any = None, weight: Any = None, **options) -> Any:
        given = {"labels": labels, "teacher_scores": teacher}
        named = {name: given[name] for name in self.takes} | options
        return self.loss(scores, mask=mask, sample_weight=weight, **named)

    def expected(
        self, scores: Any, labels: Any, teacher: Any, mask: Any = None, weight: Any = None, **options
    ) -> float:
        scores, positive, teacher = (
            np.asarray(scores, "float64"),
            np.asarray(labels) > 0,
            np.asarray(teacher, "float64"),
        )
        mask = np.ones_like(positive) if mask is None else mask
        weight = np.ones(len(scores)) if weight is None else weight
        found, weights = [], []
        for row, kept in enumerate(mask):
            if self.counts(positive[row][kept]) and weight[row]:
                found.append(self.query(scores[row][kept], positive[row][kept], teacher[row][kept], **options))
                weights.append(weight[row])
        return float(np.average(found, weights=weights)) if found else 0.0


CASES = {
    "binary_cross_entropy": Case(losses.binary_cross_entropy, binary, some),
    "bpr": Case(losses.bpr, logistic),
    "cosine_contrastive": Case(losses.cosine_contrastive, cosine),
    "decoupled_info_nce": Case(losses.decoupled_info_nce, decoupled),
    "hinge": Case(losses.hinge, hinge),
    "kl_distillation": Case(losses.kl_distillation, divergence, two, ("teacher_scores",)),
    "margin_mse": Case(losses.margin_mse, squared_margins, takes=("labels", "teacher_scores")),
    "pairwise_logistic": Case(losses.pairwise_logistic, logistic),
    "sampled_softmax": Case(losses.sampled_softmax, softmax),
    "semi_hard_triplet": Case(losses.semi_hard_triplet, triplet),
    "supervised_contrastive": Case(losses.supervised_contrastive, supervised),
}


def example(queries: int = 8, candidates: int = 7, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Scores, labels, a teacher's scores, a mask that leaves each query a positive and a negative, and weights."""
    rng = np.random.default_rng(seed)
    scores, teacher = rng.normal(size=(2, queries, candidates)).astype("float32")
    labels = rng.random((queries, candidates)) < 0.4
    mask = rng.random((queries, candidates)) < 0.7
    labels[:, 0], labels[:, 1], mask[:, :2] = True, False, True
    return scores, labels, teacher, mask, rng.uniform(0.5, 2, queries).astype("float32")


def slopes(loss: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Gradient of a loop by central differences, in float64."""
    found = np.zeros(at.shape)
    for place in np.ndindex(at.shape):
        ends = []
        for step in (1e-5, -1e-5):
            moved = at.astype("float64")
            moved[place] += step
            ends.append(loss(moved))
        found[place] = (ends[0] - ends[1]) / 2e-5
    return found
