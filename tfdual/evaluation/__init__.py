"""Full-corpus quality."""

from tfdual.evaluation.comparison import Comparison
from tfdual.evaluation.corpus_evaluation import CorpusEvaluation
from tfdual.evaluation.evaluate import evaluate
from tfdual.evaluation.evaluate_rankings import evaluate_rankings
from tfdual.evaluation.evaluate_retriever import evaluate_retriever
from tfdual.evaluation.evaluation_options import EvaluationOptions
from tfdual.evaluation.evaluation_report import EvaluationReport
from tfdual.evaluation.write_projector import write_projector

__all__ = [
    "Comparison",
    "CorpusEvaluation",
    "EvaluationOptions",
    "EvaluationReport",
    "evaluate",
    "evaluate_rankings",
    "evaluate_retriever",
    "write_projector",
]
