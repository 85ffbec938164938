from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual import ColumnSchema, InputBlock, Schema, Tags, Tower
from tfdual.blocks import Block, Debug, Filter, MapValues, MLPBlock, ParallelBlock, SequentialBlock
from tfdual.fusion import ConcatFusion, PoolingFusion

INPUTS = tf.constant([[1.0, -2.0], [3.0, 4.0]])


def branches() -> dict[str, keras.layers.Layer]:
    return {"twice": keras.layers.Rescaling(2.0), "minus": keras.layers.Rescaling(-1.0)}


def test_without_fusion_the_output_is_each_branch_by_name() -> None:
    outputs = ParallelBlock(branches())(INPUTS)
    assert set(outputs) == {"twice", "minus"}
    np.testing.assert_allclose(outputs["twice"], [[2, -4], [6, 8]])
    np.testing.assert_allclose(outputs["minus"], [[-1, 2], [-3, -4]])


def test_fusion_takes_the_branches() -> None:
    np.testing.assert_allclose(ParallelBlock(branches(), aggregation=PoolingFusion("sum"))(INPUTS), [[1, -2], [3, 4]])
    concatenated = ParallelBlock(branches(), aggregation=ConcatFusion())(INPUTS)
    np.testing.assert_allclose(concatenated, [[-1, 2, 2, -4], [-3, -4, 6, 8]])


def test_output_shape_is_known_before_the_first_input() -> None:
    deep = {"a": MLPBlock([3]), "b": keras.layers.Dense(4)}
    assert ParallelBlock(deep).compute_output_shape((None, 2)) == {"a": (None, 3), "b": (None, 4)}
    assert ParallelBlock(deep, aggregation=ConcatFusion()).compute_output_shape((None, 2)) == (None, 7)


def test_blocks_nest() -> None:
    inner = ParallelBlock({"a": keras.layers.Dense(3), "b": keras.layers.Dense(2)}, aggregation=ConcatFusion())
    outer = ParallelBlock(
        {"one": SequentialBlock([inner, MLPBlock([6])]), "two": keras.layers.Dense(1)}, aggregation=ConcatFusion()
    )
    assert outer(INPUTS).shape == (2, 7)
    assert len(outer.trainable_weights) == 8


def test_no_branch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least one branch. Received none"):
        ParallelBlock({})


X = tf.constant([[1.0, 2.0], [3.0, -4.0]])
COLUMNS = Schema(
    [
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("price", [Tags.ITEM], dtype="float32"),
    ]
)


def scales(**factors: float) -> dict[str, keras.layers.Layer]:
    return {name: keras.layers.Rescaling(factor) for name, factor in factors.items()}


def test_pre_comes_first_post_on_the_dict_and_aggregation_last() -> None:
    block = ParallelBlock(
        scales(a=1.0, b=-1.0), pre=keras.layers.Rescaling(2.0, 1.0), post="l2-norm", aggregation="concat"
    )
    unit = (X * 2 + 1) / np.linalg.norm(X * 2 + 1, axis=1, keepdims=True)
    np.testing.assert_allclose(block(X), np.concatenate([unit, -unit], axis=1), rtol=1e-5)
    assert block.compute_output_shape((None, 2)) == (None, 4)


def test_branches_in_a_list_are_called_by_their_names() -> None:
    block = ParallelBlock([keras.layers.Dense(2, name="wide"), keras.layers.Dense(3, name="deep")])
    assert {name: tuple(output.shape) for name, output in block(X).items()} == {"wide": (2, 2), "deep": (2, 3)}
    with pytest.raises(ValueError, match=r"Branches need different names. Received \['wide', 'wide'\]"):
        ParallelBlock([keras.layers.Dense(2, name="wide"), keras.layers.Dense(3, name="wide")])


def test_branch_that_gives_a_dict_adds_its_entries() -> None:
    inner = ParallelBlock(scales(x=2.0, y=3.0))
    outer = ParallelBlock({"inner": inner} | scales(z=4.0))
    assert sorted(outer(X)) == ["x", "y", "z"]
    assert outer.compute_output_shape((None, 2)) == {"x": (None, 2), "y": (None, 2), "z": (None, 2)}
    with pytest.raises(ValueError, match=r"Several branches of 'twice' give \['x'\]"):
        ParallelBlock({"inner": inner} | scales(x=4.0), name="twice")(X)


def test_strict_refuses_what_is_no_dict() -> None:
    block = ParallelBlock({"a": keras.layers.Identity()}, strict=True)
    with pytest.raises(TypeError, match=r"strict=True\) takes a dict of tensors. Received .*Tensor"):
        block(X)


