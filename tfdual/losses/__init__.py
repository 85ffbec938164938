"""Losses: functions of tensors, never of a model.

But for those that take vectors (`in_batch_softmax`, `neighbour_distillation`, `similarity_distillation`,
`reconstruction`, and `matryoshka` around any of them), all of them take the same and give the same:

    loss(scores, labels, mask=None, sample_weight=None, ...) -> scalar, float32

- `scores`: `(batch, candidates)`, of any float type. Divide by the temperature before.
- `labels`: bool, int or float `(batch, candidates)`. Above 0: the candidate is a positive of the query,
  whatever its grade; else a negative. A query may have several positives. `mark_positives` makes labels of an index,
  such as `ops.arange(batch)`.
- `mask`: bool `(batch, candidates)`. `False`: the candidate is left out. It gets a gradient of exactly 0, whatever
  its score is, infinite and NaN too. Defaults to `None`: all take part.
- `sample_weight`: `(batch,)`, at least 0. Defaults to `None`: 1 each.

A query's loss is a mean over its candidates, or over its pairs of a positive and a negative. What comes back is the
weighted mean over the queries that count: those with a positive, a negative and a weight above 0, unless the loss says
otherwise. The others give neither loss nor gradient, and where no query counts, the loss is 0.

Where replicas share a batch, the mean is over the queries of all of them. Each replica's part of it is divided by the
part that it has of the batch's rows, by their weight: so it counts as the mean of a replica does.

Sums are in float32, whatever type the scores have.
"""

from tfdual.losses.binary_cross_entropy import binary_cross_entropy
from tfdual.losses.bpr import bpr
from tfdual.losses.cosine_contrastive import cosine_contrastive
from tfdual.losses.decoupled_info_nce import decoupled_info_nce
from tfdual.losses.hinge import hinge
from tfdual.losses.in_batch_softmax import in_batch_softmax
from tfdual.losses.kl_distillation import kl_distillation
from tfdual.losses.learned_temperature import LearnedTemperature
from tfdual.losses.margin_mse import margin_mse
from tfdual.losses.mark_positives import mark_positives
from tfdual.losses.matryoshka import matryoshka
from tfdual.losses.neighbour_distillation import neighbour_distillation
from tfdual.losses.pairwise_logistic import pairwise_logistic
from tfdual.losses.reconstruction import reconstruction
from tfdual.losses.sampled_softmax import sampled_softmax
from tfdual.losses.semi_hard_triplet import semi_hard_triplet
from tfdual.losses.similarity_distillation import similarity_distillation
from tfdual.losses.supervised_contrastive import supervised_contrastive

__all__ = [
    "LearnedTemperature",
    "binary_cross_entropy",
    "bpr",
    "cosine_contrastive",
    "decoupled_info_nce",
    "hinge",
    "in_batch_softmax",
    "kl_distillation",
    "margin_mse",
    "mark_positives",
    "matryoshka",
    "neighbour_distillation",
    "pairwise_logistic",
    "reconstruction",
    "sampled_softmax",
    "semi_hard_triplet",
    "similarity_distillation",
    "supervised_contrastive",
]
