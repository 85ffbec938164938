"""A compressor whose vectors are also to tell what they were made of."""

from typing import Any

import keras

from tfdual._build import build_once, deserialized, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.losses import reconstruction
from tfdual.tailoring.compression.compressor import EmbeddingCompressor
from tfdual.tailoring.compression.fit_settings import fit_settings


@register
class AutoEncoder(keras.Model):
    """Train a compressor together with a decoder, which makes the parts side by side of its vectors again.

    `loss = loss of the compressor + weight * reconstruction(decoder(y), [w_1 unit(x_1), ..., w_n unit(x_n)])`

    `w` are the weights of the compressor's parts. It is used by itself afterwards; the decoder has done its work.

    Args:
        compressor: EmbeddingCompressor.
        decoder: Keras layer from `(batch, dim)` to `(batch, width of all parts)`. Defaults to `None`: a Dense layer.
        weight: float, at least 0. What the reconstruction counts. Defaults to 1.

    Input: dict of part name -> `(batch, width of its own)`.
    Output: `{"vectors": (batch, dim), "reconstruction": (batch, width of all parts)}`.

    Raises:
        TypeError: another model than a compressor.
        ValueError: a negative weight; a decoder of another width.

    Example:
        >>> from keras import ops
        >>> model = AutoEncoder(EmbeddingCompressor(4))
        >>> tuple(model({"title": ops.ones((2, 3)), "body": ops.ones((2, 5))})["reconstruction"].shape)
        (2, 8)

    Reference: Hinton and Salakhutdinov, 2006, "Reducing the dimensionality of data with neural networks"
    """

    def __init__(
        self,
        compressor: EmbeddingCompressor,
        decoder: keras.layers.Layer | None = None,
        weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        if not isinstance(compressor, EmbeddingCompressor):
            raise TypeError(f"An auto-encoder trains an EmbeddingCompressor. Received {type(compressor).__name__}.")
        if weight < 0:
            raise ValueError(f"The reconstruction counts 0 or more. Received weight={weight}.")
        self.compressor = compressor
        self.decoder: Any = decoder
        self.weight = weight
        self.supports_jit = compressor.supports_jit

    def build(self, input_shape: dict[str, Shape]) -> None:
        build_once(self.compressor, input_shape)
        together = sum(self.compressor.part_widths.values())
        if self.decoder is None:
            self.decoder = keras.layers.Dense(together, dtype=self.dtype_policy)
        build_once(self.decoder, shape := (None, self.compressor.dim))
        if (given := self.decoder.compute_output_shape(shape)[-1]) != together:
            raise ValueError(f"The parts are {together} wide together. The decoder gives {given}; make it as wide.")
        self.built = True

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        vectors = self.compressor(inputs)
        return {"vectors": vectors, "reconstruction": self.decoder(vectors)}

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> dict[str, Shape]:
        vectors = self.compressor.compute_output_shape(input_shape)
        together = sum(shape[-1] or 0 for shape in input_shape.values())
        return {"vectors": vectors, "reconstruction": (vectors[0], together)}

    def compute_loss(
        self,
        x: dict[str, Tensor] | None = None,
        y: Tensor | None = None,
        y_pred: dict[str, Tensor] | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Tensor:
        """The compressor's loss, and that of the reconstruction and of the decoder's regularisers."""
        if x is None or y_pred is None or self._compile_loss is not None:
            raise ValueError(
                "The loss is of the parts of the batch and of the model's outputs: x=..., y_pred=... Leave the loss of "
                "compile() out."
            )
        loss = self.compressor.compute_loss(x, y, y_pred["vectors"], sample_weight, training)
        loss += self.weight * reconstruction(y_pred["reconstruction"], self.compressor.teacher_vectors(x))
        return loss + sum(map(self._aggregate_additional_loss, self.decoder.losses))

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """As `EmbeddingCompressor.fit` without queries.

        Raises:
            TypeError, ValueError: as there; queries.
        """
        if "queries" in kwargs:
            raise TypeError(
                "An auto-encoder learns from items alone. Leave `queries` out, or train its compressor by itself: "
                "compressor.fit(vectors, queries=...)."
            )
        parts = self.compressor.checked(x)
        return super().fit(parts, **fit_settings(args, kwargs, self.compressor.checked))

    def get_config(self) -> dict:
        return super().get_config() | {
            "compressor": serialized(self.compressor),
            "decoder": serialized(self.decoder),
            "weight": self.weight,
        }

    @classmethod
    def from_config(cls, config: dict) -> "AutoEncoder":
        return cls(**deserialized(config))
