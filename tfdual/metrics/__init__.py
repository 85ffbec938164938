"""Measures of ranked lists."""

from tfdual.metrics.exposure import average_popularity, coverage, novelty, popularity_bias
from tfdual.metrics.ranking import (
    average_precision,
    break_ties,
    hit_rate,
    ndcg,
    precision,
    ranking_metrics,
    recall,
    reciprocal_rank,
)
from tfdual.metrics.significance import PairedTest, bootstrap_interval, paired_test

__all__ = [
    "PairedTest",
    "average_popularity",
    "average_precision",
    "bootstrap_interval",
    "break_ties",
    "coverage",
    "hit_rate",
    "ndcg",
    "novelty",
    "paired_test",
    "popularity_bias",
    "precision",
    "ranking_metrics",
    "recall",
    "reciprocal_rank",
]
