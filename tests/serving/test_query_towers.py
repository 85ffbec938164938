"""Query towers trained against one item tower, served over one index; and what must not be joined."""

from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest

import tfdual
from tfdual import ColumnSchema, Retriever, Schema, Tags
from tfdual.index import Index
from tfdual.models.retriever_of import query_tower_of

ITEM = [ColumnSchema("item", [Tags.ITEM_ID]), ColumnSchema("price", [Tags.ITEM], dtype="float32")]
FIRST = Schema([ColumnSchema("user", [Tags.USER_ID], dtype="string"), *ITEM])
SECOND = Schema([ColumnSchema("age", [Tags.USER], dtype="float32"), *ITEM])
ROWS = pa.table(
    {
        "user": [f"u{i % 7}" for i in range(30)],
        "age": np.linspace(18, 80, 30).astype(np.float32),
        "item": np.arange(30),
        "price": np.linspace(0, 9, 30).astype(np.float32),
    }
)


def model_of(schema: Schema, prep: tfdual.Preprocessor, item: tfdual.Tower | None = None) -> tfdual.TwoTowerModel:
    """A two-tower; with an item tower of another model where that is given."""
    block = tfdual.MLPBlock([6], no_activation_last_layer=True)
    towers = tfdual.TwoTowerBlock(prep.schema, block, item, post="l2-norm")
    model = tfdual.TwoTowerModel(towers)
    model.build()
    return model


@pytest.fixture(scope="module")
def first() -> tuple[tfdual.TwoTowerModel, tfdual.Preprocessor]:
    keras.utils.set_random_seed(1)
    prep = tfdual.Preprocessor(FIRST).adapt(tfdual.read(ROWS, FIRST))
    return model_of(FIRST, prep), prep


@pytest.fixture(scope="module")
def second(first: tuple) -> tuple[tfdual.TwoTowerModel, tfdual.Preprocessor]:
    """Another query side, of other columns, and the first one's item weights."""
    keras.utils.set_random_seed(2)
    prep = tfdual.Preprocessor(SECOND).adapt(tfdual.read(ROWS, SECOND))
    model = model_of(SECOND, prep)
    for mine, theirs in zip(model.towers.item.variables, first[0].towers.item.variables, strict=True):
        mine.assign(theirs)
    return model, prep


@pytest.fixture(scope="module")
def retriever(first: tuple) -> Retriever:
    model, prep = first
    return model.to_retriever(tfdual.read(ROWS, FIRST).select(Schema(ITEM)), preprocessor=prep)


def test_a_second_tower_is_chosen_by_name_here_and_in_the_artefact(
    retriever: Retriever, second: tuple, tmp_path: Path
) -> None:
    model, prep = second
    joined = retriever.with_query_tower("b", model.to_query_tower(prep))
    joined.export(tmp_path / "model")
    (batch,) = tfdual.read(ROWS, SECOND).batch(30)
    ready = prep(batch)
    scores = model.encode_query(ready).numpy()[:3] @ model.encode_item(ready).numpy().T
    loaded = Retriever.load(tmp_path / "model")
    assert set(loaded.saved_model.signatures) >= {"serving_default", "serving_b", "serving_examples_b", "score_b"}
    ages = {"age": ROWS["age"].to_pylist()[:3]}
    for one in (joined, loaded):
        np.testing.assert_allclose(one.search(ages, k=30, tower="b")["score"], -np.sort(-scores), atol=1e-5)
        first_found = one.search({"user": ["u1"]}, k=4)
        assert first_found["id"].tolist() == retriever.search({"user": ["u1"]}, k=4)["id"].tolist()
    assert "b" not in retriever.query_schemas


def test_a_saved_model_keeps_its_space(first: tuple, tmp_path: Path) -> None:
    model, prep = first
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.embedding_space(prep) == model.embedding_space(prep)


def test_towers_with_the_same_weights_and_another_last_step_have_another_space(first: tuple) -> None:
    model, prep = first
    block = tfdual.MLPBlock([6], no_activation_last_layer=True)
    spaces = {}
    for post in ("l2-norm", None):
        other = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, block.copy(), post=post))
        other.build()
        other.set_weights(model.get_weights())
        spaces[post] = other.embedding_space(prep)
    assert spaces["l2-norm"] == model.embedding_space(prep) != spaces[None]


