from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual import (
    ColumnSchema,
    DualEncoderBlock,
    EmbeddingOptions,
    InputBlock,
    L2Norm,
    MLPBlock,
    Schema,
    Tags,
    Tower,
    TwoTowerModel,
)
from tfdual.features import EmbeddingTable

USER, ITEM = SCHEMA.select_by_tag(Tags.USER), SCHEMA.select_by_tag(Tags.ITEM)


def reads(schema: Schema, width: int = 4) -> InputBlock:
    return InputBlock(schema, OPTIONS, aggregation="concat") >> MLPBlock([width], activation="tanh")


def encoders(**kwargs) -> DualEncoderBlock:
    return DualEncoderBlock(reads(USER), reads(ITEM), **kwargs)


def test_each_block_is_a_tower_on_its_own_columns() -> None:
    query, item = reads(USER), reads(ITEM)
    block = DualEncoderBlock(query, item)
    outputs = block(batch())
    np.testing.assert_array_equal(outputs["query"], query(batch()))
    np.testing.assert_array_equal(outputs["item"], item(batch()))
    assert isinstance(block.query_block(), Tower)
    assert block.query_block().schema == USER
    assert block.item_block().schema == ITEM
    assert block.schema == USER + ITEM
    assert block.select_by_name("query") is block.query_block()
    assert block.select_by_name("other") is None


def test_towers_are_taken_as_they_are() -> None:
    query = Tower(reads(USER), post="l2-norm")
    block = DualEncoderBlock(query, reads(ITEM))
    assert block.query_block() is query
    lengths = {side: np.linalg.norm(vectors, axis=1) for side, vectors in block(batch()).items()}
    np.testing.assert_allclose(lengths["query"], 1, rtol=1e-5)
    assert np.abs(lengths["item"] - 1).max() > 1e-3
    further = DualEncoderBlock(query, reads(ITEM), post=keras.layers.Rescaling(3.0))
    np.testing.assert_allclose(further(batch())["query"], block(batch())["query"] * 3, rtol=1e-5)


