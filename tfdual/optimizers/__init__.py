"""Optimisers that touch only the rows of the batch."""

from tfdual.optimizers.lazy_adam import LazyAdam
from tfdual.optimizers.lazy_ftrl import LazyFtrl
from tfdual.optimizers.lazy_momentum import LazyMomentum
from tfdual.optimizers.lazy_optimizer import LazyOptimizer
from tfdual.optimizers.multi_optimizer import MultiOptimizer
from tfdual.optimizers.rowwise_adagrad import RowwiseAdagrad

__all__ = ["LazyAdam", "LazyFtrl", "LazyMomentum", "LazyOptimizer", "MultiOptimizer", "RowwiseAdagrad"]
