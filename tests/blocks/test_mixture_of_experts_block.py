from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual._build import without
from tfdual.blocks import Block, MixtureOfExpertsBlock, MLPBlock, SequentialBlock

INPUTS = tf.constant(np.random.default_rng(0).normal(size=(6, 5)), tf.float32)


@keras.saving.register_keras_serializable("tfdual_tests")
class Pair(Block):
    """Two sides that share experts."""

    def __init__(self, left: keras.layers.Layer, right: keras.layers.Layer, **kwargs) -> None:
        super().__init__(**kwargs)
        self.left, self.right = left, right
        right.share_experts(left.shared_experts)

    def build(self, input_shape: tuple) -> None:
        self.left.build(input_shape)
        self.right.build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.concat([self.left(inputs), self.right(inputs)], axis=-1)

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {"left": serialize(self.left), "right": serialize(self.right)}

    @classmethod
    def from_config(cls, config: dict) -> "Pair":
        return super().from_config(without(config, frozenset({"build_config"})))


def mixture(**arguments: object) -> MixtureOfExpertsBlock:
    return MixtureOfExpertsBlock(**({"expert": MLPBlock([4, 3], activation="tanh"), "num_experts": 2} | arguments))


def randomized(block: keras.layers.Layer) -> keras.layers.Layer:
    block(INPUTS)
    block.set_weights([np.random.default_rng(1).normal(size=weight.shape) for weight in block.weights])
    return block


def softmax(block: MixtureOfExpertsBlock) -> np.ndarray:
    scores = np.exp(INPUTS.numpy() @ block.gate.kernel.numpy())
    return scores / scores.sum(axis=1, keepdims=True)


def weighted_sum(block: MixtureOfExpertsBlock, gates: np.ndarray) -> np.ndarray:
    total = np.zeros((6, 3))
    for place, expert in enumerate([*block.experts, *block.shared_experts]):
        first, first_bias, second, second_bias = expert.get_weights()
        total += gates[:, place : place + 1] * np.tanh(np.tanh(INPUTS @ first + first_bias) @ second + second_bias)
    return total


def test_output_is_the_sum_of_own_and_shared_experts_by_their_gates() -> None:
    block = randomized(mixture(num_shared_experts=2))
    np.testing.assert_allclose(block(INPUTS), weighted_sum(block, softmax(block)), rtol=1e-4, atol=1e-5)


def test_shared_experts_can_be_all() -> None:
    block = randomized(mixture(num_experts=0, num_shared_experts=2))
    np.testing.assert_allclose(block(INPUTS), weighted_sum(block, softmax(block)), rtol=1e-4, atol=1e-5)


def test_top_k_keeps_the_largest_gates_and_divides_them_by_their_sum() -> None:
    block = randomized(mixture(num_experts=4, top_k=2))
    gates = softmax(block)
    for row in gates:
        row[np.argsort(row)[:2]] = 0
        row /= row.sum()
    np.testing.assert_allclose(block(INPUTS), weighted_sum(block, gates), rtol=1e-4, atol=1e-5)


def test_top_1_is_the_best_expert_times_its_gate_so_that_the_gate_learns() -> None:
    block = randomized(mixture(num_experts=4, top_k=1))
    gates = softmax(block)
    np.testing.assert_allclose(
        block(INPUTS), weighted_sum(block, gates * (gates == gates.max(axis=1, keepdims=True))), rtol=1e-4, atol=1e-5
    )
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(block(INPUTS) ** 2)
    assert tape.gradient(loss, block.gate.kernel.value).numpy().any()


def test_equal_gates_still_count_k_experts() -> None:
    block = randomized(mixture(num_experts=3, top_k=2))
    block.gate.kernel.assign(np.zeros((5, 3)))
    np.testing.assert_allclose(block(INPUTS), weighted_sum(block, np.tile([0.5, 0.5, 0], (6, 1))), rtol=1e-4, atol=1e-5)


def test_experts_start_from_different_weights_and_leave_the_given_layer_alone() -> None:
    expert = keras.layers.Dense(3)
    expert.build((None, 5))
    block = mixture(expert=expert, num_shared_experts=1)
    block(INPUTS)
    kernels = [layer.kernel.numpy() for layer in (expert, *block.experts, *block.shared_experts)]
    assert len({kernel.tobytes() for kernel in kernels}) == 4
    assert len(block.weights) == 3 * 2 + 1


def test_weights_have_readable_paths() -> None:
    block = mixture(expert=keras.layers.Dense(3, use_bias=False), num_shared_experts=1, name="body")
    block(INPUTS)
    paths = [f"body/{name}/kernel" for name in ("expert_0", "expert_1", "shared_expert_0", "gate")]
    assert [weight.path for weight in block.weights] == paths


def test_named_vectors_are_concatenated_in_the_order_of_their_names() -> None:
    block = randomized(mixture())
    np.testing.assert_array_equal(block({"b": INPUTS[:, 2:], "a": INPUTS[:, :2]}), block(INPUTS))
    assert block.compute_output_shape({"b": (None, 3), "a": (None, 2)}) == (None, 3)


def test_leading_dimensions_are_kept() -> None:
    block = randomized(mixture(top_k=2, balance_loss_weight=1.0))
    found = block(tf.reshape(INPUTS, (2, 3, 5)), training=True)
    np.testing.assert_allclose(tf.reshape(found, (6, 3)), block(INPUTS), rtol=1e-5, atol=1e-6)


