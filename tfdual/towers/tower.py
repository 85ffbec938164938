"""Features of one side to one embedding."""

from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import L2Norm
from tfdual.features import EmbeddingOptions, FeatureEncoder
from tfdual.fusion import ConcatFusion
from tfdual.schema import Schema


@register
class Tower(keras.Model):
    """Feature encoders, fusion, body, post: a Keras model of one side.

    Args:
        schema: Schema. Model-ready columns of the side.
        body: Keras layer from the fused vector to the embedding.
        embedding_options: EmbeddingOptions. Defaults to `EmbeddingOptions()`.
        fusion: Keras layer from the dict of vectors to one vector. Defaults to `ConcatFusion()`.
        post: `"l2-norm"`, a Keras layer, or None. What the embedding passes last. Defaults to `None`.

    Input: dict of column name -> tensor; columns of no schema are left out.
    Output: `(batch, dim)`.

    Raises:
        ValueError: an unknown `post`, or what `FeatureEncoder` refuses.

    Example:
        >>> from tfdual import ColumnSchema, MLPBlock
        >>> tower = Tower(Schema([ColumnSchema("age", dtype="float32")]), MLPBlock([8]), post="l2-norm")
        >>> tuple(tower({"age": keras.ops.ones((5,))}).shape)
        (5, 8)
    """

    def __init__(
        self,
        schema: Schema,
        body: keras.layers.Layer,
        embedding_options: EmbeddingOptions | None = None,
        fusion: keras.layers.Layer | None = None,
        post: str | keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.schema = schema
        self.body = body
        self.features = FeatureEncoder(schema, embedding_options, name="features")
        self.fusion = fusion or ConcatFusion(name="fusion")
        self.post = _post(post)

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.features)
        shapes = self.features.compute_output_shape({})
        build_once(self.fusion, shapes)
        fused = self.fusion.compute_output_shape(shapes)
        build_once(self.body, fused)
        self.embedding_dim = self.body.compute_output_shape(fused)[-1]
        if self.post is not None:
            build_once(self.post, (None, self.embedding_dim))
        self.built = True

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        embedding = self.body(self.fusion(self.features(inputs)))
        return embedding if self.post is None else self.post(embedding)

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "schema": self.schema.to_dict(),
            "body": serialize(self.body),
            "embedding_options": self.features.embedding_options.to_dict(),
            "fusion": serialize(self.fusion),
            "post": None if self.post is None else serialize(self.post),
        }

    @classmethod
    def from_config(cls, config: dict) -> "Tower":
        config = dict(config)
        deserialize = keras.saving.deserialize_keras_object
        post = config.pop("post")
        return cls(
            Schema.from_dict(config.pop("schema")),
            deserialize(config.pop("body")),
            EmbeddingOptions(**config.pop("embedding_options")),
            deserialize(config.pop("fusion")),
            None if post is None else deserialize(post),
            **config,
        )


def _post(post: str | keras.layers.Layer | None) -> keras.layers.Layer | None:
    if isinstance(post, str):
        if post != "l2-norm":
            raise ValueError(f"post is 'l2-norm', a Keras layer or None. Received {post!r}.")
        return L2Norm(name="post")
    return post
