"""What every model is that scores a query's candidates."""

import functools
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tfdual._backend import is_ragged
from tfdual._build import deserialized
from tfdual._typing import Tensor
from tfdual.data.told_plainly import told_plainly
from tfdual.losses import (
    binary_cross_entropy,
    bpr,
    cosine_contrastive,
    decoupled_info_nce,
    hinge,
    kl_distillation,
    margin_mse,
    pairwise_logistic,
    sampled_softmax,
    semi_hard_triplet,
    supervised_contrastive,
)
from tfdual.models.finite_loss import finite_or_stop
from tfdual.models.fit_rows import fit_rows
from tfdual.models.function_config import function_config, function_from
from tfdual.models.over_replicas import first_of_replicas, report_whole_batches, share_of_the_batch
from tfdual.models.own_loss import OwnLossModel
from tfdual.models.ranking_labels import check_arguments, checked_labels
from tfdual.serving import Reranker

COMPARING = (
    bpr,
    cosine_contrastive,
    decoupled_info_nce,
    hinge,
    kl_distillation,
    margin_mse,
    pairwise_logistic,
    sampled_softmax,
    semi_hard_triplet,
    supervised_contrastive,
)  # of one candidate they can say nothing


class RankingModel(OwnLossModel):
    """Columns of a query and of its candidates -> a score for each, trained on lists with labels.

    Labels are 1 and 0, or grades; -1 marks a place without a candidate. A list that holds no pair to compare adds
    nothing to a loss that compares; `binary_cross_entropy` takes each candidate by itself.

    Args:
        ranking_loss: function of scores, labels, `mask` and `sample_weight`: one of `tfdual.losses`, or a partial of
            one; `kl_distillation` takes grades for a teacher's scores. Labels may be a dict of `"labels"` and what the
            loss takes besides, such as the `"teacher_scores"` of `margin_mse`; dense or ragged. Defaults to `None`:
            `binary_cross_entropy`, for which each label above 0 is a positive.

    Output: `(batch,)`, or `(batch, candidates)`.

    Raises:
        ValueError: no labels; labels that are not one number a candidate, or come without what the loss takes besides;
            a loss that compares candidates, for lists of one; a loss in `compile()`.
    """

    loss_argument = "ranking_loss"
    takes_metrics = True

    def __init__(self, ranking_loss: Callable[..., Tensor] | None = None, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.ranking_loss = ranking_loss

    @property
    @abstractmethod
    def query_columns(self) -> list[str]:
        """Names of the columns of a query that it reads."""

    @property
    @abstractmethod
    def item_columns(self) -> list[str]:
        """Names of the columns of an item that it reads."""

    def compute_loss(
        self,
        x: dict[str, Tensor] | None = None,
        y: Any = None,
        y_pred: Tensor | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Tensor:
        """Mean ranking loss of the lists of a batch."""
        others = dict(y) if isinstance(y, dict) else {"labels": y}
        labels = others.pop("labels", None)
        if labels is None or y_pred is None or len(y_pred.shape) != 2:
            raise ValueError(
                "A re-ranker is trained on lists of candidates with a label each: items (batch, candidates, ...) and "
                "labels (batch, candidates), -1 where there is no candidate. `tfdual.tailoring.reranking_lists` makes "
                "them of vectors."
            )
        others = {name: values.to_tensor() if is_ragged(values) else values for name, values in others.items()}
        loss = self.ranking_loss or binary_cross_entropy
        self._refuse_lists_of_one(loss, y_pred)
        check_arguments(loss, others)
        in_python = keras.backend.backend() == "tensorflow" and not (self.compiled and self.jit_compile)
        labels, scores = checked_labels(labels, y_pred, in_python)
        mask = ops.greater_equal(labels, 0)
        total = loss(scores, ops.where(mask, labels, 0), mask=mask, sample_weight=sample_weight, **others)
        if not in_python:  # under XLA nothing else tells
            total = ops.where(ops.any(ops.isnan(ops.cast(labels, "float32"))), float("nan"), total)
        elif training:
            step = ops.convert_to_tensor(self.optimizer.iterations if self.compiled else 0)
            total = finite_or_stop(total, step, x or {}, {}, self.trainable_variables, sample_weight)
        total *= share_of_the_batch(y_pred, sample_weight)  # gradients of replicas are added up
        return total + sum(map(self._aggregate_additional_loss, self.losses))

    def _refuse_lists_of_one(self, loss: Callable[..., Tensor], scores: Tensor) -> None:
        plain = loss.func if isinstance(loss, functools.partial) else loss
        if scores.shape[1] == 1 and plain in COMPARING:
            raise ValueError(
                f"{plain.__name__} compares candidates of one query, and each list holds one. Give lists of two or "
                "more, or leave `ranking_loss` out: binary_cross_entropy takes each candidate by itself."
            )

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        if self._distribute_strategy is not None and iterator is not None:
            data_batch = first_of_replicas(self, iterator)
        super()._maybe_symbolic_build(None, data_batch)
        report_whole_batches(self)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Keras's `fit`, on batches of lists; of a dataset, the next is made ready during a step.

        Raises:
            TypeError: rows that aren't batches yet.
            ValueError: a bad row; a label that is NaN, or behind the end of its list; a step whose loss or columns are
                not finite, or a weight below 0, unless compiled by XLA.
        """
        x, settings = fit_rows(x, kwargs)
        with told_plainly():
            return super().fit(x, *args, **settings)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Keras's `evaluate`, on batches of lists.

        Raises:
            ValueError: a bad row; a label that is NaN, or behind the end of its list.
        """
        with told_plainly():
            return super().evaluate(*args, **kwargs)

    def to_reranker(self, candidates: int = 100) -> Reranker:
        """The second stage of a retriever, for `to_retriever(..., reranker=...)`.

        Args:
            candidates: int. Items of the index a query to score again. Defaults to 100.
        """
        return Reranker(self, self.query_columns, self.item_columns, candidates)

    def get_config(self) -> dict:
        return super().get_config() | {"ranking_loss": function_config(self.ranking_loss)}

    @classmethod
    def from_config(cls, config: dict) -> "RankingModel":
        arguments = deserialized(config)
        return cls(**arguments | {"ranking_loss": function_from(arguments["ranking_loss"])})
