"""Several layers, weighed by a gate that sees the input."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfdual._build import OF_THE_ORIGINAL, build_once, fresh_copy, serialized, without
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block, LayerLike
from tfdual.blocks.named_inputs import as_vector, vector_shape
from tfdual.blocks.named_layers import check_positive

NO_STRUCTURE = OF_THE_ORIGINAL | {"name", "seed"}


@register
class MixtureOfExpertsBlock(Block):
    """Mixture of experts: `out = sum_e gate_e * expert_e(x)`, where `gate = softmax(W x)`.

    Some experts can be shared with another block, such as the other tower's; each block has a gate of its own over its
    own experts and the shared ones. With shared experts alone this is multi-gate mixture of experts (MMoE); with both,
    customised gate control (CGC).

    With `top_k`, the gates of all but the `k` largest are 0, and the others are divided by their sum. With 1 they are
    not: the gate would always be 1 and would not learn. Every expert is computed all the same: `top_k` changes the
    result, not the cost.

    Args:
        expert: Keras layer. Copied, with weights of its own, for each expert.
        num_experts: int. Experts of this block alone. Defaults to 4.
        num_shared_experts: int. Experts that other blocks use too. Defaults to 0.
        top_k: int. Number of experts that count for a row. Defaults to `None`: all.
        shared_name: str. Blocks of one such name share their shared experts. Defaults to `"shared"`.
        balance_loss_weight: float. Weight of a loss in training that spreads rows over the experts:
            `E * sum_e f_e * p_e`, with `f_e` the share of rows (times their `top_k`) that choose expert `e`, and `p_e`
            the mean of its softmax; 1 at balance. Defaults to 0.

    Input: `(..., width)`, or a dict of such, concatenated in the order of their names.
    Output: what an expert gives.

    Raises:
        ValueError: no expert, a negative number, `top_k` outside 1 to the number of experts, an empty name; when built,
            shared experts that are built for another width.

    Example:
        >>> block = MixtureOfExpertsBlock(keras.layers.Dense(8, "relu"), num_experts=3, num_shared_experts=1)
        >>> tuple(block(ops.ones((2, 10))).shape)
        (2, 8)

    Reference: Jacobs et al., 1991; Ma et al., 2018 (MMoE); Tang et al., 2020 (PLE); Fedus et al., 2021,
    arXiv:2101.03961 (the loss)
    """

    def __init__(
        self,
        expert: LayerLike,
        num_experts: int = 4,
        num_shared_experts: int = 0,
        top_k: int | None = None,
        shared_name: str = "shared",
        balance_loss_weight: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        total = num_experts + num_shared_experts
        if min(num_experts, num_shared_experts) < 0 or total < 1:
            raise ValueError(
                "MixtureOfExpertsBlock needs at least one expert, own or shared. Received "
                f"num_experts={num_experts} and num_shared_experts={num_shared_experts}."
            )
        check_positive("MixtureOfExpertsBlock", top_k=top_k)
        if (top_k or 1) > total:
            raise ValueError(f"top_k is at most the number of experts, {total}. Received {top_k}.")
        if not shared_name or balance_loss_weight < 0:
            raise ValueError(
                "MixtureOfExpertsBlock needs a shared_name that is not empty and balance_loss_weight >= 0. "
                f"Received {shared_name!r} and {balance_loss_weight}."
            )
        self.expert = fresh_copy(self.parse(expert))
        self.num_experts = num_experts
        self.num_shared_experts = num_shared_experts
        self.top_k = top_k
        self.shared_name = shared_name
        self.balance_loss_weight = balance_loss_weight
        self.experts = [fresh_copy(self.expert, f"expert_{place}") for place in range(num_experts)]
        # Made here and not in `build`, so that another block can take them before both are built.
        self.shared_experts = [fresh_copy(self.expert, f"shared_expert_{n}") for n in range(num_shared_experts)]

    def share_experts(self, other: Sequence[keras.layers.Layer]) -> None:
        """Use these layers as shared experts instead of this block's own. To be called before the first input.

        A block that comes from a config with Keras's `build_config` in it is built; who shares leaves that entry out.

        Args:
            other: the `shared_experts` of another block.

        Raises:
            ValueError: this block is built already; another number of experts, or of another structure.
        """
        if self.built:
            raise ValueError(f"'{self.name}' has weights already. Share experts before it is built.")
        if len(other) != len(self.shared_experts):
            raise ValueError(
                f"'{self.name}' has num_shared_experts={len(self.shared_experts)}; there are {len(other)} to share. "
                "Give both blocks one number."
            )
        for ours, theirs in zip(self.shared_experts, other, strict=True):
            if different := _differences(_structure(ours), _structure(theirs)):
                raise ValueError(
                    f"The shared experts of '{self.name}' and those to share differ in {different}. Give both "
                    "blocks one `expert`, or each its own `shared_name`."
                )
        shared = list(other)
        self.shared_experts.clear()
        self.shared_experts.extend(shared)

    def build(self, input_shape: Shape | dict[str, Shape]) -> None:
        shape = vector_shape(input_shape)
        for expert in self.shared_experts:
            self._check_width(expert, shape[-1])
        for expert in (*self.experts, *self.shared_experts):
            build_once(expert, shape)
        # In float32 also under mixed precision: a small difference between gates changes which experts count.
        self.gate = keras.layers.Dense(
            self.num_experts + self.num_shared_experts, use_bias=False, name="gate", dtype="float32"
        )
        build_once(self.gate, shape)

    def _check_width(self, expert: keras.layers.Layer, width: int | None) -> None:
        built_for = (expert.get_build_config() or {}).get("input_shape") if expert.built else None
        if built_for is not None and built_for[-1] != width:
            raise ValueError(
                f"Blocks that share experts need inputs of one width. The experts '{self.shared_name}' are built for "
                f"{built_for[-1]}; '{self.name}' has {width}. Project both inputs to one width first, e.g. with "
                "`MLPBlock([64])`."
            )

    def call(self, inputs: Tensor | dict[str, Tensor], training: bool | None = None) -> Tensor:
        vector = as_vector(inputs)
        softmax = ops.softmax(self.gate(vector), axis=-1)  # (..., experts)
        gates = softmax if self.top_k is None else _largest(softmax, self.top_k)
        if training and self.balance_loss_weight:
            chosen = _chosen(softmax, self.top_k or 1)
            self.add_loss(self.balance_loss_weight * balance_loss(softmax, chosen))
        found = ops.stack([expert(vector) for expert in (*self.experts, *self.shared_experts)], axis=-2)
        weighted = ops.cast(gates, self.compute_dtype)[..., None] * ops.cast(found, self.compute_dtype)
        return ops.sum(weighted, axis=-2)

    def compute_output_shape(self, input_shape: Shape | dict[str, Shape]) -> Shape:
        return self.expert.compute_output_shape(vector_shape(input_shape))

    def get_config(self) -> dict:
        return super().get_config() | {
            "expert": serialized(self.expert),
            "num_experts": self.num_experts,
            "num_shared_experts": self.num_shared_experts,
            "top_k": self.top_k,
            "shared_name": self.shared_name,
            "balance_loss_weight": self.balance_loss_weight,
        }


def balance_loss(gates: Tensor, chosen: Tensor) -> Tensor:
    """`E * sum_e f_e * p_e`: 1 where rows are spread evenly over experts, `E` where one has them all.

    Args:
        gates: `(..., experts)`. Probability of each expert.
        chosen: `(..., experts)`. 1 where the expert is one of those chosen for the row, else 0.
    """
    experts = gates.shape[-1]
    gates, chosen = ops.reshape(gates, (-1, experts)), ops.reshape(chosen, (-1, experts))
    rows = ops.maximum(ops.cast(ops.shape(gates)[0], gates.dtype), 1.0)
    share = ops.sum(chosen, axis=0) / ops.maximum(ops.sum(chosen), 1.0)
    return experts * ops.sum(share * ops.sum(gates, axis=0) / rows)


def _chosen(gates: Tensor, top_k: int) -> Tensor:
    _, places = ops.top_k(gates, top_k)
    return ops.sum(ops.one_hot(places, gates.shape[-1], dtype=gates.dtype), axis=-2)


def _largest(gates: Tensor, top_k: int) -> Tensor:
    kept = gates * _chosen(gates, top_k)
    return kept if top_k == 1 else kept / ops.sum(kept, axis=-1, keepdims=True)


def _structure(layer: keras.layers.Layer) -> dict:
    return {"class": type(layer).__name__} | without(layer.get_config(), NO_STRUCTURE)


def _differences(ours: dict, theirs: dict) -> dict[str, tuple]:
    pairs = {key: (ours.get(key), theirs.get(key)) for key in sorted(ours.keys() | theirs.keys())}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
