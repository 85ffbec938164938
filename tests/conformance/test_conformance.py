"""What every public Layer, Model and Optimizer can do; each has a row in table.py."""

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfdual
from tests.conformance.table import GRAPH_ENCODERS, NEGATIVES, OBJECTIVES, OPTIMIZERS, ROWS, Row
from tfdual._build import build_once
from tfdual.models import ContrastiveObjective, DualEncoder, GraphModel

APPLICATIONS = {"cli", "demo"}
NESTED = ["tailoring.compression"]
POLICIES = ["mixed_bfloat16", "mixed_float16"]
each_layer = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.cls.__name__)
EVERY_ROW = [*ROWS, *OPTIMIZERS, *NEGATIVES, *GRAPH_ENCODERS, *OBJECTIVES]
each_class = pytest.mark.parametrize("row", EVERY_ROW, ids=lambda row: row.cls.__name__)


@keras.saving.register_keras_serializable("tfdual_tests")
class Wrapper(keras.Model):
    """A model of one layer, to save it with."""

    def __init__(self, layer: keras.layers.Layer, **kwargs) -> None:
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        build_once(self.layer, input_shape)

    def call(self, *inputs: Any) -> Any:
        return self.layer(*inputs)

    def get_config(self) -> dict:
        return super().get_config() | {"layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict) -> "Wrapper":
        return cls(keras.saving.deserialize_keras_object(config.pop("layer")), **config)


def called(layer: Any, inputs: Any, **kwargs: Any) -> Any:
    return layer(*inputs, **kwargs) if isinstance(inputs, tuple) else layer(inputs, **kwargs)


def public_classes() -> list[type]:
    names = [module.name for module in pkgutil.iter_modules(tfdual.__path__) if module.ispkg] + NESTED
    packages = [importlib.import_module(f"tfdual.{name}") for name in names if name not in APPLICATIONS]
    public = dict.fromkeys(getattr(package, name) for package in packages for name in package.__all__)
    kinds = (keras.layers.Layer, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer)
    classes = [found for found in public if inspect.isclass(found) and issubclass(found, kinds)]
    # A Preprocessor has no weights, and takes raw rows; tests/preprocessing put it through the same.
    return [found for found in classes if not abstract(found) and found is not tfdual.Preprocessor]


def abstract(cls: type) -> bool:
    return any(getattr(value, "__isabstractmethod__", False) for _, value in inspect.getmembers_static(cls))


def built(row: Row) -> keras.layers.Layer:
    """The layer of a row with weights that are all different, and far from their initial values."""
    layer = row.make()
    called(layer, row.inputs())
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        signs = rng.choice([-1, 1], weight.shape) if weight.trainable else 1  # a moving variance is positive
        weight.assign(rng.uniform(0.2, 0.6, weight.shape) * signs)
    assert all(np.isfinite(output.astype("float32")).all() for output in leaves(called(layer, row.inputs())))
    return layer


def model_of(row: Row) -> keras.Model:
    layer = built(row)
    model = layer if isinstance(layer, keras.Model) else Wrapper(layer)
    called(model, row.inputs())
    return model


def leaves(output: Any) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in tf.nest.flatten(output)]


def assert_equal(left: Any, right: Any, **tolerance: float) -> None:
    tf.nest.assert_same_structure(left, right)
    for one, other in zip(leaves(left), leaves(right), strict=True):
        np.testing.assert_allclose(one.astype("float32"), other.astype("float32"), **tolerance or {"rtol": 1e-6})


def signature(inputs: Any) -> Any:
    """The types of `inputs`, for any batch size."""

    def spec(tensor: tf.Tensor | tf.RaggedTensor) -> tf.TypeSpec:
        if isinstance(tensor, tf.RaggedTensor):
            return tf.RaggedTensorSpec([None, None], tensor.dtype)
        return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)

    return tf.nest.map_structure(spec, inputs)


def parameters(cls: type) -> dict[str, inspect.Parameter]:
    return {
        name: parameter
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }


def handed_on(cls: type) -> set[str]:
    """Arguments of its objective and of every model that a model takes; rows go through them all."""
    return {"parts", "distinct_queries", *parameters(ContrastiveObjective)} if issubclass(cls, DualEncoder) else set()


def test_every_public_class_has_one_row() -> None:
    assert sorted(row.cls.__name__ for row in EVERY_ROW) == sorted(cls.__name__ for cls in public_classes())


@each_class
def test_row_gives_every_argument_another_value_than_its_default(row: Row) -> None:
    arguments, known = row.arguments(), parameters(row.cls)
    own = known if row.cls.__init__.__module__.startswith("tfdual") else {}
    assert set(own) <= set(arguments) <= set(own) | handed_on(row.cls)
    assert [name for name, value in arguments.items() if name in own and value == own[name].default] == []


@each_class
def test_config_holds_every_argument_and_nothing_else(row: Row) -> None:
    of_keras = keras.optimizers.Optimizer(0.1) if row in OPTIMIZERS else keras.layers.Layer()
    config, arguments = set(row.make().get_config()), set(row.arguments())
    assert arguments <= config
    assert config - arguments <= set(of_keras.get_config()) | handed_on(row.cls)


@each_class
def test_config_round_trip(row: Row) -> None:
    made = row.make()
    config = made.get_config()
    kept = keras.saving.serialize_keras_object(made)
    assert row.cls.from_config(config).get_config() == made.get_config()
    assert config == made.get_config(), "from_config changed the config that it was given"
    for _ in range(2):
        again = keras.saving.deserialize_keras_object(kept)
        assert type(again) is row.cls
        assert again.get_config() == made.get_config()


