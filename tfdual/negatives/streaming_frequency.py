"""How often an item occurs, learned while training."""

from typing import Any

import keras
from keras import ops

from tfdual._backend import set_rows, take_rows
from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.negatives._state import zeros_of


@register
class StreamingFrequency(keras.layers.Layer):
    """Probability of a training example to hold an item, from a stream of batches.

    `probability = share / gap`: `share` is the mean part of the batch that the item had in the steps that saw it, and
    `gap` the mean number of steps from one of them to the next.

    A gap alone, as in the paper, is at least 1, so that items of several occurrences a batch all look alike. The mean
    share over the mean gap is right for them too. Means are running ones, with a step of `max(rate, 1 / times seen)`:
    a plain mean at first, one that follows changes later. For a corpus that is known, the counts of `Preprocessor` are
    better: they need no start.

    Args:
        size: int. Ids that it keeps apart; an id beyond is taken modulo `size`.
        rate: float above 0, at most 1. Weight of the newest observation. Defaults to 0.01.

    Raises:
        ValueError: a size below 1, a rate out of range.

    Example:
        >>> frequency = StreamingFrequency(100)
        >>> for _ in range(3):
        ...     frequency.update(ops.array([7, 7, 7, 8]))
        >>> probability = ops.exp(frequency.log_probability(ops.array([7, 8])))
        >>> [round(float(p), 4) for p in probability]
        [0.75, 0.25]

    Reference: Yi et al., 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations"
    """

    def __init__(self, size: int, rate: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if size < 1 or not 0 < rate <= 1:
            raise ValueError(f"StreamingFrequency has size >= 1 and 0 < rate <= 1. Received {size} and {rate}.")
        self.size = size
        self.rate = rate

    def build(self, input_shape: Shape | None = None) -> None:
        """Make the state. No shape is needed."""
        self.gap = zeros_of(self, "gap", (self.size,), "float32")
        self.share = zeros_of(self, "share", (self.size,), "float32")
        self.seen = zeros_of(self, "seen", (self.size,), "float32")  # times, up to 1 / rate
        self.last = zeros_of(self, "last", (self.size,), "int64")  # the step that saw it last
        self.step = zeros_of(self, "step", (), "int64")
        self.rows = zeros_of(self, "rows", (), "int64")
        self.built = True

    def update(self, ids: Tensor) -> None:
        """Learn from the items of one batch, int `(batch,)`. The rows of these ids alone are written."""
        build_once(self)
        places = self._places(ids)
        count = ops.shape(places)[0]
        batch = ops.cast(count, "int64")
        self.step.assign_add(ops.cast(batch > 0, "int64"))
        self.rows.assign_add(batch)
        ordered = ops.sort(places)
        occurrences = ops.searchsorted(ordered, places, side="right") - ops.searchsorted(ordered, places)
        share = ops.cast(occurrences, "float32") / ops.cast(count, "float32")
        gap = ops.cast(self.step - take_rows(self.last, places), "float32")
        seen = ops.minimum(take_rows(self.seen, places) + 1.0, 1.0 / self.rate)
        old_gap, old_share = take_rows(self.gap, places), take_rows(self.share, places)
        set_rows(self.gap, places, old_gap + (gap - old_gap) / seen)
        set_rows(self.share, places, old_share + (share - old_share) / seen)
        set_rows(self.seen, places, seen)
        set_rows(self.last, places, ops.broadcast_to(self.step, ops.shape(places)))

    def log_probability(self, ids: Tensor) -> Tensor:
        """Natural logarithm of the probability, float32, of the shape of `ids`.

        An id that was never seen counts as one occurrence in all rows so far.
        """
        build_once(self)
        places = self._places(ids)
        seen = take_rows(self.seen, places) > 0
        found = take_rows(self.share, places) / ops.where(seen, take_rows(self.gap, places), 1.0)
        fewest = 1.0 / ops.maximum(ops.cast(self.rows, "float32"), 1.0)
        return ops.log(ops.where(seen, found, fewest))

    def _places(self, ids: Tensor) -> Tensor:
        return ops.mod(ops.cast(ids, "int64"), self.size)

    def get_config(self) -> dict:
        return super().get_config() | {"size": self.size, "rate": self.rate}
