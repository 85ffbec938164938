"""A block taken apart into its layers, to be looked at."""

from typing import Any

import keras

from tfdual.blocks import Block, ParallelBlock, ResidualBlock, SequentialBlock
from tfdual.features import FeatureEncoder
from tfdual.schema import ColumnSchema
from tfdual.towers.dual_encoder_block import DualEncoderBlock
from tfdual.towers.tower import Tower


def as_functional(block: Block | Tower) -> keras.Model:
    """A functional Keras model of the same layers and weights, in which every layer is a node of its own.

    `keras.utils.plot_model` and `summary` show a block as one box. Of this model, in which each tower is a
    model, they show columns, tables, fusion and body: `keras.utils.plot_model(as_functional(towers), "towers.png",
    expand_nested=True)`.

    An encoder whose lists pass sequence encoders stays one box.

    Args:
        block: Block that reads columns, or a Tower; such as a `TwoTowerBlock`.

    Raises:
        ValueError: the block reads no columns.

    Example:
        >>> from tfdual import ColumnSchema, InputBlock, MLPBlock, Schema
        >>> columns = InputBlock(Schema([ColumnSchema("age", dtype="float32")]), aggregation="concat")
        >>> [layer.name for layer in as_functional(columns >> MLPBlock([4], name="body")).layers][-1]
        'body'
    """
    encoders = (block.block if isinstance(block, Tower) else block).input_blocks()
    if not encoders:
        raise ValueError(f"A block that reads columns is wanted, such as a TwoTowerBlock. Received {block!r}.")
    inputs = {column.name: _input(column) for encoder in encoders for column in encoder.schema or ()}
    return keras.Model(inputs, _apply(block, inputs), name=block.name)


def _input(column: ColumnSchema) -> Any:
    shape = (column.width,) if column.is_list else ()
    return keras.Input(shape, dtype=column.dtype, name=column.name, ragged=column.is_ragged)


def _apply(layer: keras.layers.Layer, inputs: Any) -> Any:
    """What the layer gives, with the layers that it holds called one by one."""
    if isinstance(layer, Tower):
        columns = {column.name: _input(column) for column in layer.schema}
        tower = keras.Model(columns, _chain([layer.block, layer.post], columns), name=layer.name)
        return tower({name: inputs[name] for name in columns})
    if isinstance(layer, SequentialBlock):
        return _chain(layer.layers, inputs)
    if isinstance(layer, DualEncoderBlock):
        inputs = _chain([layer.pre], inputs)
        sides = {"query": _apply(layer.query, inputs), "item": _apply(layer.item, inputs)}
        return _chain([layer.aggregation], sides)
    if isinstance(layer, ParallelBlock):
        inputs = _chain([layer.pre], inputs)
        branches = layer.joined({name: _apply(branch, inputs) for name, branch in layer.branches.items()})
        return _chain([layer.post, layer.aggregation], branches)
    if isinstance(layer, ResidualBlock) or (isinstance(layer, FeatureEncoder) and not _reads_sequences(layer)):
        return layer.call(inputs)
    return layer(inputs)


def _chain(layers: list[keras.layers.Layer | None], inputs: Any) -> Any:
    for layer in layers:
        inputs = inputs if layer is None else _apply(layer, inputs)
    return inputs


def _reads_sequences(encoder: FeatureEncoder) -> bool:
    return any(isinstance(combiner, keras.layers.Layer) for combiner in encoder.combiners.values())