@each_layer
def test_save_and_load_gives_equal_outputs(row: Row, tmp_path: Path) -> None:
    model, inputs = model_of(row), row.inputs()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(loaded.weights) == len(model.weights)
    assert_equal(called(loaded, inputs), called(model, inputs))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, list[np.ndarray]]]:
    """By class: what a layer gives, and its SavedModel in a process that imports TensorFlow and its text operators."""
    folder = tmp_path_factory.mktemp("served")
    outputs = {row.cls.__name__: export(row, folder / row.cls.__name__) for row in ROWS}
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(folder)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "tfdual is not there"
    found = {name: np.load(folder / f"{name}.npz") for name in outputs}
    return {name: (output, list(found[name].values())) for name, output in outputs.items()}


SERVE = """
import pathlib, sys
import numpy as np, tensorflow as tf, tensorflow_text
for path in pathlib.Path(sys.argv[1]).iterdir():
    loaded = tf.saved_model.load(str(path))
    outputs = tf.nest.flatten(loaded.serve(loaded.inputs()))
    np.savez(f"{path}.npz", *[tensor.numpy() for tensor in outputs])
print("tfdual is", "there" if "tfdual" in sys.modules else "not there")
"""


def export(row: Row, folder: Path) -> Any:
    layer, inputs = built(row), row.inputs()
    module = tf.Module()
    module.kept = [variable.value for variable in layer.variables]
    module.graph = layer.nodes.stored if isinstance(layer, GraphModel) else None  # edges are none of the variables
    module.serve = tf.function(lambda inputs: called(layer, inputs), input_signature=[signature(inputs)])
    module.inputs = tf.function(lambda: inputs, input_signature=[])
    tf.saved_model.save(module, str(folder))
    return called(layer, inputs)


@each_layer
@pytest.mark.slow
def test_saved_model_gives_equal_outputs_in_a_fresh_process(row: Row, served: dict) -> None:
    wanted, found = served[row.cls.__name__]
    for one, other in zip(leaves(wanted), found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


@each_layer
def test_graph_of_any_batch_size_gives_equal_outputs(row: Row) -> None:
    layer, inputs = built(row), row.inputs()
    function = tf.function(lambda inputs: called(layer, inputs), input_signature=[signature(inputs)])
    whole = called(layer, inputs)
    assert_equal(function(inputs), whole, rtol=1e-5, atol=1e-6)
    for place in (0, 4):
        part = function(tf.nest.map_structure(lambda tensor, at=place: tensor[at : at + 1], inputs))
        assert_equal(
            part, tf.nest.map_structure(lambda tensor, at=place: tensor[at : at + 1], whole), rtol=1e-5, atol=1e-6
        )


@each_layer
def test_compiled_by_xla_where_keras_would_it_gives_equal_outputs(row: Row) -> None:
    layer, inputs = built(row), row.inputs()
    if not all(each.supports_jit for each in layer._flatten_layers()):
        pytest.skip("Keras doesn't compile it: supports_jit is False")
    if any(isinstance(tensor, tf.RaggedTensor) for tensor in tf.nest.flatten(inputs)):
        pytest.skip("XLA takes no ragged tensors")
    compiled = tf.function(lambda inputs: called(layer, inputs), jit_compile=True)
    assert_equal(compiled(inputs), called(layer, inputs), rtol=1e-4, atol=1e-5)


@each_layer
@pytest.mark.parametrize("rows", [0, 1])
def test_empty_lists_and_batches_give_finite_numbers(row: Row, rows: int) -> None:
    def few(tensor: Any) -> Any:
        if isinstance(tensor, tf.RaggedTensor):
            return tf.RaggedTensor.from_row_lengths(tensor.flat_values[:0], [0] * rows)
        return tensor[:rows]

    layer = built(row)
    for output in leaves(called(layer, tf.nest.map_structure(few, row.inputs()))):
        assert output.shape[0] == rows
        assert np.isfinite(output.astype("float32")).all()


@each_layer
@pytest.mark.parametrize("policy", POLICIES)
def test_mixed_precision_is_close_to_float32(row: Row, policy: str) -> None:
    exact, inputs = built(row), row.inputs()
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        mixed = row.make()
        rough = called(mixed, inputs)
    finally:
        keras.config.set_dtype_policy(before)
    mixed.set_weights(exact.get_weights())
    rough = called(mixed, inputs)
    wanted = "float32" if row.keeps_dtype else policy.removeprefix("mixed_")
    assert {tensor.dtype.name for tensor in tf.nest.flatten(rough)} == {wanted}
    assert {str(weight.dtype) for weight in mixed.weights if "float" in str(weight.dtype)} <= {"float32"}
    assert_equal(rough, called(exact, inputs), rtol=0.05, atol=0.05)


@each_layer
def test_gradient_reaches_each_weight(row: Row) -> None:
    layer, inputs = built(row), row.inputs()
    rng = np.random.default_rng(2)
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(called(layer, inputs, training=True))
        loss = sum(tf.reduce_sum(output * rng.normal(size=output.shape).astype("float32")) for output in outputs)
    variables = [weight.value for weight in layer.trainable_weights]
    gradients = [
        np.zeros(1) if gradient is None else tf.convert_to_tensor(gradient).numpy()
        for gradient in tape.gradient(loss, variables)
    ]
    paths = [weight.path for weight in layer.trainable_weights]
    assert [path for path, gradient in zip(paths, gradients, strict=True) if not gradient.any()] == []
    assert [path for path, gradient in zip(paths, gradients, strict=True) if not np.isfinite(gradient).all()] == []
