"""Optimisers that touch only the rows of the batch."""

from tfdual.optimizers.lazy_adam import LazyAdam

__all__ = ["LazyAdam"]