def test_shared_experts_are_the_same_layers_and_learn_from_both_sides() -> None:
    left, right = mixture(num_shared_experts=2), mixture(num_shared_experts=2)
    pair = randomized(Pair(left, right))
    assert right.shared_experts == left.shared_experts
    assert len(pair.weights) == (2 + 2 + 2) * 4 + 2
    np.testing.assert_allclose(right(INPUTS), weighted_sum(right, softmax(right)), rtol=1e-4, atol=1e-5)
    shared = [weight.value for expert in left.shared_experts for weight in expert.weights]
    for side in (left, right):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(side(INPUTS) ** 2)
        assert all(gradient.numpy().any() for gradient in tape.gradient(loss, shared))


def test_shared_experts_survive_saving(tmp_path: Path) -> None:
    expert = SequentialBlock([keras.layers.Dense(4, "tanh"), keras.layers.Dense(3)])
    inputs = keras.Input((5,))
    model = keras.Model(inputs, Pair(*(mixture(expert=expert, num_shared_experts=1) for _ in range(2)))(inputs))
    randomized(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(loaded.weights) == len(model.weights) == (2 + 2 + 1) * 4 + 2
    np.testing.assert_array_equal(loaded(INPUTS), model(INPUTS))


def test_experts_of_one_structure_are_shared_whatever_their_layers_are_called() -> None:
    left, right = (mixture(expert=SequentialBlock([keras.layers.Dense(3)]), num_shared_experts=1) for _ in range(2))
    assert left.expert.layers[0].name != right.expert.layers[0].name
    right.share_experts(left.shared_experts)
    assert right.shared_experts == left.shared_experts


def test_sharing_after_the_first_input_is_refused() -> None:
    block = randomized(mixture(num_shared_experts=1))
    with pytest.raises(ValueError, match=r"has weights already. Share experts before it is built"):
        block.share_experts(mixture(num_shared_experts=1).shared_experts)


def test_sharing_another_number_or_structure_is_refused() -> None:
    block = mixture(num_shared_experts=1)
    with pytest.raises(ValueError, match=r"num_shared_experts=1; there are 2 to share"):
        block.share_experts(mixture(num_shared_experts=2).shared_experts)
    wider = mixture(expert=MLPBlock([8, 3], activation="tanh"), num_shared_experts=1)
    with pytest.raises(ValueError, match=r"differ in {'dimensions': \(\[4, 3\], \[8, 3\]\)}"):
        block.share_experts(wider.shared_experts)
    with pytest.raises(ValueError, match=r"differ in {.*'class': \('MLPBlock', 'Dense'\)"):
        block.share_experts(mixture(expert=keras.layers.Dense(3), num_shared_experts=1).shared_experts)


def test_sharing_between_inputs_of_different_widths_is_refused() -> None:
    left, right = mixture(num_shared_experts=1), mixture(num_shared_experts=1, name="item_body", shared_name="both")
    right.share_experts(left.shared_experts)
    left.build((None, 5))
    with pytest.raises(ValueError, match=r"inputs of one width. The experts 'both' are built for 5; 'item_body' has 7"):
        right.build({"a": (None, 4), "b": (None, 3)})


def test_balance_loss_is_that_of_switch_transformers_in_training_only() -> None:
    block = randomized(mixture(num_experts=4, top_k=2, balance_loss_weight=0.5))
    gates = softmax(block)
    chosen = np.zeros((6, 4))
    for row, best in enumerate(np.argsort(gates, axis=1)[:, 2:]):
        chosen[row, best] = 1
    expected = 4 * sum((chosen[:, e].sum() / 12) * gates[:, e].mean() for e in range(4))
    block(INPUTS, training=True)
    assert [float(loss) for loss in block.losses] == [pytest.approx(0.5 * expected, rel=1e-5)]
    block(INPUTS)
    assert block.losses == []


def test_balance_loss_is_1_for_equal_gates_and_the_number_of_experts_for_one_expert() -> None:
    block = randomized(mixture(num_experts=3, balance_loss_weight=1.0))
    for scale, expected in ((0.0, 1.0), (1000.0, 3.0)):
        block.gate.kernel.assign(scale * np.ones((5, 1)) @ [[1.0, 0.0, 0.0]])
        block(tf.ones((4, 5)), training=True)
        assert float(block.losses[0]) == pytest.approx(expected)


def test_empty_batch_has_a_finite_balance_loss() -> None:
    block = randomized(mixture(top_k=2, balance_loss_weight=1.0))
    assert block(INPUTS[:0], training=True).shape == (0, 3)
    assert float(block.losses[0]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_experts": 0}, "at least one expert.* num_experts=0 and num_shared_experts=0"),
        ({"num_shared_experts": -1}, "num_experts=2 and num_shared_experts=-1"),
        ({"top_k": 0}, "at least 1. Received {'top_k': 0}"),
        ({"top_k": 3}, "at most the number of experts, 2. Received 3"),
        ({"shared_name": ""}, "shared_name that is not empty"),
        ({"balance_loss_weight": -0.1}, "balance_loss_weight >= 0. Received 'shared' and -0.1"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mixture(**arguments)
