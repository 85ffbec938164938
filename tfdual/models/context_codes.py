"""A text, or the turns of a dialogue, to several vectors."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfdual._build import build_once, deserialized, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual._vectors import unit
from tfdual.features import TextEncoder
from tfdual.features.text.length_buckets import in_length_buckets
from tfdual.features.text.token_ids import padded
from tfdual.models.dialogue_tokens import FIRST, LAST, dialogue_ids

LEARNED = "learned"
REDUCTIONS = (LEARNED, FIRST, LAST)
TOKENS_AT_ONCE = 2_048


@register
class ContextCodes(keras.layers.Layer):
    """The states of a text's tokens, made to a fixed number of codes: the query's side of a `PolyEncoder`.

    Args:
        encoder: TextEncoder. Its tokenizer and transformer; where it normalises, so are the codes.
        count: int. How many codes.
        reduction: `"learned"`: each code is a mean of the states, weighed by `softmax(c . state)` with a learned `c`;
            `"first"`, `"last"`: the states of the first or last tokens.
        keep: `"first"` or `"last"`. Which tokens of a long text are read.
        length: int. Tokens read, with the two around them. Defaults to `None`: the encoder's `max_length`.
        post: Keras layer that each code passes. Defaults to `None`.
        seed: int. Of what is learned, at the start. Defaults to `None`.

    Input: strings, `(batch,)`, or `(batch, turns)`, ragged or padded with `""`.
    Output: `(batch, count, dim)`; of a text with fewer tokens than codes, `"first"` and `"last"` leave zeros.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        count: int,
        reduction: str = LEARNED,
        keep: str = LAST,
        length: int | None = None,
        post: keras.layers.Layer | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_jit = False
        if count < 1:
            raise ValueError(f"A poly-encoder has 1 code or more. Received codes={count}.")
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction is one of {list(REDUCTIONS)}. Received {reduction!r}.")
        if keep not in (FIRST, LAST):
            raise ValueError(f"keep is {FIRST!r} or {LAST!r}, the tokens of a long text to read. Received {keep!r}.")
        positions = encoder.transformer.max_length
        if length is not None and not 2 < length <= positions:
            raise ValueError(
                f"query_length is from 3 to {positions}, the positions that the encoder knows. Received {length}."
            )
        self.encoder = encoder
        self.count = count
        self.reduction = reduction
        self.keep = keep
        self.length = length
        self.post = post
        self.seed = seed

    def build(self, input_shape: Shape | None = None) -> None:
        build_once(self.encoder)
        if self.reduction == LEARNED:
            start = keras.initializers.RandomNormal(stddev=self.encoder.dim**-0.5, seed=self.seed)
            self.codes = self.add_weight((self.count, self.encoder.dim), start, autocast=False, name="codes")
        shape = (None, self.count, self.encoder.dim)
        if self.post is not None:
            build_once(self.post, shape)
            shape = self.post.compute_output_shape(shape)
        self.dim = int(shape[-1])

    def call(self, texts: Tensor, training: bool | None = None) -> Tensor:
        ids = dialogue_ids(self.encoder.tokenizer, texts, self.length or self.encoder.max_length, self.keep)
        if training:
            return ops.cast(self._vectors(ids, True), self.compute_dtype)

        def encode(ids: tf.RaggedTensor) -> Tensor:
            return ops.cast(ops.reshape(self._vectors(ids, False), (-1, self.count * self.dim)), "float32")

        flat = in_length_buckets(ids, encode, self.count * self.dim, TOKENS_AT_ONCE)
        return ops.cast(ops.reshape(flat, (-1, self.count, self.dim)), self.compute_dtype)

    def _vectors(self, ids: tf.RaggedTensor, training: bool) -> Tensor:
        """Rows of ids to codes, `(rows, count, dim)`."""
        lengths = tf.cast(ids.row_lengths(), tf.int32)
        tokens, mask = padded(ids, self.encoder.tokenizer.padding_id)
        states = self.encoder.transformer(tokens, mask, training=training)
        states = ops.cast(states, "float32")
        codes, there = self._attended(states, mask) if self.reduction == LEARNED else self._chosen(states, lengths)
        if self.encoder.normalize:
            codes = unit(codes)
        if self.post is not None:
            codes = self.post(codes)
        return codes if there is None else ops.where(there[..., None], codes, 0)

    def _attended(self, states: Tensor, mask: Tensor) -> tuple[Tensor, None]:
        products = ops.matmul(ops.convert_to_tensor(self.codes), ops.swapaxes(states, 1, 2))  # (rows, count, length)
        shares = ops.softmax(ops.where(mask[:, None], products, -float("inf")), axis=-1)
        return ops.matmul(shares, states), None

    def _chosen(self, states: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The states of the first or last tokens, and which there are, bool `(rows, count)`."""
        places = tf.range(self.count)[None]
        if self.reduction == LAST:
            places = lengths[:, None] - self.count + places
        there = (places >= 0) & (places < lengths[:, None])
        return tf.gather(states, tf.where(there, places, 0), batch_dims=1), there

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.count, self.dim)

    def get_config(self) -> dict:
        return super().get_config() | {
            "encoder": serialized(self.encoder),
            "count": self.count,
            "reduction": self.reduction,
            "keep": self.keep,
            "length": self.length,
            "post": serialized(self.post),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict) -> "ContextCodes":
        return super().from_config(deserialized(config))
