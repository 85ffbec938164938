import functools
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

import tfdual
from tests.tailoring.frozen import (
    ASKED,
    DIM,
    IDS,
    RELEVANT,
    TARGETS,
    VECTORS,
    frozen,
    model_of,
    preprocessor,
    retriever,
)
from tfdual import BruteForce
from tfdual.losses import kl_distillation
from tfdual.serving import export_onnx
from tfdual.tailoring import DeepReranker, reranking_lists

COLUMNS = {"query": "asked", "item": "vector"}


def by_hand(model: DeepReranker, query: np.ndarray, item: np.ndarray) -> float:
    parts = [query, item, query * item, abs(query - item)] if model.interactions else [query, item]
    x = np.concatenate(parts)
    weights = [np.asarray(weight) for weight in model.weights]
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        x = x @ kernel + bias
        x = np.maximum(x, 0) if kernel.shape[1] > 1 else x
    return float(x[0])


@pytest.fixture(scope="module")
def trained() -> DeepReranker:
    keras.utils.set_random_seed(0)
    model = DeepReranker(**COLUMNS, hidden=(64, 32), interactions=True)
    lists = reranking_lists(ASKED, RELEVANT, frozen(), frozen().index(BruteForce()), 40, 20, **COLUMNS)
    model.compile(keras.optimizers.Adam(5e-3))
    model.fit(lists, epochs=60, verbose=0)
    return model


def test_with_residual_it_begins_in_the_order_of_the_vectors() -> None:
    model = DeepReranker(**COLUMNS, residual=True)
    items = np.broadcast_to(VECTORS, (4, *VECTORS.shape))
    np.testing.assert_allclose(model({"asked": ASKED[:4], "vector": items}), 20 * ASKED[:4] @ VECTORS.T, atol=1e-4)
    model.compile(keras.optimizers.Adam(0.01))
    model.fit({"asked": ASKED[:4], "vector": items}, (np.arange(len(IDS)) == TARGETS[:4, None]) * 1.0, verbose=0)
    assert not np.allclose(model({"asked": ASKED[:4], "vector": items}), 20 * ASKED[:4] @ VECTORS.T, atol=0.01)


@pytest.mark.parametrize("interactions", [False, True])
def test_its_score_is_that_of_the_network_pair_by_pair(interactions: bool) -> None:
    model = DeepReranker(**COLUMNS, interactions=interactions)
    items = VECTORS[:15].reshape(5, 3, DIM)
    found = model({"asked": ASKED[:5], "vector": items})
    assert [weight.shape[-1] for weight in model.weights[::2]] == [256, 128, 64, 1]
    wanted = [[by_hand(model, query, item) for item in items[row]] for row, query in enumerate(ASKED[:5])]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    pairs = model({"asked": ASKED[:5], "vector": items[:, 0]})
    np.testing.assert_allclose(pairs, np.array(wanted)[:, 0], atol=1e-5)


def test_served_as_the_second_stage_it_puts_the_right_item_first(trained: DeepReranker, tmp_path: Path) -> None:
    ready = preprocessor()
    served = retriever(ready, model_of(ready), reranker=trained.to_reranker(candidates=len(IDS)))
    found = served.search({"asked": ASKED}, k=1)["id"][:, 0]
    assert np.mean(found == IDS[TARGETS]) > 0.8
    scores = {IDS[place]: by_hand(trained, ASKED[0], VECTORS[place]) for place in range(len(IDS))}
    loaded = tfdual.Retriever.load(served.export(tmp_path)).search({"asked": ASKED[:1]}, k=5)
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:5]
    assert loaded["id"][0].tolist() == best
    np.testing.assert_allclose(loaded["score"][0], [scores[item] for item in best], atol=1e-4)


def test_onnx_runtime_gives_its_scores(trained: DeepReranker, tmp_path: Path) -> None:
    export_onnx(trained, tmp_path / "reranker.onnx", output="score")
    session = onnxruntime.InferenceSession(tmp_path / "reranker.onnx")
    (found,) = session.run(["score"], {"asked": ASKED[:7], "vector": VECTORS[:7]})
    wanted = [by_hand(trained, *pair) for pair in zip(ASKED[:7], VECTORS[:7], strict=True)]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_place_without_a_candidate_changes_no_weight() -> None:
    items, labels = VECTORS[:6].reshape(2, 3, DIM), np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])

    def weights(last: np.ndarray) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        model = DeepReranker(**COLUMNS, hidden=(4,))
        model.compile("adam")
        given = np.concatenate([items[:, :2], np.broadcast_to(last, (2, 1, DIM))], axis=1)
        model.fit({"asked": ASKED[:2], "vector": given}, labels, epochs=2, verbose=0)
        return model.get_weights()

    for first, second in zip(weights(VECTORS[7]), weights(100 * VECTORS[8]), strict=True):
        np.testing.assert_array_equal(first, second)


def test_grades_are_learned_in_their_order() -> None:
    keras.utils.set_random_seed(0)
    grades = np.array([[3.0, 1.0, 0.0, 2.0, -1.0]] * 8)
    model = DeepReranker(**COLUMNS, hidden=(32,), ranking_loss=functools.partial(kl_distillation, temperature=0.5))
    model.compile(keras.optimizers.Adam(0.01))
    inputs = {"asked": ASKED[:8], "vector": np.broadcast_to(VECTORS[:5], (8, 5, DIM))}
    model.fit(inputs, grades, epochs=150, verbose=0)
    order = np.argsort(-np.asarray(model(inputs))[:, :4], axis=1)
    np.testing.assert_array_equal(order, [[0, 3, 1, 2]] * 8)


def test_what_was_saved_scores_the_same(trained: DeepReranker, tmp_path: Path) -> None:
    trained.save(tmp_path / "reranker.keras")
    loaded = keras.saving.load_model(tmp_path / "reranker.keras")
    inputs = {"asked": ASKED[:4], "vector": VECTORS[:4]}
    np.testing.assert_allclose(loaded(inputs), trained(inputs), atol=1e-6)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="two columns"):
        DeepReranker(query="a", item="a")
    with pytest.raises(ValueError, match="at least one hidden layer"):
        DeepReranker(hidden=())
    with pytest.raises(ValueError, match=r"hidden\[1\]"):
        DeepReranker(hidden=(4, 0))
    with pytest.raises(ValueError, match="vectors of one width"):
        DeepReranker(**COLUMNS, interactions=True)({"asked": ASKED[:2], "vector": VECTORS[:2, :3]})
    model = DeepReranker(**COLUMNS)
    model.compile("adam")
    with pytest.raises(ValueError, match="lists of candidates with a label each"):
        model.fit({"asked": ASKED[:2], "vector": VECTORS[:2]}, np.ones(2), verbose=0)
    with pytest.raises(ValueError, match="doesn't know the widths"):
        assert DeepReranker().schema


def test_a_loaded_model_goes_on_with_its_dropout(tmp_path: Path) -> None:
    items = np.broadcast_to(VECTORS, (4, *VECTORS.shape))
    rows = {"asked": ASKED[:4], "vector": items}, (np.arange(len(IDS)) == TARGETS[:4, None]) * 1.0
    model = DeepReranker(**COLUMNS, hidden=(8,), dropout=0.5)
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(*rows, verbose=0)
    model.save(tmp_path / "deep.keras")
    loaded = keras.saving.load_model(tmp_path / "deep.keras")
    for one in (model, loaded):
        one.fit(*rows, verbose=0)
    for found, wanted in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)