def test_a_space_is_that_of_item_weights_and_item_preprocessing_alone(first: tuple, second: tuple) -> None:
    model, prep = first
    space = model.embedding_space(prep)
    assert len(space) == 16
    assert second[0].embedding_space(second[1]) == space
    other_rows = tfdual.Preprocessor(FIRST).adapt(tfdual.read(ROWS.slice(0, 20), FIRST))
    assert model.embedding_space(other_rows) != space
    weight = model.towers.item.trainable_variables[-1]
    before = weight.numpy()
    weight.assign(before + 1e-3)
    assert model.embedding_space(prep) != space
    weight.assign(before)
    query = model.towers.query.trainable_variables[-1]
    query.assign(query + 1.0)
    assert model.embedding_space(prep) == space
    query.assign(query - 1.0)


def test_the_space_is_stamped_on_index_and_artefact(first: tuple, retriever: Retriever, tmp_path: Path) -> None:
    model, prep = first
    space = model.embedding_space(prep)
    assert retriever.description["embedding_space"] == space
    loaded = Retriever.load(retriever.export(tmp_path / "model"))
    assert loaded.description["embedding_space"] == space
    items = tfdual.read(ROWS, FIRST).select(Schema(ITEM))
    index = tfdual.BruteForce()
    model.to_retriever(items, index, prep)
    index.save(tmp_path / "index")
    again = Index.load(tmp_path / "index")
    assert again.space == space
    found = model.to_retriever(items, again, prep).search({"user": ["u1"]})
    assert found["id"].tolist() == retriever.search({"user": ["u1"]})["id"].tolist()


def test_what_lies_in_another_space_is_not_joined(first: tuple, retriever: Retriever) -> None:
    model, prep = first
    keras.utils.set_random_seed(3)
    other = model_of(FIRST, prep)
    with pytest.raises(ValueError, match="of the space .*, the index's of"):
        retriever.with_query_tower("b", other.to_query_tower(prep))
    items = tfdual.read(ROWS, FIRST).select(Schema(ITEM))
    index = tfdual.BruteForce()
    model.to_retriever(items, index, prep)
    with pytest.raises(ValueError, match="of the space"):
        other.to_retriever(items, index, prep)
    with pytest.raises(ValueError, match="others than the 20 given"):
        model.to_retriever(tfdual.read(ROWS.slice(0, 20), FIRST).select(Schema(ITEM)), index, prep)


def trainable(prep: tfdual.Preprocessor) -> tuple[tfdual.TwoTowerModel, tfdual.Rows]:
    """A model of a test's own, to change, and its items."""
    keras.utils.set_random_seed(4)
    model = model_of(FIRST, prep)
    model.compile(keras.optimizers.Adam(0.01))
    return model, tfdual.read(ROWS, FIRST).select(Schema(ITEM))


def test_after_more_training_of_the_item_side_a_retriever_is_neither_changed_nor_published(
    first: tuple, tmp_path: Path
) -> None:
    prep = first[1]
    model, items = trainable(prep)
    retriever, tower = model.to_retriever(items, preprocessor=prep), model.to_query_tower(prep)
    model.fit(tfdual.read(ROWS, FIRST).batch(10).map(prep), verbose=0)
    message = rf"of the space {retriever.description['embedding_space']}, and the model's of .*`to_retriever` again"
    for change in (
        lambda: retriever.export(tmp_path / "model"),
        lambda: retriever.upsert({"item": [99], "price": [1.0]}),
        lambda: retriever.with_query_tower("b", tower),
    ):
        with pytest.raises(ValueError, match=message):
            change()
    assert not (tmp_path / "model").exists()
    assert sorted(retriever.item_ids().tolist()) == list(range(30))
    model.to_retriever(items, preprocessor=prep).export(tmp_path / "model")
    (batch,) = tfdual.read(ROWS, FIRST).batch(30)
    scores = model.encode_query(prep(batch)).numpy()[:1] @ model.encode_item(prep(batch)).numpy().T
    found = Retriever.load(tmp_path / "model").search({"user": ["u0"]}, k=30)
    np.testing.assert_allclose(found["score"], -np.sort(-scores), atol=1e-5)


