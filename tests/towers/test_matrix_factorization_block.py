from pathlib import Path

import keras
import numpy as np
import pytest

from tests.sample_columns import ITEMS, SCHEMA, USERS, batch, domain
from tfdual import ColumnSchema, MatrixFactorizationBlock, Schema, Tags, TwoTowerModel


def test_output_is_the_rows_of_the_two_ids() -> None:
    block = MatrixFactorizationBlock(SCHEMA, dim=16)
    outputs = block(batch())
    for side, column, size in (("query", "user_id", USERS), ("item", "item_id", ITEMS)):
        table = block.tables[column].embeddings.numpy()
        assert table.shape == (size, 16)
        np.testing.assert_array_equal(outputs[side], table[batch()[column]])
        assert np.abs(np.linalg.norm(table, axis=1) - 1).min() > 1e-3, "no L2 norm unless asked for"


def test_l2_norm_and_cosine_on_request() -> None:
    unit = MatrixFactorizationBlock(SCHEMA, dim=16, post="l2-norm")(batch())
    for vectors in unit.values():
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    block = MatrixFactorizationBlock(SCHEMA, dim=16, aggregation="cosine")
    scores = block(batch()).numpy()
    query, item = (block.tables[column].embeddings.numpy()[batch()[column]] for column in ("user_id", "item_id"))
    wanted = (query * item).sum(axis=1) / np.linalg.norm(query, axis=1) / np.linalg.norm(item, axis=1)
    np.testing.assert_allclose(scores, wanted[:, None], rtol=1e-5)


def test_initializers_and_regularization_are_those_of_the_options() -> None:
    block = MatrixFactorizationBlock(SCHEMA, dim=4, embeddings_initializers="ones", embeddings_l2_reg=0.5)
    block(batch())
    np.testing.assert_array_equal(block.tables["item_id"].embeddings, np.ones((ITEMS, 4)))
    assert [float(loss) for loss in block.losses] == [2.0, 2.0]


def test_rows_have_the_dtype_of_the_block() -> None:
    block = MatrixFactorizationBlock(SCHEMA, dim=4, dtype="mixed_bfloat16")
    block(batch())
    layers = [block.query, block.item, *(tower.block for tower in (block.query, block.item)), *block.tables.values()]
    assert {layer.compute_dtype for layer in layers} == {"bfloat16"}
    assert {weight.dtype for weight in block.weights} == {"float32"}


def test_it_trains_in_the_model_and_comes_back(tmp_path: Path) -> None:
    model = TwoTowerModel(MatrixFactorizationBlock(SCHEMA, dim=8, post="l2-norm"))
    model.compile(keras.optimizers.SGD(1.0))
    before = model.evaluate(batch(), verbose=0)
    model.fit(batch(), epochs=20, verbose=0)
    assert model.evaluate(batch(), verbose=0) < before
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(batch())["item"], model(batch())["item"])


def test_table_of_ten_thousand_items_is_exported_with_a_row_for_each(tmp_path: Path) -> None:
    schema = Schema(
        [
            ColumnSchema("user_id", [Tags.USER_ID], domain("user_id", 50)),
            ColumnSchema("item_id", [Tags.ITEM_ID], domain("item_id", 10_001)),
        ]
    )
    block = MatrixFactorizationBlock(schema, dim=128)
    block.build()
    table = block.tables["item_id"]
    assert len(table.to_frame()) == 10_001
    table.to_parquet(tmp_path / "items.parquet")
    again = type(table).from_pretrained(tmp_path / "items.parquet")
    np.testing.assert_array_equal(again.embeddings, table.embeddings)


def test_anything_but_one_column_for_an_id_is_refused() -> None:
    two = SCHEMA + Schema([ColumnSchema("other_id", [Tags.ITEM_ID], domain("item_id", ITEMS))])
    with pytest.raises(ValueError, match=r"one column tagged 'item_id'. Received \['item_id', 'other_id'\]"):
        MatrixFactorizationBlock(two, dim=4)
    with pytest.raises(ValueError, match=r"one column tagged 'user_id'. Received \[\]"):
        MatrixFactorizationBlock(SCHEMA.select_by_tag(Tags.ITEM), dim=4)
