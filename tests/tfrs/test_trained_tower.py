import sys

import keras
import pytest
import tensorflow as tf

from tfdual import ColumnSchema, Schema
from tfdual.tfrs import TrainedTower

USER = Schema([ColumnSchema("user")])
BOTH = Schema([ColumnSchema("user"), ColumnSchema("age", dtype="float32")])


class Tower(tf.Module):
    """Gives what `output` makes of its input and of a variable."""

    def __init__(self, output=lambda inputs, rows: tf.gather(rows, inputs)) -> None:
        super().__init__()
        self.rows = tf.Variable([[0.0, 1.0], [2.0, 3.0]])
        self.output = output

    def __call__(self, inputs):
        return self.output(inputs, self.rows)


def test_one_column_comes_as_a_tensor_unless_a_dict_is_asked_for() -> None:
    assert TrainedTower(Tower(), USER).encode({"user": tf.constant([1])}).numpy().tolist() == [[2.0, 3.0]]
    tower = TrainedTower(Tower(lambda inputs, rows: tf.gather(rows, inputs["user"])), USER, as_dict=True)
    assert tower.encode({"user": tf.constant([0])}).numpy().tolist() == [[0.0, 1.0]]


def test_several_columns_come_as_a_dict_of_these_alone() -> None:
    tower = TrainedTower(Tower(lambda inputs, rows: tf.gather(rows, inputs["user"]) * len(inputs)), BOTH)
    columns = {"user": tf.constant([1]), "age": tf.constant([3.0]), "more": tf.constant([0])}
    assert tower.encode(columns).numpy().tolist() == [[4.0, 6.0]]


def test_lists_come_ragged_and_vectors_of_a_width_dense() -> None:
    lists = Schema([ColumnSchema("seen", is_list=True)])
    tower = TrainedTower(Tower(lambda seen, rows: tf.reduce_sum(tf.gather(rows, seen), axis=1)), lists)
    served = tower.served()
    assert served.embed({"seen": tf.constant([[1, 1], [0, -1]], tf.int64)}).numpy().tolist() == [[4.0, 6.0], [0.0, 1.0]]
    vectors = Schema([ColumnSchema("mood", dtype="float32", dims=(None, 2))])
    assert TrainedTower(Tower(lambda mood, rows: mood @ rows), vectors).width() == 2


def test_the_space_follows_every_weight() -> None:
    tower, same = TrainedTower(Tower(), USER), TrainedTower(Tower(), USER)
    for trained in (tower, same):
        trained.tower.more = [tf.Variable([1.0]), tf.Variable([2])]
    spaces = [tower.embedding_space()]
    assert same.embedding_space() == spaces[0] != ""
    weights = [tower.tower.rows, *tower.tower.more]
    for weight, change in zip(weights, ([[0.0, 0.0], [0.0, 1e-6]], [1e-6], [1]), strict=True):
        weight.assign_add(change)
        spaces.append(tower.embedding_space())
    assert len(set(spaces)) == 4


def test_the_space_of_a_tower_without_weights_is_not_known() -> None:
    tower = tf.Module()
    callable_module = type("Plain", (tf.Module,), {"__call__": lambda self, inputs: inputs})
    assert TrainedTower(callable_module(), USER).embedding_space() == ""
    with pytest.raises(TypeError, match="can't be called"):
        TrainedTower(tower, USER)


@pytest.mark.parametrize(
    ("tower", "says"), [("rows", "A str can't be called"), (lambda inputs: inputs, "variables and lookup tables")]
)
def test_what_is_no_tower_is_refused(tower: object, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        TrainedTower(tower, USER)


def test_columns_that_the_tower_cannot_take_are_refused() -> None:
    with pytest.raises(ValueError, match="empty schema"):
        TrainedTower(Tower(), Schema())
    with pytest.raises(ValueError, match="as_dict=False"):
        TrainedTower(Tower(), BOTH, as_dict=False)


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (lambda inputs, rows: inputs, "int64"),
        (lambda inputs, rows: tf.gather(rows, inputs)[:, 0], "float32"),
        (lambda inputs, rows: tf.gather(rows, inputs)[:, None], r"float32 \(.*, 1, 2\)"),
        (lambda inputs, rows: {"embedding": tf.gather(rows, inputs)}, "dict"),
    ],
)
def test_an_output_that_is_no_vector_a_row_is_refused(output, shown: str) -> None:
    with pytest.raises(ValueError, match=f"one vector of floats a row.*gave {shown}"):
        TrainedTower(Tower(output), USER).width()


@pytest.mark.parametrize(
    ("schema", "given"), [(USER, "the tensor of 'user'"), (BOTH, r"a dict of \['user', 'age'\]")], ids=["one", "two"]
)
def test_columns_that_the_tower_reads_and_its_schema_lacks_are_told_by_those_given(schema: Schema, given: str) -> None:
    tower = TrainedTower(Tower(lambda inputs, rows: tf.gather(rows, inputs["user"] + inputs["shop"])), schema)
    with pytest.raises(
        ValueError, match=rf"can't be called with {given}\. .*schema name the raw columns .*`query_model`"
    ):
        tower.width()


def test_variables_that_an_export_would_lack_are_named() -> None:
    elsewhere = {"rows": tf.Variable([[1.0, 2.0]], name="elsewhere")}
    with pytest.raises(ValueError, match=r"\['elsewhere:0'\].*Assign what holds them"):
        TrainedTower(Tower(lambda inputs, rows: tf.gather(elsewhere["rows"], inputs)), USER).width()


def test_a_keras_tower_without_legacy_keras_is_told_what_to_set_and_where() -> None:
    with pytest.raises(RuntimeError, match="TF_USE_LEGACY_KERAS=1 before TensorFlow is imported.*first lines"):
        TrainedTower(keras.layers.Dense(2), USER)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(ImportError, match=r"tfdual\[tfrs\]"):
        TrainedTower(keras.layers.Dense(2), USER)
