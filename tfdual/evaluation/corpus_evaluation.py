"""Corpus metrics while training."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfdual.data import Rows
from tfdual.evaluation.evaluate import evaluate
from tfdual.preprocessing import Preprocessor


class CorpusEvaluation(keras.callbacks.Callback):
    """Run `evaluate` after each epoch and add its figures to the logs, as `val_recall@10` and so on.

    Place it before callbacks that read the logs, such as `EarlyStopping(monitor="val_ndcg@10", mode="max")`.

    Args: as for `evaluate`, without the model.
    """

    def __init__(
        self,
        queries: Rows | tf.data.Dataset,
        items: Rows | tf.data.Dataset,
        ks: Sequence[int] = (10,),
        preprocessor: Preprocessor | None = None,
        relevant: str | None = None,
        seen: str | None = None,
    ) -> None:
        super().__init__()
        self._arguments = (queries, items, ks, preprocessor, relevant, seen)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Evaluate, and write into `logs`."""
        report = evaluate(self.model, *self._arguments)
        report.pop("queries")
        if logs is not None:
            logs.update({f"val_{name}": value for name, value in report.items()})
