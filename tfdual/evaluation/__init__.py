"""Full-corpus quality."""

from tfdual.evaluation.corpus_evaluation import CorpusEvaluation
from tfdual.evaluation.evaluate import evaluate

__all__ = ["CorpusEvaluation", "evaluate"]
