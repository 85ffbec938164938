"""Losses: functions of tensors, never of a model."""

from tfdual.losses.in_batch_softmax import in_batch_softmax

__all__ = ["in_batch_softmax"]
