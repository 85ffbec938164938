"""Several frozen vectors of an item -> one shorter vector."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from tfdual._build import build_once, deserialized, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import L2Norm, MLPBlock
from tfdual.fusion import ConcatFusion
from tfdual.fusion.concat import concatenate
from tfdual.index import Index
from tfdual.losses import matryoshka, neighbour_distillation
from tfdual.losses.matryoshka import check_weights, check_widths
from tfdual.models.function_config import function_config, function_from
from tfdual.serving import Retriever, ServedTower
from tfdual.tailoring.compression.compressed_space import compressed_space
from tfdual.tailoring.compression.encoders import linear_encoder
from tfdual.tailoring.compression.fit_settings import BATCH, fit_settings
from tfdual.tailoring.compression.parts import checked_parts, checked_width, concatenated, stacked, unit
from tfdual.tailoring.compression.pca import PCA
from tfdual.tailoring.compression.searched_items import SearchedItems, require_for_queries
from tfdual.tailoring.compression.served_compressor import query_tower_of, retriever_of
from tfdual.tailoring.compression.unit_vectors import unit_vectors

WIDTHS = (32, 64, 128, 256, 384, 512)


@register
class EmbeddingCompressor(keras.Model):
    """Frozen vectors of an item, of other models or of its other texts, fused into one shorter vector of length 1.

    `y = unit(encoder(fusion(w_1 unit(x_1), ..., w_n unit(x_n))))`, with `w` the weights of the parts

    Its first 32, 64, ... numbers are a shorter vector each, once they are brought to length 1 again. It learns from
    vectors alone: in each batch, a row's neighbours by its vectors at each width are to be those by the parts side by
    side,

    `loss = matryoshka(base_loss, y, widths, width_weights, teacher_vectors=[w_1 unit(x_1), ..., w_n unit(x_n)])`

        compressor = EmbeddingCompressor(128).start_from_pca(vectors)
        compressor.compile("adam")
        compressor.fit(vectors, epochs=20)

    Args:
        dim: int. Width of the output.
        encoder: Keras layer from what the fusion gives to `(batch, dim)`. Defaults to `None`: `linear_encoder(dim)`.
        fusion: Keras layer from a dict of vectors to one, such as `AttentionFusion`. Defaults to `None`:
            `ConcatFusion()`.
        widths: sequence of int. The nested widths, the last of them `dim`. Defaults to `None`: those of 32, 64, 128,
            256, 384 and 512 that are below `dim`, and `dim`.
        width_weights: sequence of float. What the loss at each width counts. Defaults to `None`: all the same.
        part_weights: mapping of part name -> float above 0. The length of each part; a cosine of the parts side by side
            counts each by the square of its. Defaults to `None`: all 1.
        base_loss: function of `(batch, width)` and `teacher_vectors=(batch, all widths)` to a scalar. Defaults to
            `None`: `neighbour_distillation`. `similarity_distillation` keeps the cosines themselves.

    Input: dict of part name -> `(batch, width of its own)`.
    Output: `(batch, dim)`, each row of length 1.

    Raises:
        ValueError: widths that don't rise or don't end in `dim`; weights that aren't one a width; `dim` over the width
            of all parts together; an encoder of another width.

    Example:
        >>> from keras import ops
        >>> compressor = EmbeddingCompressor(4)
        >>> tuple(compressor({"title": ops.ones((2, 3)), "body": ops.ones((2, 5))}).shape)
        (2, 4)

    Reference: Kusupati et al., 2022, "Matryoshka representation learning", arXiv:2205.13147
    """

    def __init__(
        self,
        dim: int,
        encoder: keras.layers.Layer | None = None,
        fusion: keras.layers.Layer | None = None,
        widths: Sequence[int] | None = None,
        width_weights: Sequence[float] | None = None,
        part_weights: Mapping[str, float] | None = None,
        base_loss: Callable[..., Tensor] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        nested = (*(width for width in WIDTHS if width < dim), dim) if widths is None else tuple(widths)
        check_widths(nested, dim)
        if nested[-1] != dim:
            raise ValueError(f"The last of the nested widths is dim={dim}. Received {list(nested)}.")
        if width_weights is not None:
            check_weights(width_weights, nested)
        self.dim = dim
        self.encoder = encoder or linear_encoder(dim)
        self.fusion = fusion or ConcatFusion()
        self.widths = nested
        self.width_weights = None if width_weights is None else tuple(width_weights)
        if part_weights is not None and not all(weight > 0 for weight in part_weights.values()):
            raise ValueError(f"Parts weigh more than 0. Received {dict(part_weights)}. Leave out what is to weigh 0.")
        self.part_weights = None if part_weights is None else dict(part_weights)
        self.base_loss = base_loss or neighbour_distillation
        self.unit = L2Norm(dtype=self.dtype_policy)
        self.supports_jit = keras.backend.backend() != "tensorflow"
        self._searched: SearchedItems | None = None

    def build(self, input_shape: dict[str, Shape]) -> None:
        self.part_widths = {name: int(input_shape[name][-1] or 0) for name in sorted(input_shape)}
        if self.dim > (together := sum(self.part_widths.values())):
            raise ValueError(f"The parts are {together} wide together, and are made no wider. Received dim={self.dim}.")
        if self.part_weights is not None and self.part_weights.keys() != self.part_widths.keys():
            raise ValueError(f"Each of the parts {list(self.part_widths)} has a weight. Received {self.part_weights}.")
        build_once(self.fusion, input_shape)
        build_once(self.encoder, fused := self.fusion.compute_output_shape(input_shape))
        if (given := self.encoder.compute_output_shape(fused)[-1]) != self.dim:
            raise ValueError(f"The encoder gives vectors of width {given}, where dim={self.dim}. Make them the same.")
        self.built = True

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        parts = {name: ops.cast(part, self.compute_dtype) for name, part in self._weighted(inputs).items()}
        return self.unit(self.encoder(self.fusion(parts)))

    def _weighted(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Each part at the length of its weight."""
        parts = {name: unit_vectors(part) for name, part in inputs.items()}
        if self.part_weights is None:
            return parts
        return {name: self.part_weights[name] * part for name, part in parts.items()}

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return (next(iter(input_shape.values()))[0], self.dim)

    def teacher_vectors(self, inputs: dict[str, Tensor]) -> Tensor:
        """The parts side by side, each at the length of its weight: `(batch, all widths)`."""
        return concatenate(self._weighted(inputs))

    def compute_loss(
        self,
        x: dict[str, Tensor] | None = None,
        y: Tensor | None = None,
        y_pred: Tensor | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Tensor:
        """The base loss, a mean over the widths."""
        if x is None or y is not None or sample_weight is not None or self._compile_loss is not None:
            raise ValueError(
                "A compressor learns from vectors alone, by `base_loss`. Leave labels, weights and the loss of "
                "compile() out."
            )
        vectors, teacher, asks = y_pred, self.teacher_vectors(x), {}
        if self._searched is not None:
            items, asks = self._searched.of_a_step(), {"asking": ops.shape(y_pred)[0]}
            vectors = ops.concatenate([vectors, self(items, training=training)])
            teacher = ops.concatenate([teacher, self.teacher_vectors(items)])
        loss = matryoshka(
            self.base_loss, vectors, widths=self.widths, weights=self.width_weights, teacher_vectors=teacher, **asks
        )
        return loss + sum(map(self._aggregate_additional_loss, self.losses))

    def fit(
        self, x: Any = None, *args: Any, queries: Mapping[str, np.ndarray] | None = None, **kwargs: Any
    ) -> keras.callbacks.History:
        """Keras's `fit` on a dict of part name -> `(rows, width)`; batches of 2,048 unless you say another size.

        Args:
            x: mapping of part name -> `(items, width)`.
            queries: mapping of part name -> `(queries, width)`: what a query may look like, such as the items' titles;
                no labels are needed. Then items and queries learn who their neighbours are among the items: all of
                them, or 8,192 drawn for each step. Defaults to `None`: a row's neighbours are the others of its batch.

        Raises:
            TypeError, ValueError: no such dict, NaN, zero rows, unlike numbers of rows; labels or weights. And with
                queries: no `asking` in a loss; `validation_split`, which would take them: pass `validation_data`.
        """
        parts, settings = self.checked(x), fit_settings(args, kwargs, self.checked)
        if queries is None:
            return super().fit(parts, **settings)
        require_for_queries(self.base_loss, settings)
        rows = stacked(parts, checked_parts(queries, self.part_widths, "queries"))
        try:
            self._search(SearchedItems(parts))
            return super().fit(rows, **settings)
        finally:
            self._search(None)

    def _search(self, items: SearchedItems | None) -> None:
        """Let steps search these items; steps that were traced search others."""
        self._searched, self.train_function, self.test_function = items, None, None

    def checked(self, vectors: Any) -> dict[str, np.ndarray]:
        """The parts as they are used; makes the weights of a compressor that has none yet.

        Raises:
            TypeError, ValueError: as `fit`.
        """
        parts = checked_parts(vectors, self.part_widths if self.built else None)
        if not self.built:
            self.build({name: (None, part.shape[1]) for name, part in parts.items()})
        return parts

    def start_from_pca(self, vectors: Mapping[str, np.ndarray]) -> Self:
        """Set a linear encoder to the principal directions of the parts side by side, and return the compressor.

        Training goes on from the best that a matrix can do for all inner products at once.

        Raises:
            TypeError, ValueError: as `fit`; another encoder than `linear_encoder(dim)` on a `ConcatFusion()`; fewer
                rows than `dim`.
        """
        if not self.is_linear:
            raise ValueError("`linear_encoder(dim)` on `ConcatFusion()` starts from PCA. Train others from scratch.")
        parts = self.checked(vectors)
        (kernel,) = self.encoder.weights
        kernel.assign(PCA(self.dim, center=False).fit(concatenated(parts, self.part_weights)).kernel)
        return self

    @property
    def is_linear(self) -> bool:
        """Whether it is one matrix, so that it can start from PCA."""
        encoder, fusion = self.encoder, self.fusion
        if not isinstance(encoder, MLPBlock) or not isinstance(fusion, ConcatFusion):
            return False
        plain = encoder.no_activation_last_layer and not encoder.use_bias and fusion.transform is None
        return plain and len(encoder.dimensions) == 1

    def encode(self, vectors: Mapping[str, np.ndarray], width: int | None = None) -> np.ndarray:
        """The shorter vectors of all rows.

        Args:
            vectors: mapping of part name -> `(rows, width)`.
            width: int. One of the nested widths. Defaults to `None`: `dim`.

        Returns:
            `(rows, width)`, float32, each of length 1.

        Raises:
            TypeError, ValueError: as `fit`; another width.
        """
        width, parts = checked_width(width, self.widths), self.checked(vectors)
        return unit(self.predict(parts, batch_size=BATCH, verbose=0)[:, :width])

    def embedding_space(self, width: int | None = None, spaces: Mapping[str, str] | None = None) -> str:
        """A name for the space of its vectors at a width, for `Index.build(..., space)`.

        Args:
            width: int. One of the nested widths. Defaults to `None`: `dim`.
            spaces: mapping of part name -> the name of the space that its vectors lie in. Defaults to none: not known.

        Raises:
            ValueError: no weights yet; another width; a space of no part.
        """
        return compressed_space(self, checked_width(width, self.widths), spaces or {})

    def to_query_tower(self, width: int | None = None, spaces: Mapping[str, str] | None = None) -> ServedTower:
        """A tower whose columns are the parts, for an index of this compressor's vectors.

        Args:
            width: int. One of the nested widths. Defaults to `None`: `dim`.
            spaces: mapping of part name -> the space of its vectors, as `embedding_space` takes it. Defaults to none.

        Raises:
            ValueError: as `embedding_space`.
        """
        return query_tower_of(self, checked_width(width, self.widths), spaces)

    def to_retriever(
        self, index: Index, width: int | None = None, spaces: Mapping[str, str] | None = None
    ) -> Retriever:
        """Join it to an index of its vectors: a query is its parts, and one artefact compresses and searches.

        Args:
            index: Index, built with `space=compressor.embedding_space(width, spaces)`.
            width: int. One of the nested widths. Defaults to `None`: `dim`.
            spaces: mapping of part name -> the space of its vectors. Defaults to none.

        Raises:
            ValueError: the index is of another compressor, another width or other spaces, or isn't built; and as
                `embedding_space`.
        """
        return retriever_of(self, index, checked_width(width, self.widths), spaces)

    def get_config(self) -> dict:
        return super().get_config() | {
            "dim": self.dim,
            "encoder": serialized(self.encoder),
            "fusion": serialized(self.fusion),
            "widths": list(self.widths),
            "width_weights": self.width_weights and list(self.width_weights),
            "part_weights": self.part_weights and dict(self.part_weights),
            "base_loss": function_config(self.base_loss),
        }

    @classmethod
    def from_config(cls, config: dict) -> "EmbeddingCompressor":
        config = deserialized(config)
        return cls(**config | {"base_loss": function_from(config["base_loss"])})
