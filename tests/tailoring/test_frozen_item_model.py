from pathlib import Path

import keras
import numpy as np
import pytest

import tfdual
from tests.models.fresh_process import answers
from tests.tailoring.frozen import (
    ASKED,
    ASKED_COLUMN,
    DIM,
    IDS,
    QUERIES,
    TARGETS,
    VECTORS,
    frozen,
    model_of,
    pairs,
    preprocessor,
    retriever,
    trained,
)
from tfdual import BruteForce, ColumnSchema, InputBlock, Preprocessor, Schema, Tags
from tfdual.negatives import InBatch, MinedNegatives
from tfdual.preprocessing import Vocabulary
from tfdual.tailoring import FrozenItemModel, FrozenItems, LinearTransform, ScaleTransform, TransformedQuery


@pytest.fixture(scope="module")
def ready() -> Preprocessor:
    return preprocessor()


@pytest.fixture(scope="module")
def tuned(ready: Preprocessor) -> FrozenItemModel:
    return trained(ready, LinearTransform())


def first_is_right(found: dict[str, np.ndarray]) -> float:
    return float(np.mean(found["id"][:, 0] == IDS[TARGETS]))


def test_an_untrained_transform_finds_what_the_frozen_vectors_find(ready: Preprocessor) -> None:
    found = retriever(ready, model_of(ready, LinearTransform())).search({"asked": ASKED}, k=5)
    nearest = np.argsort(-ASKED @ VECTORS.T, axis=1)[:, :5]
    np.testing.assert_array_equal(found["id"], IDS[nearest])


def test_a_tuned_query_tower_finds_its_items_in_the_index_as_it_was(
    ready: Preprocessor, tuned: FrozenItemModel
) -> None:
    before = retriever(ready, model_of(ready))
    both = before.with_query_tower("tuned", tuned.to_query_tower(ready))
    assert first_is_right(both.search({"asked": ASKED}, k=1)) < 0.1
    assert first_is_right(both.search({"asked": ASKED}, k=1, tower="tuned")) > 0.9
    assert both.description["index"] == before.description["index"]


def test_no_weight_and_no_gradient_belongs_to_the_items(tuned: FrozenItemModel) -> None:
    assert tuned.item_side.variables == []
    assert sum(np.prod(weight.shape) for weight in tuned.trainable_weights) == DIM**2


def test_several_towers_stand_in_one_artefact_by_name(
    ready: Preprocessor, tuned: FrozenItemModel, tmp_path: Path
) -> None:
    other = trained(ready, ScaleTransform(), epochs=1)
    served = retriever(ready, model_of(ready), item_tower=False)
    served = served.with_query_tower("tuned", tuned.to_query_tower(ready))
    served = served.with_query_tower("other", other.to_query_tower(ready))
    loaded = tfdual.Retriever.load(served.export(tmp_path))
    for tower in ("default", "tuned", "other"):
        wanted = served.search({"asked": ASKED[:20]}, k=3, tower=tower)
        found = loaded.search({"asked": ASKED[:20]}, k=3, tower=tower)
        np.testing.assert_array_equal(found["id"], wanted["id"])
    assert loaded.search({"asked": ASKED[:20]}, k=1, tower="tuned")["id"][:, 0].tolist() == IDS[TARGETS[:20]].tolist()


def test_a_fresh_process_serves_a_tuned_tower(ready: Preprocessor, tuned: FrozenItemModel, tmp_path: Path) -> None:
    served = retriever(ready, tuned)
    wanted = served.search({"asked": ASKED[:4]}, k=3)
    served.export(tmp_path)
    assert answers(tmp_path, {"asked": ASKED[:4].tolist()}, 3)["id"] == wanted["id"].tolist()


def test_mined_negatives_are_vectors_that_are_read() -> None:
    index = frozen().index(BruteForce())
    ready = Preprocessor(pairs().schema, {"doc": Vocabulary.of(IDS)}).adapt(pairs())
    items = frozen().rows("doc")
    catalogue = items.batch(64).map(Preprocessor(items.schema, {"doc": Vocabulary.of(IDS)}).adapt(items))
    mined = MinedNegatives(4, ranks=(0, 20), seed=0).adapt(catalogue, index.search_positions, "doc")
    model = trained(ready, LinearTransform(), negatives=InBatch() + mined, epochs=15)
    found = retriever(ready, model).search({"asked": ASKED}, k=1)
    assert first_is_right(found) > 0.9


