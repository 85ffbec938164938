"""Corpus metrics while training."""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from tfdual.data import Rows
from tfdual.data.row_mask import RowMask
from tfdual.evaluation.evaluate import evaluate_batches
from tfdual.evaluation.evaluation_options import EvaluationOptions
from tfdual.evaluation.evaluation_report import EvaluationReport
from tfdual.index import Index
from tfdual.models.ready_batches import ReadyBatches
from tfdual.preprocessing import Preprocessor

FAST = EvaluationOptions(bootstrap=0)
KEPT_BYTES = 512 << 20


class CorpusEvaluation(keras.callbacks.Callback):
    """Run `evaluate` after an epoch and add its figures to the logs, as `val_recall@10` and so on.

    Place it before callbacks that read the logs, such as `EarlyStopping(monitor="val_ndcg@10", mode="max")`.

    Args:
        queries, items, ks, preprocessor, relevant, seen: as for `evaluate`; `ks` defaults to `(10,)`. Raw rows are read
            and preprocessed once, and kept, unless they take more than 512 MiB: queries and items each.
        every: int. Evaluate after the first epoch of a `fit`, every so many, and the last; the epochs between repeat
            the last figures, so that callbacks behind find them. Defaults to 1.
        sample: int. How many queries to ask: of rows, drawn once with the options' seed; of a dataset, the first.
            Defaults to `None`: all.
        options: EvaluationOptions. Defaults to `EvaluationOptions(bootstrap=0)`.

    Attributes:
        report: EvaluationReport of the last evaluation; None before the first of a `fit`.

    Raises:
        ValueError: `every` or `sample` is below 1.
    """

    def __init__(
        self,
        queries: Rows | tf.data.Dataset,
        items: Rows | tf.data.Dataset,
        ks: Iterable[int] = (10,),
        preprocessor: Preprocessor | None = None,
        relevant: str | None = None,
        seen: str | None = None,
        every: int = 1,
        sample: int | None = None,
        options: EvaluationOptions = FAST,
    ) -> None:
        super().__init__()
        if every < 1 or (sample is not None and sample < 1):
            raise ValueError(f"every and sample are at least 1. Received every={every} and sample={sample}.")
        queries = queries if sample is None else _sampled(queries, sample, options.seed)
        self._queries = ReadyBatches(queries, preprocessor, KEPT_BYTES)
        self._items = ReadyBatches(items, preprocessor, KEPT_BYTES)
        self._ks, self._relevant, self._seen = tuple(ks), relevant, seen
        self._every = every
        self._options = options
        self._index: Index | None = None
        self.report: EvaluationReport | None = None

    def set_model(self, model: keras.Model) -> None:
        """Forget the index and the figures of another model."""
        if model is not self.model:
            self._index = self.report = None
        super().set_model(model)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Forget the figures of an earlier `fit`."""
        self.report = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Evaluate, and write into `logs`."""
        last = epoch + 1 == self.params.get("epochs")
        self._index = self._index or self.model.exact_index()
        if self.report is None or epoch % self._every == 0 or last:
            asked = self._queries, self._items, self._ks, self._relevant, self._seen
            self.report = evaluate_batches(self.model, *asked, index=self._index, train=None, options=self._options)
        if logs is not None:
            logs.update({f"val_{name}": value for name, value in self.report.items() if name != "queries"})


def _sampled(queries: Rows | tf.data.Dataset, sample: int, seed: int) -> Rows | tf.data.Dataset:
    if isinstance(queries, Rows):
        if sample >= len(queries):
            return queries
        mask = np.zeros(len(queries), bool)
        mask[np.random.default_rng(seed).choice(len(queries), sample, replace=False)] = True
        return queries.where(RowMask([mask]))
    return queries.unbatch().take(sample).batch(min(sample, 4096))
