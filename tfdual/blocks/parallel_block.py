"""Branches side by side."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from tfdual._build import build_chain, chain_output_shape, fresh_copy, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block, LayerLike, by_name
from tfdual.blocks.handed_on import HANDS_ON, handed_on
from tfdual.fusion import as_fusion
from tfdual.schema import Schema


@register
class ParallelBlock(Block):
    """Apply named branches to the same input, and fuse what they give.

    Args:
        branches: mapping of name -> Keras layer, or a sequence of layers, named by their `name`; at least one.
        pre: layer that the input passes first. Defaults to `None`.
        post: layer that the dict of outputs passes. Defaults to `None`.
        aggregation: a fusion, i.e. a layer that takes a dict of vectors, or its name, such as `"concat"`. Comes last.
            Defaults to `None`: the dict is the output.
        schema: Schema. The columns that the branches read. Defaults to `None`: what the branches say.
        strict: bool. Refuse an input that is no dict. Defaults to `False`.

    Input: what each branch takes.
    Output: what the fusion gives; without one, a dict of name -> the branch's output. A branch that gives a dict adds
        its entries.

    Raises:
        ValueError: no branch, two branches of one name, two outputs of one name.
        TypeError: strict, and the input is no dict.

    Example:
        >>> block = ParallelBlock({"wide": keras.layers.Dense(2), "deep": keras.layers.Dense(4)}, aggregation="concat")
        >>> tuple(block(keras.ops.ones((3, 5))).shape)
        (3, 6)

    Reference: NVIDIA Merlin Models, `ParallelBlock`
    """

    def __init__(
        self,
        branches: Mapping[str, LayerLike] | Sequence[LayerLike],
        pre: LayerLike | None = None,
        post: LayerLike | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        schema: Schema | None = None,
        strict: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        if not branches:
            raise ValueError("ParallelBlock needs at least one branch. Received none.")
        self.branches = _named(branches)
        self.pre = None if pre is None else self.parse(pre)
        self.post = None if post is None else self.parse(post)
        self.aggregation = as_fusion(aggregation)
        self._schema = schema
        self.strict = strict

    @property
    def schema(self) -> Schema | None:
        """The columns that the branches read."""
        return super().schema if self._schema is None else self._schema

    def input_blocks(self) -> list[Block]:
        """Those of `pre`, or else of the branches."""
        return _reading([self.pre]) or _reading(self.branches.values())

    def build(self, input_shape: Shape | dict[str, Shape]) -> None:
        if self.pre is not None:
            build_chain([self.pre], input_shape)
            input_shape = self.pre.compute_output_shape(input_shape)
        for branch in self.branches.values():
            build_chain([branch], input_shape)
        build_chain(self._after(), self._branch_shapes(input_shape))

    def call(self, inputs: Tensor | dict[str, Tensor]) -> Tensor | dict[str, Tensor]:
        if self.strict and not isinstance(inputs, dict):
            raise TypeError(f"ParallelBlock(strict=True) takes a dict of tensors. Received {type(inputs).__name__}.")
        if self.pre is not None:
            inputs = self.pre(inputs)
        outputs: Any = self.joined({name: branch(inputs) for name, branch in self.branches.items()})
        for layer in self._after():
            outputs = layer(outputs)
        return outputs

    def compute_output_shape(self, input_shape: Shape | dict[str, Shape]) -> Shape | dict[str, Shape]:
        if self.pre is not None:
            input_shape = self.pre.compute_output_shape(input_shape)
        return chain_output_shape(self._after(), self._branch_shapes(input_shape))

    def _after(self) -> list[keras.layers.Layer]:
        return [layer for layer in (self.post, self.aggregation) if layer is not None]

    def _branch_shapes(self, input_shape: Shape | dict[str, Shape]) -> dict[str, Shape]:
        return self.joined({name: branch.compute_output_shape(input_shape) for name, branch in self.branches.items()})

    def joined(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """What the branches give as one dict: a branch that gives a dict adds its entries."""
        joined: dict[str, Any] = {}
        for name, output in outputs.items():
            entries = output if isinstance(output, dict) else {name: output}
            if twice := sorted(set(entries) & set(joined)):
                raise ValueError(f"Several branches of '{self.name}' give {twice}. Give their outputs different names.")
            joined |= entries
        return joined

    def select_by_name(self, name: str) -> keras.layers.Layer | None:
        """The branch called `name`, or None."""
        return self.branches.get(name)

    def select_by_names(self, names: Sequence[str]) -> list[keras.layers.Layer]:
        """The branches of these names.

        Raises:
            ValueError: there is none of a name.
        """
        return [self[name] for name in names]

    def select_by_tag(self, tags: Any) -> "ParallelBlock | None":
        """The branches that read columns with any of these tags, each on these columns; None where there is none."""
        found = {name: b.select_by_tag(tags) for name, b in self.branches.items() if isinstance(b, Block)}
        selected = {name: branch for name, branch in found.items() if branch is not None}
        schema = None if self._schema is None else self._schema.select_by_tag(tags)
        return self._with(branches=selected, schema=schema) if selected else None

    def add_branch(self, name: str, block: LayerLike) -> "ParallelBlock":
        """This block with one more branch.

        Raises:
            ValueError: the name is taken.
        """
        if name in self.branches:
            raise ValueError(f"ParallelBlock '{self.name}' has a branch '{name}'. Choose another name.")
        return self._with(branches=self.branches | {name: self.parse(block)})

    def apply_to_branch(self, branch_name: str, *layers: LayerLike) -> "ParallelBlock":
        """This block, with these layers after one of its branches."""
        return self._with(branches=self.branches | {branch_name: self.from_layer(self[branch_name]).connect(*layers)})

    def set_pre(self, value: LayerLike | None) -> "ParallelBlock":
        """This block with another `pre`."""
        return self._with(pre=value)

    def set_post(self, value: LayerLike | None) -> "ParallelBlock":
        """This block with another `post`."""
        return self._with(post=value)

    def set_aggregation(self, value: str | keras.layers.Layer | None) -> "ParallelBlock":
        """This block with another aggregation."""
        return self._with(aggregation=value)

    def set_schema(self, schema: Schema) -> "ParallelBlock":
        """A copy of this block, with weights of its own, that reads the columns of `schema`.

        Raises:
            ValueError: several branches read columns, so that it is not known which reads which.
        """
        if len(self.input_blocks()) > 1:
            raise ValueError(
                f"Several branches of '{self.name}' read columns: it can't be told which of {schema.column_names} each "
                "should read. Build the block anew from the schema."
            )

        def on_schema(layer: keras.layers.Layer) -> keras.layers.Layer:
            return layer.set_schema(schema) if isinstance(layer, Block) else fresh_copy(layer)

        hands_on = self.is_input and isinstance(self.pre, HANDS_ON)
        return ParallelBlock(
            {name: on_schema(branch) for name, branch in self.branches.items()},
            pre=self.pre and (handed_on(self.pre, schema) if hands_on else on_schema(self.pre)),
            post=None if self.post is None else fresh_copy(self.post),
            aggregation=None if self.aggregation is None else fresh_copy(self.aggregation),
            schema=None if self._schema is None else schema,
            strict=self.strict,
        )

    def _with(self, **changes: Any) -> "ParallelBlock":
        arguments: dict[str, Any] = {
            "branches": self.branches,
            "pre": self.pre,
            "post": self.post,
            "aggregation": self.aggregation,
            "schema": self._schema,
            "strict": self.strict,
        }
        return ParallelBlock(**(arguments | changes))

    def __getitem__(self, name: str) -> keras.layers.Layer:
        if name not in self.branches:
            raise ValueError(f"'{name}' is not in ParallelBlock '{self.name}'. It has {sorted(self.branches)}.")
        return self.branches[name]

    def get_config(self) -> dict:
        layers = {"branches": self.branches, "pre": self.pre, "post": self.post, "aggregation": self.aggregation}
        return super().get_config() | {
            **serialized(layers),
            "schema": None if self._schema is None else self._schema.to_dict(),
            "strict": self.strict,
        }


def _reading(layers: Iterable[keras.layers.Layer | None]) -> list[Block]:
    return [found for layer in layers if isinstance(layer, Block) for found in layer.input_blocks()]


def _named(branches: Mapping[str, LayerLike] | Sequence[LayerLike]) -> dict[str, keras.layers.Layer]:
    if isinstance(branches, Mapping):
        return {name: Block.parse(layer) for name, layer in branches.items()}
    return by_name(*((layer.name, layer) for layer in map(Block.parse, branches)))
