"""A batch of texts: what tokenising takes of its time, and how much of it is padding."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from architectures_times import Run
from text_data import TOKENS, model_directory

from tfdual.features import TextEncoder
from tfdual.features.text.length_buckets import in_length_buckets
from tfdual.features.text.text_encoder import TOKENS_AT_ONCE

TOKENISED, FORWARD, WHOLE = "tokeniser", "forward", "texts to vectors"
BATCH = 32


def text_runs(texts: list[str]) -> dict[str, Run]:
    """Texts to tokens, tokens to vectors, and texts to vectors, each in one call of a graph."""
    encoder = TextEncoder.from_directory(model_directory(), max_length=TOKENS)
    given = tf.constant(texts)
    tokenised = tf.function(lambda texts: encoder.tokenizer(texts, TOKENS), autograph=False)
    ids = tokenised(given)
    forward = tf.function(
        lambda ids: in_length_buckets(ids, encoder._encoded, encoder.dim, TOKENS_AT_ONCE), autograph=False
    )
    whole = tf.function(encoder, autograph=False)
    return {
        TOKENISED: lambda: tokenised(given).values.numpy(),
        FORWARD: lambda: forward(ids).numpy(),
        WHOLE: lambda: whole(given).numpy(),
    }


class Places:
    """Stands for an encoder's transformer, and counts what it is given.

    Args:
        dim: int. Width of the states.
        padding: int. The id of no token.
        trainable_layers: int. What the encoder asks for when it trains.
    """

    def __init__(self, dim: int, padding: int, trainable_layers: int) -> None:
        self.dim, self.trainable_layers = dim, trainable_layers
        self._padding = padding
        self.all = self.padded = self.beyond = 0

    def __call__(self, ids: Any, mask: Any, training: bool = False) -> tf.Tensor:
        lengths = (ids.numpy() != self._padding).sum(axis=1)
        rows, width = ids.shape
        self.all += rows * width
        self.padded += rows * width - int(lengths.sum())
        self.beyond += rows * (width - int(lengths.max()))  # behind the longest text of the group
        return tf.zeros([rows, width, self.dim])

    @property
    def report(self) -> dict[str, float]:
        """The share of padding, and the places that not even the longest text of a group has a token in."""
        return {"share": round(self.padded / self.all, 4), "places": self.all, "beyond_the_bucket": self.beyond}


def padding(texts: list[str]) -> dict[str, dict[str, float]]:
    """What reaches the transformer of each way to give it the texts; and what would if all were as long as allowed."""
    lengths = TextEncoder.from_directory(model_directory()).tokenizer(tf.constant(texts), TOKENS).row_lengths()
    whole, held = TOKENS * len(texts), int(tf.reduce_sum(lengths))
    found = {
        "all texts in one call": _reached([texts], False),
        f"batches of {BATCH}": _reached(_batches(texts), False),
        f"batches of {BATCH}, training": _reached(_batches(texts), True),
    }
    longest = int(tf.reduce_max(lengths))
    unsorted = {"share": round(1 - held / whole, 4), "places": whole, "beyond_the_bucket": whole - longest * len(texts)}
    return found | {f"{TOKENS} tokens each, not what tfdual does": unsorted}


def _batches(texts: list[str]) -> Iterator[list[str]]:
    return (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))


def _reached(batches: Any, training: bool) -> dict[str, float]:
    encoder = TextEncoder.from_directory(model_directory(), max_length=TOKENS)
    places = Places(encoder.dim, encoder.tokenizer.padding_id, int(training))
    encoder.transformer = places
    for batch in batches:
        encoder(tf.constant(batch), training=training)
    return places.report
