"""What every block can do, and that no method changes the block that it is called on."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual import Block, ColumnSchema, InputBlock, L2Norm, MLPBlock, ParallelBlock, Schema, SequentialBlock, Tags
from tfdual.blocks import AsTabular, Debug, Filter, ResidualBlock

X = tf.constant([[1.0, 2.0], [3.0, -4.0]])
COLUMNS = Schema(
    [
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("price", [Tags.ITEM, Tags.CONTINUOUS], dtype="float32"),
        ColumnSchema("size", [Tags.ITEM, Tags.CONTINUOUS], dtype="float32"),
    ]
)


def scale(factor: float) -> Block:
    return Block.from_layer(keras.layers.Rescaling(factor))


def shift(offset: float) -> Block:
    return Block.from_layer(keras.layers.Rescaling(1.0, offset))


def test_connect_applies_the_layers_in_order() -> None:
    np.testing.assert_allclose(scale(2.0).connect(shift(1.0), scale(10.0))(X), (X * 2 + 1) * 10)
    np.testing.assert_allclose((scale(2.0) >> shift(1.0) >> "l2-norm")(X), L2Norm()(X * 2 + 1))
    assert scale(2.0).connect(shift(1.0), block_name="body").name == "body"


def test_connect_shares_what_it_joins() -> None:
    first, second = MLPBlock([3]), MLPBlock([2])
    joined = first.connect(second)
    joined(X)
    assert {id(weight) for weight in joined.weights} == {id(weight) for weight in (*first.weights, *second.weights)}


def test_names_of_columns_before_a_block_choose_its_inputs() -> None:
    block = ["a"] >> Block.from_layer(keras.layers.Lambda(lambda inputs: sorted(inputs)))
    assert isinstance(block.layers[0], Filter)
    summed = ["a", "c"] >> ParallelBlock([keras.layers.Identity(name="same")], aggregation="element-wise-sum")
    inputs = {name: X * factor for name, factor in {"a": 1, "b": 10, "c": 100}.items()}
    np.testing.assert_allclose(summed(inputs), X * 101)


def test_residual_adds_the_input() -> None:
    np.testing.assert_allclose(scale(2.0).connect_with_residual(scale(3.0))(X), X * 2 + X * 6)
    np.testing.assert_allclose(scale(1.0).connect_with_residual(scale(3.0), activation="relu")(X), np.maximum(X * 4, 0))


def test_shortcut_keeps_the_input_beside_the_output() -> None:
    both = scale(2.0).connect_with_shortcut(scale(3.0), block_outputs_name="deep")(X)
    np.testing.assert_allclose(both["deep"], X * 6)
    np.testing.assert_allclose(both["shortcut"], X * 2)
    joined = scale(2.0).connect_with_shortcut(scale(3.0), shortcut_filter=scale(5.0), aggregation="element-wise-sum")
    np.testing.assert_allclose(joined(X), X * 6 + X * 10)


def test_branches_take_what_they_filter_and_the_rest_is_added_on_request() -> None:
    inputs = {name: X * factor for name, factor in {"a": 1.0, "b": 10.0, "c": 100.0}.items()}
    branch = SequentialBlock([Filter(["b"]), ParallelBlock([keras.layers.Identity(name="same")])])
    start = Block.from_layer(keras.layers.Identity())
    assert sorted(start.connect_branch(branch)(inputs)) == ["b"]
    whole = start.connect_branch(branch, add_rest=True)(inputs)
    assert sorted(whole) == ["a", "b", "c"]
    np.testing.assert_allclose(start.connect_branch(branch, add_rest=True, aggregation="sum")(inputs), X * 111)


def test_rest_of_a_branch_that_takes_everything_is_refused() -> None:
    with pytest.raises(ValueError, match=r"takes every input, so there is no rest to add. Begin it with a Filter"):
        scale(1.0).connect_branch(scale(2.0), add_rest=True)


def test_two_branches_of_one_name_are_refused() -> None:
    start, same = scale(1.0), {"name": "same"}
    with pytest.raises(ValueError, match=r"different names. Received \['same', 'same'\]"):
        start.connect_branch(MLPBlock([2], **same), MLPBlock([3], **same))
    with pytest.raises(ValueError, match=r"different names. Received \['rest', 'rest'\]"):
        start.connect_branch(Filter(["a"], name="rest"), add_rest=True)
    for of_one_name in (MLPBlock([2], name="shortcut"), MLPBlock([2], name="deep")):
        with pytest.raises(ValueError, match=r"different names. Received \['shortcut', 'shortcut'\]"):
            start.connect_with_shortcut(of_one_name, block_outputs_name="shortcut")
    with pytest.raises(ValueError, match=r"different names. Received \['shortcut', 'shortcut'\]"):
        start.repeat_in_parallel(names=["shortcut"], residual=True)
    with pytest.raises(ValueError, match=r"different names. Received \['a', 'a'\]"):
        start.repeat_in_parallel(names=["a", "a"])


def test_columns_are_read_behind_what_hands_them_on() -> None:
    ages = COLUMNS.select_by_name("age")
    read = InputBlock(ages, aggregation="concat") >> scale(2.0)
    for block in (read.connect_debug_block(append=False), ages >> read, SequentialBlock([Debug(), Filter(ages), read])):
        assert block.is_input
        assert block.schema == ages
        both = block.set_schema(COLUMNS.select_by_tag(Tags.ITEM))
        assert both.schema.column_names == ["price", "size"]
        found = both({"price": tf.constant([1.0]), "size": tf.constant([3.0]), "other": tf.constant([5.0])})
        np.testing.assert_array_equal(found, [[2, 6]])
        assert block.schema == ages
    assert not SequentialBlock([Debug(), scale(2.0)]).is_input
    assert not SequentialBlock([Debug()]).is_input


def test_prepare_puts_all_that_it_is_given_before_the_block() -> None:
    inputs = {"a": X, "b": X * 2}
    block = MLPBlock([2], activation=None, use_bias=False).prepare(
        block=Filter(["a", "b"]), post="l2-norm", aggregation="concat"
    )
    out = block(inputs)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    np.testing.assert_allclose(out, np.concatenate([unit, unit], axis=1) @ block.layers[-1].weights[0], rtol=1e-5)
    with pytest.raises(ValueError, match="needs a block, a post or an aggregation"):
        scale(1.0).prepare()


@pytest.mark.parametrize("num", [1, 2, 5])
def test_repeat_makes_exactly_so_many_layers_with_weights_of_their_own(num: int) -> None:
    block = MLPBlock([2])
    repeated = block.repeat(num)
    repeated(X)
    assert len(repeated.layers) == num
    assert repeated.layers[0] is block
    assert len({id(weight) for weight in repeated.weights}) == 2 * num


def test_repeat_less_than_once_is_refused() -> None:
    with pytest.raises(ValueError, match="at least once. Received num=0"):
        MLPBlock([2]).repeat(0)


def test_repeat_in_parallel_names_its_branches() -> None:
    block = MLPBlock([2])
    assert sorted(block.repeat_in_parallel(2)(X)) == ["0", "1"]
    assert sorted(block.repeat_in_parallel(2, prefix="head")(X)) == ["head0", "head1"]
    assert sorted(block.repeat_in_parallel(names=["a", "b", "c"], residual=True)(X)) == ["a", "b", "c", "shortcut"]
    assert block.repeat_in_parallel(3, aggregation="concat")(X).shape == (2, 6)
    own, same = block.repeat_in_parallel(2), block.repeat_in_parallel(2, copies=False)
    own(X)
    same(X)
    assert [len(each.weights) for each in (own, same)] == [4, 2]


def test_apply_to_all_uses_the_same_weights_for_each_value() -> None:
    inputs, block = {"a": X, "b": X * 2, "c": X}, MLPBlock([3], activation=None)
    found = block.apply_to_all(inputs)
    kernel, bias = block.get_weights()
    for name, value in inputs.items():
        np.testing.assert_allclose(found[name], value @ kernel + bias, rtol=1e-5)
    assert sorted(block.apply_to_all(inputs, ["b"])) == ["b"]


def test_as_tabular_names_the_output() -> None:
    np.testing.assert_allclose(scale(2.0).as_tabular("score")(X)["score"], X * 2)
    assert list(MLPBlock([2], name="deep").as_tabular()(X)) == ["deep"]
    assert isinstance(scale(2.0).as_tabular("score").layers[-1], AsTabular)


def test_debug_block_prints_shapes_and_values_also_from_a_graph(capfd: pytest.CaptureFixture) -> None:
    for append, values in ((True, "-8 1 6"), (False, "-4 0.5 3")):
        np.testing.assert_allclose(tf.function(scale(2.0).connect_debug_block(append))(X), X * 2)
        assert f"shape [2 2] float32 {values}\n" in capfd.readouterr().err


def test_parse_takes_layers_names_and_lists() -> None:
    layer = keras.layers.Dense(2)
    assert Block.parse(layer) is layer
    assert isinstance(Block.parse("l2-norm"), L2Norm)
    np.testing.assert_allclose(Block.parse(scale(2.0), [shift(1.0), "l2-norm"])(X), L2Norm()(X * 2 + 1))
    with pytest.raises(ValueError, match=r"No block is called 'l9-norm'. Known names are \["):
        Block.parse("l9-norm")
    with pytest.raises(TypeError, match="Wanted a Keras layer, a name or a list of them. Received 3"):
        Block.parse(3)


def test_from_layer_wraps_a_keras_layer_and_shares_it() -> None:
    layer, block = keras.layers.Dense(2), MLPBlock([2])
    assert Block.from_layer(layer).layers == [layer]
    assert Block.from_layer(block) is block


def test_copy_has_weights_of_its_own() -> None:
    block = SequentialBlock([MLPBlock([3], activation="tanh"), ResidualBlock(MLPBlock([3]))])
    before = block(X)
    fresh, same = block.copy(), block.copy(weights=True)
    assert not fresh.built, "the copy may be built for another width"
    assert fresh(tf.ones((2, 7))).shape == (2, 3)
    np.testing.assert_allclose(same(X), before, rtol=1e-6)
    for weight in same.weights:
        weight.assign(weight * 2)
    np.testing.assert_array_equal(block(X), before)


def test_weights_that_are_not_there_are_not_copied() -> None:
    with pytest.raises(ValueError, match="has no weights yet. Call or build it first"):
        MLPBlock([3]).copy(weights=True)


def test_weights_that_stand_in_several_places_are_not_copied() -> None:
    block = MLPBlock([3]).repeat_in_parallel(2, copies=False)
    block(X)
    with pytest.raises(ValueError, match="A layer stands in several places of the block 'parallel_block"):
        block.copy(weights=True)


def test_selection_finds_layers_by_name_and_columns_by_tag() -> None:
    block = InputBlock(COLUMNS, name="columns").connect(MLPBlock([2], name="deep"))
    assert block.select_by_name("deep") is block.layers[1]
    assert block.select_by_name(block.name) is block
    assert block.select_by_name("nothing") is None
    assert InputBlock(COLUMNS).select_by_tag(Tags.ITEM).schema.column_names == ["price", "size"]
    assert InputBlock(COLUMNS).select_by_tag(Tags.SESSION) is None
    assert MLPBlock([2]).select_by_tag(Tags.ITEM) is None


def test_from_schema_takes_the_columns_of_the_tags() -> None:
    assert InputBlock.from_schema(COLUMNS, Tags.ITEM).schema.column_names == ["price", "size"]
    assert InputBlock.from_schema(COLUMNS).schema == COLUMNS
    assert Filter.from_schema(COLUMNS, Tags.USER).columns == ["age"]
    with pytest.raises(ValueError, match=r"No column is tagged .*session.*The schema's tags are"):
        InputBlock.from_schema(COLUMNS, Tags.SESSION)


def test_from_features_takes_named_entries_and_fuses_them() -> None:
    block = Block.from_features(["c", "a"], pre="l2-norm", aggregation="concat")
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    found = block({"a": X, "b": X, "c": -X})
    np.testing.assert_allclose(found, np.concatenate([unit, -unit], axis=1), rtol=1e-5)


def test_set_schema_gives_a_copy_on_other_columns() -> None:
    block = InputBlock(COLUMNS.select_by_tag(Tags.USER), aggregation="concat") >> MLPBlock([2])
    other = block.set_schema(COLUMNS.select_by_tag(Tags.ITEM))
    inputs = {name: tf.ones(3) for name in COLUMNS.column_names}
    assert (block(inputs).shape, other(inputs).shape) == ((3, 2), (3, 2))
    assert [block.schema.column_names, other.schema.column_names] == [["age"], ["price", "size"]]
    assert [each.layers[1].weights[0].shape[0] for each in (block, other)] == [1, 2]


METHODS: dict[str, Callable[[Block], object]] = {
    "connect": lambda block: block.connect("l2-norm", MLPBlock([3])),
    "connect_with_residual": lambda block: block.connect_with_residual(MLPBlock([2])),
    "connect_with_shortcut": lambda block: block.connect_with_shortcut(MLPBlock([2])),
    "connect_branch": lambda block: block.connect_branch(MLPBlock([2]), MLPBlock([3])),
    "connect_debug_block": lambda block: block.connect_debug_block(),
    "prepare": lambda block: block.prepare(MLPBlock([2])),
    "repeat": lambda block: block.repeat(3),
    "repeat_in_parallel": lambda block: block.repeat_in_parallel(3),
    "as_tabular": lambda block: block.as_tabular("x"),
    "copy": lambda block: block.copy(),
    "set_schema": lambda block: block.set_schema(COLUMNS),
    ">>": lambda block: block >> "l2-norm",
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [lambda: MLPBlock([2]), lambda: SequentialBlock([MLPBlock([2]), "l2-norm"])])
def test_no_method_changes_the_block_that_it_is_called_on(method: str, make: Callable[[], Block]) -> None:
    block = make()
    before, config = block(X), block.get_config()
    changed = METHODS[method](block)
    assert changed is not block
    assert block.get_config() == config
    np.testing.assert_array_equal(block(X), before)
