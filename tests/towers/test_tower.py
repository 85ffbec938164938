import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch, domain
from tfdual import ColumnSchema, InputBlock, L2Norm, MLPBlock, Schema, SequentialBlock, Tags, Tower

DENSE = Schema([ColumnSchema("b", dtype="float32"), ColumnSchema("a", dtype="float32")])
INPUTS = {"a": tf.constant([3.0, 0.0]), "b": tf.constant([4.0, 5.0])}


EVERY_KIND = Schema(
    [
        ColumnSchema("age", dtype="float32"),
        ColumnSchema("genre", [Tags.CATEGORICAL], domain("genre", 5)),
        ColumnSchema("likes", properties=domain("item_id", 9), is_list=True),
        ColumnSchema("picture", dtype="float32", dims=(None, 2)),
        ColumnSchema("title", [Tags.TEXT], dtype="string"),
    ]
)
EVERY_KIND_INPUTS = {
    "age": tf.constant([3.0, 0.0]),
    "genre": tf.constant([1, 4], tf.int64),
    "likes": tf.ragged.constant([[1, 2], []], dtype=tf.int64),
    "picture": tf.constant([[1.0, 2.0], [3.0, 4.0]]),
    "title": tf.constant(["a", "b"]),
}


def every_kind() -> InputBlock:
    """An encoder of each kind of column, strings included."""
    words = SequentialBlock([keras.layers.Hashing(16), keras.layers.Embedding(16, 3)])
    return InputBlock(EVERY_KIND, OPTIONS, encoders={"title": words}, aggregation="concat")


def columns(aggregation: str = "concat") -> InputBlock:
    return InputBlock(DENSE, aggregation=aggregation)


def test_features_are_concatenated_by_name_and_passed_to_the_body() -> None:
    np.testing.assert_array_equal(Tower(columns())(INPUTS), [[3, 4], [0, 5]])
    np.testing.assert_array_equal(Tower(columns() >> keras.layers.Rescaling(2.0))(INPUTS), [[6, 8], [0, 10]])


def test_fusion_is_used() -> None:
    np.testing.assert_array_equal(Tower(columns("element-wise-sum"))(INPUTS), [[7], [5]])


def test_l2_norm_is_part_of_the_tower() -> None:
    np.testing.assert_allclose(Tower(columns(), post="l2-norm")(INPUTS), [[0.6, 0.8], [0, 1]])


def test_post_can_be_a_layer() -> None:
    np.testing.assert_allclose(Tower(columns(), post=L2Norm())(INPUTS), [[0.6, 0.8], [0, 1]])


def test_width_is_known_before_the_first_input() -> None:
    tower = Tower(InputBlock(SCHEMA, OPTIONS, aggregation="concat") >> MLPBlock([8, 5]))
    tower.build()
    assert tower.embedding_dim == 5
    assert tower(batch()).shape == (6, 5)
    assert tower.count_params() == 30 * 4 + 20 * 4 + 7 * 3 + (20 * 8 + 8) + (8 * 5 + 5)


def test_columns_of_no_schema_are_left_out() -> None:
    np.testing.assert_array_equal(Tower(columns())(INPUTS | {"c": tf.constant(["x", "y"])}), [[3, 4], [0, 5]])


def test_tower_trains_alone_as_a_keras_model() -> None:
    column = ColumnSchema("id", [Tags.CATEGORICAL], {"domain": {"name": "id", "min": 0, "max": 3}})
    tower = Tower(InputBlock(Schema([column]), aggregation="concat") >> keras.layers.Dense(1))
    tower.compile(keras.optimizers.SGD(0.5), "mse")
    ids, wanted = np.array([0, 1, 2, 3]), np.array([[1.0], [-1.0], [2.0], [0.0]])
    losses = tower.fit({"id": ids}, wanted, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]


def test_unknown_post_is_refused() -> None:
    with pytest.raises(ValueError, match=r"No block is called 'l1-norm'. Known names are .*'l2-norm'"):
        Tower(columns(), post="l1-norm")


def test_block_that_reads_no_columns_is_refused() -> None:
    for block in (MLPBlock([4]), keras.layers.Dense(4)):
        with pytest.raises(ValueError, match=r"needs a block that reads columns, such as InputBlock\(schema\)"):
            Tower(block)


def test_block_of_several_outputs_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r'ends in one vector, \(batch, dim\).*Fuse its outputs, e.g. by aggregation="concat"'
    ):
        Tower(InputBlock(DENSE)).build()


def test_columns_of_every_kind_are_inputs_of_the_exported_tower(tmp_path: Path) -> None:
    tower = Tower(every_kind() >> MLPBlock([4]), post="l2-norm")
    inputs = EVERY_KIND_INPUTS
    wanted = tower(inputs).numpy()
    np.testing.assert_allclose(np.linalg.norm(wanted, axis=1), 1, rtol=1e-5)
    copied = Tower.from_config(tower.get_config())
    copied.build()
    copied.set_weights(tower.get_weights())
    tower.save(tmp_path / "tower.keras")
    loaded = keras.saving.load_model(tmp_path / "tower.keras")
    for place, each in enumerate((tower, copied, loaded)):
        np.testing.assert_array_equal(each(inputs), wanted)
        each.export(tmp_path / str(place), verbose=False)
        served = tf.saved_model.load(tmp_path / str(place)).signatures["serving_default"]
        assert set(served.structured_input_signature[1]) == set(EVERY_KIND.column_names)
        dense = {name: x.to_tensor() if isinstance(x, tf.RaggedTensor) else x for name, x in inputs.items()}
        np.testing.assert_allclose(next(iter(served(**dense).values())), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_exported_tower_is_served_by_a_process_that_knows_tensorflow_alone(tmp_path: Path) -> None:
    tower = Tower(every_kind() >> MLPBlock([4]), post="l2-norm")
    wanted = tower(EVERY_KIND_INPUTS).numpy()
    tower.export(tmp_path / "tower", verbose=False)
    program = f"""
import sys, tensorflow as tf
tower = tf.saved_model.load({str(tmp_path / "tower")!r}).signatures["serving_default"]
found = tower(
    age=tf.constant([3.0, 0.0]), genre=tf.constant([1, 4], tf.int64), likes=tf.constant([[1, 2], [0, 0]], tf.int64),
    picture=tf.constant([[1.0, 2.0], [3.0, 4.0]]), title=tf.constant(["a", "b"]),
)
print(next(iter(found.values())).numpy().tolist(), "tfdual" in sys.modules, "keras" in sys.modules)
"""
    env = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=env)
    assert run.returncode == 0, run.stderr
    values, *modules = run.stdout.strip().rsplit(" ", 2)
    assert modules[0] == "False"
    np.testing.assert_allclose(json.loads(values), wanted, rtol=1e-5, atol=1e-6)


def test_frozen_tower_stays_frozen_when_it_is_loaded(tmp_path: Path) -> None:
    tower = Tower(InputBlock(SCHEMA, OPTIONS, aggregation="concat") >> MLPBlock([4]))
    tower(batch())
    tower.trainable = False
    tower.save(tmp_path / "tower.keras")
    for each in (tower, keras.saving.load_model(tmp_path / "tower.keras")):
        assert each.trainable_weights == []
        assert len(each.weights) == len(tower.weights)
