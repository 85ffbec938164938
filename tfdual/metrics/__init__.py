"""Measures of ranked lists."""

from tfdual.metrics.ranking import hit_rate, ndcg, ranking_metrics, recall, reciprocal_rank

__all__ = ["hit_rate", "ndcg", "ranking_metrics", "recall", "reciprocal_rank"]
