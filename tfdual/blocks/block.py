"""What every block can do: be joined to others, repeated and copied."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self, Union

import keras

from tfdual import blocks  # what joins blocks are blocks: a circle by nature
from tfdual._build import deserialized, fresh_copy
from tfdual._typing import Tensor
from tfdual.blocks.with_weights import with_weights
from tfdual.fusion import as_fusion
from tfdual.schema import Schema

LayerLike = Union[keras.layers.Layer, str, Sequence["LayerLike"]]  # noqa: UP007 (it names itself)


class Block(keras.layers.Layer):
    """A layer that is composed with others: `InputBlock(schema) >> MLPBlock([64]) >> "l2-norm"`.

    No method changes the block that it is called on. What is joined is shared: `a.connect(b)` and `a` have the same
    weights. What is repeated is copied.

    Where a layer is asked for, these do: a Keras layer, a name (`"l2-norm"`), or a list of them, one after another.

    To write a block, derive from `Block` as from a Keras layer; layers among the arguments of `__init__` are
    serialised by `keras.saving.serialize_keras_object` in `get_config`, and come back by themselves.

    Reference: NVIDIA Merlin Models, `Block`
    """

    @abstractmethod
    def call(self, inputs: Any) -> Any:
        """What the block makes of its input."""

    def input_blocks(self) -> list["Block"]:
        """The blocks that read columns, at the start of this one. None: it takes vectors."""
        return []

    @property
    def is_input(self) -> bool:
        """Whether this block reads columns by their names."""
        return bool(self.input_blocks())

    @property
    def schema(self) -> Schema | None:
        """The columns that this block reads; None where it takes vectors."""
        schemas = [block.schema for block in self.input_blocks() if block.schema is not None]
        return Schema({column.name: column for schema in schemas for column in schema}.values()) if schemas else None

    @staticmethod
    def parse(*layers: LayerLike) -> keras.layers.Layer:
        """A layer from a layer, a name, or several of them, one after another.

        Raises:
            ValueError: an unknown name, or nothing.
            TypeError: neither a Keras layer, a name nor a list of them.
        """
        found = [_parsed(layer) for layer in layers]
        return found[0] if len(found) == 1 else blocks.SequentialBlock(found)

    @staticmethod
    def from_layer(layer: keras.layers.Layer) -> "Block":
        """A Keras layer as a block; the layer is shared. A block passes unchanged."""
        return layer if isinstance(layer, Block) else blocks.SequentialBlock([layer])

    @classmethod
    def from_schema(cls, schema: Schema, tags: Any = None, **kwargs: Any) -> Self:
        """A block on the columns of a schema, or on those with any of these tags and the weights of their lists.

        Raises:
            ValueError: no column has the tags; the block takes no `schema`.
        """
        selected = schema if tags is None else with_weights(schema, schema.select_by_tag(tags).column_names)
        if not len(selected):
            raise ValueError(f"No column is tagged {tags!r}. The schema's tags are {sorted(map(str, schema.tags))}.")
        return cls(schema=selected, **kwargs)

    @staticmethod
    def from_features(
        features: Sequence[str],
        pre: LayerLike | None = None,
        post: LayerLike | None = None,
        aggregation: str | keras.layers.Layer | None = None,
    ) -> "blocks.SequentialBlock":
        """The named entries of a dict, then `pre`, `post` and `aggregation` where they are given."""
        layers = [*(layer for layer in (pre, post) if layer is not None), as_fusion(aggregation)]
        return blocks.SequentialBlock([blocks.Filter(features), *(layer for layer in layers if layer is not None)])

    def connect(self, *layers: LayerLike, block_name: str | None = None) -> "blocks.SequentialBlock":
        """This block, then these layers."""
        return blocks.SequentialBlock([self, *map(self.parse, layers)], name=block_name)

    def connect_with_residual(self, block: LayerLike, activation: Any = None) -> "blocks.SequentialBlock":
        """This block, then `activation(x + block(x))`."""
        return self.connect(blocks.ResidualBlock(self.parse(block), activation=activation))

    def connect_with_shortcut(
        self,
        block: LayerLike,
        shortcut_filter: keras.layers.Layer | None = None,
        post: LayerLike | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        block_outputs_name: str | None = None,
    ) -> "blocks.SequentialBlock":
        """This block, then `{block_outputs_name: block(x), "shortcut": shortcut_filter(x)}`, or their aggregation.

        Raises:
            ValueError: the block is called "shortcut".
        """
        layer = self.parse(block)
        shortcut = shortcut_filter or keras.layers.Identity()
        branches = by_name((block_outputs_name or layer.name, layer), ("shortcut", shortcut))
        return self.connect(blocks.ParallelBlock(branches, post=post, aggregation=aggregation))

    def connect_branch(
        self,
        *branches: LayerLike,
        add_rest: bool = False,
        post: LayerLike | None = None,
        aggregation: str | keras.layers.Layer | None = None,
    ) -> "blocks.SequentialBlock":
        """This block, then these branches side by side.

        Args:
            branches: layers; each is named by its `name`.
            add_rest: bool. Also pass on what no branch takes; every branch must begin with a `Filter`. Defaults to
                `False`.
            post: layer on the outputs. Defaults to `None`.
            aggregation: fusion of the outputs, or its name. Defaults to `None`.

        Raises:
            ValueError: two branches of one name, as "rest" is; a rest is asked for, and a branch takes everything.
        """
        layers = [self.parse(branch) for branch in branches]
        if add_rest:
            taken = [name for layer in layers for name in _filtered(layer)]
            layers.append(blocks.Filter(taken, exclude=True, name="rest"))
        return self.connect(blocks.ParallelBlock(layers, post=post, aggregation=aggregation))

    def connect_debug_block(self, append: bool = True) -> "blocks.SequentialBlock":
        """This block with a `Debug` block after it, or before it."""
        return self.connect(blocks.Debug()) if append else blocks.SequentialBlock([blocks.Debug(), self])

    def prepare(
        self,
        block: LayerLike | None = None,
        post: LayerLike | None = None,
        aggregation: str | keras.layers.Layer | None = None,
    ) -> "blocks.SequentialBlock":
        """`block`, `post` and `aggregation`, then this block.

        Raises:
            ValueError: none of them is given.
        """
        given = [self.parse(layer) for layer in (block, post) if layer is not None]
        if aggregation is not None:
            given.append(as_fusion(aggregation))
        if not given:
            raise ValueError("prepare needs a block, a post or an aggregation to come before this block.")
        return blocks.SequentialBlock([*given, self])

    def repeat(self, num: int = 1) -> "blocks.SequentialBlock":
        """`num` layers one after another: this block and `num - 1` copies, with weights of their own.

        Raises:
            ValueError: `num` is below 1.
        """
        if num < 1:
            raise ValueError(f"A block is repeated at least once. Received num={num}.")
        return blocks.SequentialBlock([self, *(fresh_copy(self, f"{self.name}_{place}") for place in range(1, num))])

    def repeat_in_parallel(
        self,
        num: int = 1,
        prefix: str = "",
        names: Sequence[str] | None = None,
        post: LayerLike | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        copies: bool = True,
        residual: bool = False,
    ) -> "blocks.ParallelBlock":
        """`num` copies of this block side by side.

        Args:
            num: int. Defaults to 1.
            prefix: str. The branches are called `prefix0`, `prefix1`, ... Defaults to `""`.
            names: sequence of str. The branches' names; their number counts, not `num`. Defaults to `None`.
            post: layer on the outputs. Defaults to `None`.
            aggregation: fusion of the outputs, or its name. Defaults to `None`.
            copies: bool. Each branch has weights of its own. `False`: all are this block. Defaults to `True`.
            residual: bool. Add the input as the branch `"shortcut"`. Defaults to `False`.

        Raises:
            ValueError: no branch; two of one name, or one called "shortcut" beside the input.
        """
        wanted = names or [f"{prefix}{place}" for place in range(num)]
        branches = [(name, fresh_copy(self, name) if copies else self) for name in wanted]
        shortcut = [("shortcut", keras.layers.Identity())] if residual else []
        return blocks.ParallelBlock(by_name(*branches, *shortcut), post=post, aggregation=aggregation)

    def apply_to_all(self, inputs: dict[str, Tensor], columns: Sequence[str] | None = None) -> dict[str, Tensor]:
        """This block on each value of a dict, or on those of `columns` alone; the same weights for all."""
        return {name: self(inputs[name]) for name in (inputs if columns is None else columns)}

    def as_tabular(self, name: str | None = None) -> "blocks.SequentialBlock":
        """This block, with its output in a dict under `name`, or the block's own name."""
        return self.connect(blocks.AsTabular(name or self.name))

    def select_by_name(self, name: str) -> keras.layers.Layer | None:
        """This block where it is called `name`; else None."""
        return self if name == self.name else None

    def select_by_tag(self, tags: Any) -> keras.layers.Layer | None:
        """The part of this block that reads columns with any of these tags; None where there is none."""
        whole = self.schema is not None and self.schema == self.schema.select_by_tag(tags)
        return self if whole else None

    def set_schema(self, schema: Schema) -> "Block":
        """A copy of this block, with weights of its own, that reads the columns of `schema`.

        Raises:
            ValueError: it can't be told what the block should read.
        """
        if self.is_input:
            raise ValueError(f"The block '{self.name}' can't be put on other columns. Make it anew from the schema.")
        return self.copy()

    def copy(self, weights: bool = False) -> Self:
        """A block of the same structure with weights of its own: fresh ones, or with the same values.

        Args:
            weights: bool. Copy the values of the weights too. Defaults to `False`.

        Raises:
            ValueError: the values are asked for, and there are none yet, or a layer stands in several places.
        """
        copied = fresh_copy(self)
        if weights:
            if not self.built:
                raise ValueError(f"The block '{self.name}' has no weights yet. Call or build it first.")
            copied.build_from_config(self.get_build_config())
            if len(copied.weights) != len(self.weights):
                raise ValueError(
                    f"A layer stands in several places of the block '{self.name}', and a copy has one for each. Take "
                    "copy() without weights, or save and load the block in a model, which keeps it one."
                )
            copied.set_weights(self.get_weights())
        return copied

    def __rshift__(self, other: LayerLike) -> "blocks.SequentialBlock":
        return self.connect(other)

    def __rrshift__(self, other: Any) -> "blocks.SequentialBlock":
        if isinstance(other, Schema) or (isinstance(other, Sequence) and all(isinstance(name, str) for name in other)):
            other = blocks.Filter(other)
        return blocks.SequentialBlock([other, self])

    @classmethod
    def from_config(cls, config: dict) -> Self:
        arguments = deserialized({name: value for name, value in config.items() if name != "schema"})
        if "schema" in config:
            arguments["schema"] = None if config["schema"] is None else Schema.from_dict(config["schema"])
        return super().from_config(arguments)