def test_weights_of_a_segment_answer_for_it_alone() -> None:
    """Two segments whose queries are rotated in opposite directions: no one map fits both."""
    segment = np.where(np.arange(QUERIES) % 2, "left", "right")
    turned = np.where((segment == "left")[:, None], ASKED, -ASKED)
    segments = ColumnSchema("segment", [Tags.USER, Tags.CATEGORICAL], dtype="string")
    schema = Schema([ASKED_COLUMN, segments, ColumnSchema("doc", [Tags.ITEM_ID], dtype="string")])
    rows = tfdual.read({"asked": turned.tolist(), "segment": segment, "doc": IDS[TARGETS]}, schema)
    rows = tfdual.data.join(rows, frozen().rows("doc"), on="doc")
    ready = Preprocessor(rows.schema).adapt(rows)
    key = ready.schema["segment"]
    keras.utils.set_random_seed(0)
    features = InputBlock(ready.schema.select_by_name("asked"), aggregation="concat")
    tower = TransformedQuery(features, LinearTransform(keys=key.cardinality), key)
    model = FrozenItemModel(ready.schema, tower, space="frozen")
    model.compile(tfdual.LazyAdam(0.03))
    model.fit(rows.batch(32, shuffle=True, seed=0).map(ready), epochs=40, verbose=0)
    found = retriever(ready, model).search({"asked": turned, "segment": segment}, k=1)
    assert first_is_right(found) > 0.9
    swapped = np.where(segment == "left", "right", "left")
    found = retriever(ready, model).search({"asked": turned, "segment": swapped}, k=1)
    assert first_is_right(found) < 0.3


def test_a_tuned_tower_scores_again_what_the_frozen_one_found(ready: Preprocessor, tuned: FrozenItemModel) -> None:
    served = retriever(ready, model_of(ready), reranker=tuned.to_reranker(candidates=len(IDS)))
    found = served.search({"asked": ASKED}, k=3)
    whole = retriever(ready, tuned).search({"asked": ASKED}, k=3)
    np.testing.assert_array_equal(found["id"], whole["id"])
    np.testing.assert_allclose(found["score"], whole["score"], atol=1e-5)


def test_a_new_item_comes_by_its_vector(ready: Preprocessor, tuned: FrozenItemModel) -> None:
    served = retriever(ready, tuned)
    wanted = np.asarray(tuned.encode_query({"asked": ASKED[:1]}))
    served.upsert({"doc": ["new"], "vector": wanted.tolist()})
    assert served.search({"asked": ASKED[:1]}, k=1)["id"].tolist() == [["new"]]


def test_a_model_that_was_saved_trains_on(ready: Preprocessor, tuned: FrozenItemModel, tmp_path: Path) -> None:
    tuned.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.encode_query({"asked": ASKED}), tuned.encode_query({"asked": ASKED}), atol=1e-6)
    assert loaded.embedding_space(ready) == "frozen"
    loaded.fit(pairs().batch(32).map(ready), epochs=1, verbose=0)


def test_an_index_of_another_space_is_refused(ready: Preprocessor, tuned: FrozenItemModel) -> None:
    index = FrozenItems(IDS, VECTORS, space="of another encoder").index(BruteForce())
    with pytest.raises(ValueError, match="of the space frozen, the index's of of another encoder"):
        tuned.to_retriever(frozen().rows("doc"), index, ready)


def test_a_tower_of_another_width_is_refused_before_training(ready: Preprocessor) -> None:
    model = model_of(ready, keras.layers.Dense(3))
    model.compile(tfdual.LazyAdam())
    with pytest.raises(ValueError, match="width 3, and the item vectors 'vector' have 8"):
        model.fit(pairs().batch(32).map(ready), verbose=0)


def test_a_schema_without_item_vectors_is_refused() -> None:
    schema = Schema([ASKED_COLUMN, ColumnSchema("doc", [Tags.ITEM_ID])])
    with pytest.raises(ValueError, match=r"one column of vectors tagged ITEM. The schema has \[\]"):
        FrozenItemModel(schema, InputBlock(Schema([ASKED_COLUMN]), aggregation="concat"), space="frozen")


def test_a_query_tower_that_reads_the_items_vector_is_refused(ready: Preprocessor) -> None:
    with pytest.raises(ValueError, match="The query tower reads .*'vector'"):
        FrozenItemModel(ready.schema, InputBlock(ready.schema.select_by_name("vector"), aggregation="concat"), "frozen")


def test_a_key_that_is_no_id_is_refused() -> None:
    features = InputBlock(Schema([ASKED_COLUMN]), aggregation="concat")
    text = ColumnSchema("segment", [Tags.USER], dtype="string")
    with pytest.raises(ValueError, match="'segment' is one id a query"):
        TransformedQuery(features, LinearTransform(keys=3), text)
    key = ColumnSchema("segment", [Tags.CATEGORICAL], {"domain": {"min": 0, "max": 4}})
    with pytest.raises(ValueError, match="has 5 ids, the transform weights for 3. Pass keys=5"):
        TransformedQuery(features, LinearTransform(keys=3), key)
    with pytest.raises(ValueError, match="reads the key 'asked' itself"):
        TransformedQuery(features, LinearTransform(keys=3), ASKED_COLUMN)
    with pytest.raises(ValueError, match="a block that reads columns"):
        TransformedQuery(LinearTransform(), LinearTransform(keys=5), key)