def test_a_query_side_that_was_trained_alone_is_exported_as_it_is_now(first: tuple, tmp_path: Path) -> None:
    prep = first[1]
    model, items = trainable(prep)
    retriever = model.to_retriever(items, preprocessor=prep)
    before = retriever.embed_query({"user": ["u1"]})
    model.towers.item.trainable = False
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(tfdual.read(ROWS, FIRST).batch(10).map(prep), verbose=0)
    retriever.upsert({"item": [99], "price": [1.0]})
    loaded = Retriever.load(retriever.export(tmp_path / "model"))
    (batch,) = tfdual.read(ROWS.slice(1, 1), FIRST).batch(1)
    now = model.encode_query(prep(batch)).numpy()
    assert np.abs(now - before).max() > 1e-3
    np.testing.assert_allclose(loaded.embed_query({"user": ["u1"]}), now, atol=1e-6)
    assert 99 in loaded.item_ids()


def test_the_seeds_of_dropout_are_not_part_of_the_space(first: tuple) -> None:
    prep = first[1]
    towers = tfdual.TwoTowerBlock(prep.schema, tfdual.MLPBlock([6, 6], dropout=0.5), post="l2-norm")
    model = tfdual.TwoTowerModel(towers)
    model.build()
    space = model.embedding_space(prep)
    seeds = [variable.numpy().tolist() for variable in model.towers.item.variables if "seed" in variable.name]
    (batch,) = tfdual.read(ROWS, FIRST).batch(30)
    model.encode_item(prep(batch), training=True)
    assert seeds != [v.numpy().tolist() for v in model.towers.item.variables if "seed" in v.name]
    assert model.embedding_space(prep) == space


@pytest.mark.parametrize(("column", "known", "given"), [("item", 31, 33), ("user", 8, 9)])
@pytest.mark.parametrize("kind", [tfdual.TwoTowerModel, tfdual.MatrixFactorizationModel])
def test_a_model_from_before_the_vocabulary_grew_is_not_joined_with_it(
    kind: type, column: str, known: int, given: int, first: tuple
) -> None:
    prep = tfdual.Preprocessor(FIRST).adapt(tfdual.read(ROWS, FIRST))
    model = model_of(FIRST, prep) if kind is tfdual.TwoTowerModel else kind(prep.schema, dim=4)
    new = {"item": {"user": ["u1"] * 2, "item": [30, 31]}, "user": {"user": ["u7"] * 2, "item": [1, 2]}}[column]
    prep.adapt(tfdual.read(new | {"price": [1.0, 2.0]}, FIRST))
    items = tfdual.read(ROWS, FIRST).select(Schema(ITEM))
    message = (
        f"made for {known} ids of the column '{column}', and the preprocessor gives {given}: .*preprocessor.schema"
    )
    for join in (lambda: model.to_retriever(items, preprocessor=prep), lambda: model.to_query_tower(prep)):
        with pytest.raises(ValueError, match=message):
            join()
    grown = kind(prep.schema, dim=4) if kind is tfdual.MatrixFactorizationModel else model_of(FIRST, prep)
    fewer = tfdual.Preprocessor(FIRST).adapt(tfdual.read(ROWS.slice(0, 20), FIRST))
    for fitting in (prep, fewer):
        found = grown.to_retriever(items, preprocessor=fitting).search({"user": ["u1"]}, k=30)
        assert sorted(found["id"][0].tolist()) == list(range(30))


@pytest.mark.parametrize("name", ["default", "examples", "examples_b", "two words", ""])
def test_a_tower_needs_a_name_of_its_own(name: str, first: tuple, retriever: Retriever) -> None:
    with pytest.raises(ValueError, match="needs a name of its own"):
        retriever.with_query_tower(name, query_tower_of(*first))


def test_a_change_by_the_retriever_of_another_tower_is_told_and_exported(first: tuple, tmp_path: Path) -> None:
    model, prep = first
    one = model.to_retriever(tfdual.read(ROWS, FIRST).select(Schema(ITEM)), preprocessor=prep)
    other = one.with_query_tower("b", query_tower_of(*first))
    other.delete([7])
    assert one.changes == other.changes == 1
    assert (one.description["index"]["items"], one.description["index"]["deleted"]) == (29, 1)
    assert Retriever.load(one.export(tmp_path / "model")).description["index"] == one.description["index"]
