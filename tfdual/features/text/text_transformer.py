"""Token ids to a state for each token."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from tfdual._backend import take_rows
from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.named_layers import check_dropout, check_positive
from tfdual.features.text.post_norm_layer import PostNormLayer, normalized

ALL = "all"
_handed_on = keras.layers.Identity(autocast=False, name="handed_on")


@register
class TextTransformer(keras.layers.Layer):
    """The encoder that BERT, DistilBERT and RoBERTa share.

    `x = norm(token + position)`, then the layers. What BERT adds for the first segment is a part of the positions.
    Layers that are frozen, and the tokens' vectors below them, keep their weights, and drop nothing in training. Where
    a vector joins the tokens, its gradient passes through frozen layers too.

    Args:
        vocabulary_size: int. Rows of the table of tokens.
        num_layers: int.
        num_heads: int. They share the width.
        dim: int. Width of a state.
        feed_forward_dim: int. Width of the feed-forward networks.
        max_length: int. Positions. Defaults to 512.
        activation: str. Of the feed-forward networks. Defaults to `"gelu"`, the exact one.
        epsilon: float. Of the normalisation. Defaults to 1e-12.
        dropout: float. Defaults to 0.1.
        trainable_layers: int or `"all"`. How many of the last layers are trained; `"all"`: everything. Defaults to 0.

    Input: int ids `(batch, length)`; where there is a token, bool `(batch, length)`. Optionally `added`, `(batch,
        length, dim)`, what the tokens' vectors get besides, such as that of a second segment; and `joined`, `(batch,
        dim)`, a vector that all tokens attend to as to one more, behind the last and without a position.
    Output: `(batch, length, dim)`.

    Raises:
        ValueError: a size below 1, a width that the heads don't divide, more trainable layers than there are.

    Example:
        >>> transformer = TextTransformer(30, num_layers=1, num_heads=2, dim=8, feed_forward_dim=16)
        >>> tuple(transformer(ops.ones((2, 3), "int32"), ops.ones((2, 3), "bool")).shape)
        (2, 3, 8)

    Reference: Devlin et al., 2019, arXiv:1810.04805
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int,
        num_heads: int,
        dim: int,
        feed_forward_dim: int,
        max_length: int = 512,
        activation: str = "gelu",
        epsilon: float = 1e-12,
        dropout: float = 0.1,
        trainable_layers: int | str = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        sizes = {"num_layers": num_layers, "num_heads": num_heads, "dim": dim, "feed_forward_dim": feed_forward_dim}
        check_positive("TextTransformer", vocabulary_size=vocabulary_size, max_length=max_length, **sizes)
        if dim % num_heads:
            raise ValueError(f"num_heads must divide the width. Received dim={dim} and num_heads={num_heads}.")
        self.vocabulary_size = vocabulary_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.dim = dim
        self.feed_forward_dim = feed_forward_dim
        self.max_length = max_length
        self.activation = activation
        self.epsilon = epsilon
        self.dropout = check_dropout(dropout)
        self.trainable_layers = check_trainable(trainable_layers, num_layers)

    @property
    def frozen_layers(self) -> int:
        """How many of the first layers are frozen."""
        return 0 if isinstance(self.trainable_layers, str) else self.num_layers - self.trainable_layers

    def build(self, input_shape: Shape | None = None) -> None:
        normal = keras.initializers.TruncatedNormal(stddev=0.02)
        self.tokens = self.add_weight(
            (self.vocabulary_size, self.dim), normal, "float32", autocast=False, name="tokens"
        )
        self.positions = self.add_weight((self.max_length, self.dim), normal.clone(), name="positions")
        self.norm_gamma = self.add_weight((self.dim,), "ones", name="norm_gamma")
        self.norm_beta = self.add_weight((self.dim,), "zeros", name="norm_beta")
        self.dropped = keras.layers.Dropout(self.dropout, name="dropped", dtype=self.dtype_policy)
        self.layers = [self._layer(place) for place in range(self.num_layers)]
        for layer in self.layers:
            build_once(layer, (None, self.dim))
        self._freeze()

    def train_last(self, trainable_layers: int | str) -> None:
        """Train that many of the last layers from now on, or `"all"`: everything. To be called before `compile`.

        Raises:
            ValueError: there aren't as many.
        """
        self.trainable_layers = check_trainable(trainable_layers, self.num_layers)
        if self.built:
            self._freeze()

    def _freeze(self) -> None:
        for weight in (self.tokens, self.positions, self.norm_gamma, self.norm_beta):
            weight.trainable = self.trainable_layers == ALL
        for place, layer in enumerate(self.layers):
            layer.trainable = place >= self.frozen_layers

    def _layer(self, place: int) -> PostNormLayer:
        return PostNormLayer(
            self.num_heads,
            self.feed_forward_dim,
            self.activation,
            self.epsilon,
            self.dropout,
            name=f"layer_{place}",
            dtype=self.dtype_policy,
        )

    def call(
        self,
        ids: Tensor,
        mask: Tensor,
        added: Tensor | None = None,
        joined: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        length, received = ops.shape(ids)[1], training
        whole, training = self.trainable_layers == ALL, bool(training) and self.trainable
        rows = ops.cast(take_rows(self.tokens, ids), self.compute_dtype) + self.positions[:length]
        if added is not None:
            rows = rows + ops.cast(added, rows.dtype)
        if joined is not None:
            rows = ops.concatenate([rows, ops.cast(joined, rows.dtype)[:, None]], axis=1)
            mask = ops.pad(mask, [[0, 0], [0, 1]], constant_values=True)
        rows = normalized(rows, self.norm_gamma, self.norm_beta, self.epsilon)
        rows = ops.reshape(self.dropped(rows, training=training and whole), (-1, self.dim))
        for place, layer in enumerate(self.layers):
            if place == self.frozen_layers and not whole and joined is None:
                rows = ops.stop_gradient(rows)
            rows = layer(rows, mask, training=training and place >= self.frozen_layers)
        if not self.trainable_layers and joined is None:
            rows = ops.stop_gradient(rows)
        states = ops.reshape(rows, (-1, length if joined is None else length + 1, self.dim))
        return with_training(states if joined is None else states[:, :-1], received)

    def compute_output_shape(self, input_shape: Shape, *others: Shape) -> Shape:
        return (*input_shape, self.dim)

    def assign(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set all weights, by their paths inside this layer, such as `layer_0/up_kernel`."""
        build_once(self)
        own = (self.tokens, self.positions, self.norm_gamma, self.norm_beta)
        named = {weight.name: weight for weight in own}
        for place, layer in enumerate(self.layers):
            named |= {f"layer_{place}/{weight.name}": weight for weight in layer.weights}
        for name, weight in named.items():
            weight.assign(arrays[name])

    def get_config(self) -> dict:
        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "dim": self.dim,
            "feed_forward_dim": self.feed_forward_dim,
            "max_length": self.max_length,
            "activation": self.activation,
            "epsilon": self.epsilon,
            "dropout": self.dropout,
            "trainable_layers": self.trainable_layers,
        }


def with_training(outputs: Tensor, training: bool | None) -> Tensor:
    """The same, where the layers after this one are to be told `training`, as their caller was.

    Keras tells each layer what the one called last before it was told, so that behind a layer that was told False
    nothing would be dropped or normalised by the batch.
    """
    return _handed_on(outputs, training=training)


def check_trainable(trainable_layers: int | str, num_layers: int) -> int | str:
    """The number of layers to train, if there are as many.

    Raises:
        ValueError: it is neither `"all"` nor from 0 to `num_layers`.
    """
    number = isinstance(trainable_layers, int) and not isinstance(trainable_layers, bool)
    if trainable_layers != ALL and not (number and 0 <= int(trainable_layers) <= num_layers):
        raise ValueError(
            f'trainable_layers is a number from 0 to {num_layers}, the layers that there are, or "all". '
            f"Received {trainable_layers!r}."
        )
    return trainable_layers


def check_layers(num_layers: int, depth: int) -> int:
    """The number of last layers that a model says to its encoder to train, if the encoder has as many.

    Raises:
        ValueError: it is not from 1 to `depth`.
    """
    if not 0 < num_layers <= depth:
        raise ValueError(
            f"num_layers is from 1 to {depth}, the layers of the encoder. Received {num_layers}. To train none, leave "
            "it out, and take an encoder of trainable_layers=0."
        )
    return num_layers