def test_order_of_branches_does_not_change_the_result() -> None:
    factors = {"b": 2.0, "a": 3.0, "c": 5.0}
    one, other = (
        ParallelBlock(scales(**dict(order)), aggregation="concat")(X)
        for order in (factors.items(), reversed(factors.items()))
    )
    np.testing.assert_array_equal(one, other)


def test_changes_give_another_block_and_leave_this_one() -> None:
    block = ParallelBlock(scales(a=1.0, b=2.0))
    config = block.get_config()
    changed = (
        block.add_branch("c", keras.layers.Rescaling(5.0))
        .apply_to_branch("a", keras.layers.Rescaling(7.0), keras.layers.Rescaling(1.0, 1.0))
        .set_pre(keras.layers.Rescaling(10.0))
        .set_post(MapValues(keras.layers.Rescaling(100.0)))
    )
    found = changed(X)
    for name, wanted in {"a": (X * 70 + 1) * 100, "b": X * 2000, "c": X * 5000}.items():
        np.testing.assert_allclose(found[name], wanted)
    np.testing.assert_allclose(changed.set_aggregation("sum")(X), sum(found.values()))
    assert block.get_config() == config
    assert sorted(block(X)) == ["a", "b"]


def test_changed_block_shares_the_branches() -> None:
    block = ParallelBlock({"a": keras.layers.Dense(2)})
    block(X)
    more = block.set_aggregation("concat")
    more(X)
    assert more.weights[0] is block.weights[0]


def test_a_body_that_branches_share_is_one_when_loaded(tmp_path: Path) -> None:
    body = MLPBlock([3], activation="tanh")
    reads = {tag: InputBlock(COLUMNS.select_by_tag(tag), aggregation="concat") for tag in (Tags.USER, Tags.ITEM)}
    tower = Tower(ParallelBlock({str(tag): block >> body for tag, block in reads.items()}, aggregation="concat"))
    row = {"age": tf.constant([[1.0]]), "price": tf.constant([[2.0]])}
    before = tower(row)
    tower.save(tmp_path / "tower.keras")
    loaded = keras.saving.load_model(tmp_path / "tower.keras")
    assert len(loaded.weights) == 2
    np.testing.assert_array_equal(loaded(row), before)


def test_taken_and_unknown_branches_are_refused() -> None:
    block = ParallelBlock(scales(a=1.0), name="sides")
    with pytest.raises(ValueError, match="has a branch 'a'. Choose another name"):
        block.add_branch("a", keras.layers.Identity())
    with pytest.raises(ValueError, match=r"'b' is not in ParallelBlock 'sides'. It has \['a'\]"):
        block.apply_to_branch("b", keras.layers.Identity())
    with pytest.raises(ValueError, match=r"'b' is not in ParallelBlock"):
        block.select_by_names(["a", "b"])


def test_branches_are_found_by_name_and_by_tag() -> None:
    user, item = (InputBlock(COLUMNS.select_by_tag(tag)) for tag in (Tags.USER, Tags.ITEM))
    block = ParallelBlock({"user": user, "item": item, "plain": MLPBlock([2])})
    assert block.select_by_name("user") is block["user"] is user
    assert block.select_by_name("nothing") is None
    assert block.select_by_names(["item", "user"]) == [item, user]
    assert block.schema == COLUMNS
    selected = block.select_by_tag(Tags.ITEM)
    assert list(selected.branches) == ["item"]
    assert selected.schema.column_names == ["price"]
    assert block.select_by_tag(Tags.SESSION) is None


def test_several_branches_that_read_columns_are_not_put_on_another_schema() -> None:
    user, item = (InputBlock(COLUMNS.select_by_tag(tag)) for tag in (Tags.USER, Tags.ITEM))
    with pytest.raises(ValueError, match="Several branches of 'sides' read columns: it can't be told which of"):
        ParallelBlock({"user": user, "item": item}, name="sides").set_schema(COLUMNS)
    block = ParallelBlock({"user": user, "plain": keras.layers.Identity()}).set_schema(COLUMNS)
    assert block.schema == COLUMNS


@pytest.mark.parametrize("pre", [Debug(), Filter(["age"])])
def test_branches_read_columns_behind_a_pre_that_hands_them_on(pre: Block) -> None:
    ages = COLUMNS.select_by_name("age")
    block = ParallelBlock({"one": InputBlock(ages)}, pre=pre, aggregation="concat")
    assert block.schema == ages
    other = block.set_schema(COLUMNS.select_by_name("price"))
    assert other.schema.column_names == ["price"]
    np.testing.assert_array_equal(other({"price": tf.constant([3.0])}), [[3]])
