"""The second phase: the scores of the Keras model, by the files alone; and files that don't fit."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.tailoring.vespa.conftest import DIM
from tests.tailoring.vespa.onnx_models import write_pairs
from tests.tailoring.vespa.package_reader import Package
from tfdual.serving import export_onnx
from tfdual.tailoring import DeepReranker, vespa


@pytest.fixture(scope="module")
def model() -> DeepReranker:
    """From the two vectors, their product and difference to a score that no distance gives."""
    model = DeepReranker(hidden=(8,), interactions=True, activation="tanh")
    model({"query_vector": np.zeros((1, DIM)), "vector": np.zeros((1, DIM))})
    return model


@pytest.fixture(scope="module")
def package(model: DeepReranker, items: vespa.VespaItems, tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("reranked")
    reranker = vespa.VespaReranker(export_onnx(model, folder / "model.onnx", output="score"))
    application = vespa.VespaApplication("claims", items, reranker=reranker, candidates=30)
    return Package(application.write(folder / "application"))


def test_the_second_phase_scores_the_documents_as_the_keras_model_does(package: Package, model: DeepReranker) -> None:
    assert package.problems() == []
    query = np.random.default_rng(3).normal(size=DIM).astype(np.float32)
    embeddings = np.stack([document["fields"]["embedding"] for document in package.documents()][:25])
    expected = model.predict({"query_vector": np.tile(query, (25, 1)), "vector": embeddings}, verbose=0)
    found = [package.score("reranked", "second-phase", {"q": query}, item, closeness=0) for item in embeddings]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.std(expected) > 0.1


def test_as_many_are_reranked_as_the_search_finds(package: Package) -> None:
    assert package.phase("reranked", "second-phase").lines["rerank-count"] == "30"
    assert package.phase("reranked", "first-phase").lines["expression"] == "closeness(field, embedding)"
    profile = (package.folder / "search" / "query-profiles" / "reranked.xml").read_text()
    assert "{targetHits: 30}nearestNeighbor(embedding, q)" in profile


@pytest.mark.parametrize("batch", ["batch", 1, None])
@pytest.mark.parametrize("output", [("batch",), ("batch", 1), (1, 1)])
def test_any_batch_that_holds_one_pair_is_taken(tmp_path: Path, batch: int | str | None, output: tuple) -> None:
    path = write_pairs(tmp_path / "model.onnx", (batch, 2), (batch, 2), output, names=("q:0", "d e"))
    items = vespa.VespaItems(["a"], [[2.0, 3.0]])
    application = vespa.VespaApplication("claims", items, reranker=vespa.VespaReranker(path, "q:0", "d e"))
    package = Package(application.write(tmp_path / "application"))
    query = {"q": np.array([5.0, 7.0])}
    assert package.score("reranked", "second-phase", query, np.array([2.0, 3.0]), closeness=0) == 31
    assert (package.folder / "models" / "reranker.onnx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("query", "item", "output", "names"),
    [
        (("b", 3), ("b", 3), ("b", 1), ("query_vector", "vector")),
        (("b", "n"), ("b", 2), ("b", 1), ("query_vector", "vector")),
        ((5, 2), (5, 2), (5, 1), ("query_vector", "vector")),
        (("b", 2), ("b", 2), ("b", 2), ("query_vector", "vector")),
        (("b", 2), ("b", 2), ("b", 1), ("query_vector", "item")),
    ],
)
def test_a_model_of_other_inputs_or_outputs_is_refused(
    tmp_path: Path, query: tuple, item: tuple, output: tuple, names: tuple
) -> None:
    path = write_pairs(tmp_path / "model.onnx", query, item, output, names)
    wanted = r"'query_vector' float\[batch, 2\] and 'vector' float\[batch, 2\].*takes.*gives 'score'"
    with pytest.raises(ValueError, match=wanted):
        vespa.VespaApplication("claims", vespa.VespaItems(["a"], [[1.0, 2.0]]), reranker=vespa.VespaReranker(path))


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    items = vespa.VespaItems(["a"], [[1.0, 2.0]])
    (tmp_path / "text.onnx").write_text("weights")
    (tmp_path / "empty.onnx").touch()
    for name in ("text", "empty"):
        with pytest.raises(ValueError, match="no ONNX file"):
            vespa.VespaApplication("claims", items, reranker=vespa.VespaReranker(tmp_path / f"{name}.onnx"))
    with pytest.raises(FileNotFoundError):
        vespa.VespaApplication("claims", items, reranker=vespa.VespaReranker(tmp_path / "none.onnx"))


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "model.onnx", ("b", 2), ("b", 2), ("b", 1))
    options = {"save_as_external_data": True, "size_threshold": 0}
    onnx.save(onnx.load(path), path, **options)
    with pytest.raises(ValueError, match="other files"):
        vespa.VespaApplication("claims", vespa.VespaItems(["a"], [[1.0, 2.0]]), reranker=vespa.VespaReranker(path))