def test_pre_comes_before_both_and_aggregation_after_both() -> None:
    plain = encoders()
    found = plain(batch())
    left, right = found["query"].numpy(), found["item"].numpy()
    cosine = (left * right).sum(axis=1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    scored = plain.set_aggregation("cosine")
    np.testing.assert_allclose(scored(batch())[:, 0], cosine, rtol=1e-5)
    assert scored.compute_output_shape({}) == (None, 1)
    older = keras.layers.Lambda(lambda inputs: inputs | {"age": inputs["age"] + 1}, output_shape=lambda shape: shape)
    np.testing.assert_allclose(
        plain.set_pre(older)(batch())["query"], plain(batch() | {"age": batch()["age"] + 1})["query"], rtol=1e-5
    )


def test_changes_share_the_weights_and_leave_the_block() -> None:
    block = encoders()
    before = block(batch())
    config = block.get_config()
    unit = block.set_post("l2-norm")
    np.testing.assert_allclose(unit(batch())["item"], L2Norm()(before["item"]), rtol=1e-5)
    scaled = block.apply_to_branch("item", keras.layers.Rescaling(2.0))
    np.testing.assert_allclose(scaled(batch())["item"], before["item"] * 2, rtol=1e-5)
    np.testing.assert_array_equal(scaled(batch())["query"], before["query"])
    assert len({id(weight) for each in (block, unit, scaled) for weight in each.weights}) == len(block.weights)
    assert block.get_config() == config
    np.testing.assert_array_equal(block(batch())["item"], before["item"])
    with pytest.raises(ValueError, match="The branches are 'query' and 'item'. Received 'user'"):
        block.apply_to_branch("user", keras.layers.Rescaling(2.0))


def test_a_table_given_to_both_sides_is_used_by_both() -> None:
    table = EmbeddingTable(30, 4)
    sides = [
        InputBlock(schema, OPTIONS, tables={"item_id": table}, aggregation="concat") >> MLPBlock([4])
        for schema in (USER, ITEM)
    ]
    block = DualEncoderBlock(*sides)
    block(batch())
    assert block.query_block().tables["item_id"] is block.item_block().tables["item_id"] is table


def test_a_table_with_values_of_its_own_is_not_lost_by_sharing() -> None:
    table = EmbeddingTable(30, 4)
    table.build()
    item = InputBlock(ITEM, OPTIONS, tables={"item_id": table}, aggregation="concat") >> MLPBlock([4])
    with pytest.raises(ValueError, match="The table of the domain 'item_id' has values of its own.*same table object"):
        DualEncoderBlock(reads(USER), item)


def test_each_side_keeps_its_combiner_where_a_table_is_shared(tmp_path: Path) -> None:
    list_of_items = Schema([ColumnSchema("similar", [Tags.ITEM], SCHEMA["likes"].properties, is_list=True)])
    sides = [
        InputBlock(schema, EmbeddingOptions(embedding_dim_default=4, combiner=combiner), aggregation="concat")
        for schema, combiner in ((SCHEMA.select_by_name("likes"), "mean"), (list_of_items, "sum"))
    ]
    model = TwoTowerModel(DualEncoderBlock(*sides), item_id="item_id", sampling_correction=False)
    ids = tf.ragged.constant([[1, 2]], dtype=tf.int64)
    found = model({"likes": ids, "similar": ids})
    np.testing.assert_allclose(found["item"], found["query"] * 2, rtol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")({"likes": ids, "similar": ids})
    np.testing.assert_allclose(loaded["item"], loaded["query"] * 2, rtol=1e-6)


def test_a_body_that_both_towers_share_is_one_when_loaded(tmp_path: Path) -> None:
    body = MLPBlock([4], activation="tanh")
    sides = [
        InputBlock(SCHEMA.select_by_name([name]), OPTIONS, aggregation="concat") for name in ("user_id", "item_id")
    ]
    model = TwoTowerModel(DualEncoderBlock(*(side >> body for side in sides)), sampling_correction=False)
    before = model(batch())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(loaded.trainable_weights) == len(model.trainable_weights) == 4  # two tables, a kernel and a bias
    for side, vectors in loaded(batch()).items():
        np.testing.assert_array_equal(vectors, before[side])


def test_tables_of_one_domain_that_differ_are_refused() -> None:
    other = InputBlock(ITEM, EmbeddingOptions({"genre": 3}, 4, embeddings_l2_reg=0.1), aggregation="concat")
    with pytest.raises(ValueError, match=r"'item_id' has a table here and another.* differ in \['l2'\]"):
        DualEncoderBlock(reads(USER), other >> MLPBlock([4]))


def test_item_ids_and_their_padding_are_found_in_the_inputs() -> None:
    block, ids = encoders(), tf.constant([3, 0, 5])
    np.testing.assert_array_equal(block.get_item_ids_from_inputs({"item_id": ids}), ids)
    np.testing.assert_array_equal(block.get_padding_mask_from_item_id({"item_id": ids}), [True, False, True])
    np.testing.assert_array_equal(block.get_padding_mask_from_item_id({"item_id": ids}, 5), [True, True, False])
    with pytest.raises(
        ValueError, match=r"one column tagged ITEM_ID among the inputs \['age'\]. There is \['item_id'\]"
    ):
        block.get_item_ids_from_inputs({"age": ids})


def test_a_block_that_reads_no_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a block that reads columns"):
        DualEncoderBlock(MLPBlock([4]), reads(ITEM))


def test_any_two_blocks_train_in_the_model_and_come_back(tmp_path: Path) -> None:
    model = TwoTowerModel(DualEncoderBlock(reads(USER, 3), reads(ITEM, 3), post="l2-norm", schema=SCHEMA))
    model.compile(keras.optimizers.SGD(0.5))
    before = model.evaluate(batch(), verbose=0)
    model.fit(batch(), epochs=20, verbose=0)
    assert model.evaluate(batch(), verbose=0) < before
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(batch())["query"], model(batch())["query"])
    assert loaded.towers.item_block().tables["item_id"] is loaded.towers.query_block().tables["item_id"]


def test_frozen_side_does_not_move_in_training_and_stays_frozen_when_loaded(tmp_path: Path) -> None:
    model = TwoTowerModel(DualEncoderBlock(reads(USER), reads(ITEM), schema=SCHEMA))
    model(batch())
    model.towers.item_block().trainable = False
    model.compile(keras.optimizers.SGD(0.5))
    before = [weight.numpy() for weight in model.towers.item_block().weights]
    others = [weight for weight in model.towers.weights if weight.trainable]
    old = [weight.numpy() for weight in others]
    model.fit(batch(), epochs=3, verbose=0)
    for weight, values in zip(model.towers.item_block().weights, before, strict=True):
        np.testing.assert_array_equal(weight, values)
    assert all(np.abs(weight.numpy() - values).max() > 0 for weight, values in zip(others, old, strict=True))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.towers.item_block().trainable_weights == []
    assert len(loaded.trainable_weights) == len(model.trainable_weights)


def test_column_of_another_type_passes_both_towers_by() -> None:
    inputs = batch() | {"note": tf.constant(["x"] * 6)}
    np.testing.assert_array_equal(encoders().query_block()(inputs).shape, (6, 4))
    assert ColumnSchema("note", dtype="string").name not in encoders().schema