def by_name(*branches: tuple[str, keras.layers.Layer]) -> dict[str, keras.layers.Layer]:
    """Branches by their names.

    Raises:
        ValueError: two of one name.
    """
    names = [name for name, _ in branches]
    if len(set(names)) < len(names):
        raise ValueError(f"Branches need different names. Received {names}.")
    return dict(branches)


def _parsed(layer: LayerLike) -> keras.layers.Layer:
    if isinstance(layer, keras.layers.Layer):
        return layer
    if isinstance(layer, str):
        if layer not in blocks.NAMED_BLOCKS:
            raise ValueError(f"No block is called {layer!r}. Known names are {sorted(blocks.NAMED_BLOCKS)}.")
        return blocks.NAMED_BLOCKS[layer]()
    if isinstance(layer, Sequence):
        return Block.parse(*layer)
    raise TypeError(f"Wanted a Keras layer, a name or a list of them. Received {layer!r}.")


def _filtered(layer: keras.layers.Layer) -> list[str]:
    first = layer.layers[0] if isinstance(layer, blocks.SequentialBlock) else layer
    if not isinstance(first, blocks.Filter) or first.exclude:
        raise ValueError(
            f"The branch '{layer.name}' takes every input, so there is no rest to add. Begin it with a Filter."
        )
    return first.columns
