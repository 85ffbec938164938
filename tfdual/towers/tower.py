"""Columns of one side to one embedding."""

from pathlib import Path
from typing import Any

import keras

from tfdual._build import build_once, deserialized, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.features import FeatureEncoder, Table
from tfdual.schema import ColumnSchema, Schema


@register
class Tower(keras.Model):
    """A block that reads columns, as a Keras model of its own: to train, save, load and export.

    Args:
        block: Block from columns to the embedding, such as `InputBlock(schema) >> MLPBlock([128, 64])`.
        post: `"l2-norm"`, a Keras layer, or None. What the embedding passes last. Defaults to `None`.

    Input: dict of column name -> tensor; columns that the block doesn't read are left out.
    Output: `(batch, dim)`.

    Raises:
        ValueError: the block reads no columns, or gives several outputs; an unknown `post`.

    Example:
        >>> from tfdual import ColumnSchema, InputBlock, MLPBlock
        >>> age = Schema([ColumnSchema("age", dtype="float32")])
        >>> tower = Tower(InputBlock(age) >> MLPBlock([8]), post="l2-norm")
        >>> tuple(tower({"age": keras.ops.ones((5,))}).shape)
        (5, 8)
    """

    def __init__(self, block: Block, post: str | keras.layers.Layer | None = None, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if not isinstance(block, Block) or block.schema is None:
            raise ValueError(
                f"A tower needs a block that reads columns, such as InputBlock(schema) >> MLPBlock([64]). Received "
                f"{block!r}."
            )
        self.block = block
        self.post = None if post is None else Block.parse(post)

    @property
    def schema(self) -> Schema:
        """The columns that the tower reads."""
        return self.block.schema or Schema()

    @property
    def tables(self) -> dict[str, Table]:
        """The embedding tables by domain."""
        encoders = [block for block in self.block.input_blocks() if isinstance(block, FeatureEncoder)]
        return {domain: table for encoder in encoders for domain, table in encoder.tables.items()}

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        shapes = {column.name: _signature(column).shape for column in self.schema}
        build_once(self.block, shapes)
        given = self.block.compute_output_shape(shapes)
        if isinstance(given, dict) or len(given) != 2:
            raise ValueError(
                f"A tower ends in one vector, (batch, dim). The block '{self.block.name}' gives {given}. Fuse its "
                'outputs, e.g. by aggregation="concat".'
            )
        self.embedding_dim = given[-1]
        if self.post is not None:
            build_once(self.post, given)
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        embedding = self.block(inputs)
        return embedding if self.post is None else self.post(embedding)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return (None, self.embedding_dim)

    def export(self, filepath: str | Path, *args: Any, **kwargs: Any) -> None:
        """Keras's `export`; the signature's inputs are called as the columns.

        Id lists are `(batch, length)` there, padded with 0; lists of one row may differ in length otherwise.

        Args:
            filepath: path.
            args: what Keras's `export` takes.
            kwargs: what Keras's `export` takes; `input_signature` goes before the one made from the schema.
        """
        if not self.built:
            self.build()
        kwargs.setdefault("input_signature", [{column.name: _signature(column) for column in self.schema}])
        super().export(filepath, *args, **kwargs)

    def get_config(self) -> dict:
        return super().get_config() | {"block": serialized(self.block), "post": serialized(self.post)}

    @classmethod
    def from_config(cls, config: dict) -> "Tower":
        return super().from_config(deserialized(config))


def _signature(column: ColumnSchema) -> keras.InputSpec:
    shape = (None, column.width) if column.is_list else (None,)
    return keras.InputSpec(shape=shape, dtype=column.dtype, name=column.name)
