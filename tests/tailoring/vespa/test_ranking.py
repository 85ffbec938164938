"""The generated expressions, evaluated from the files by NumPy."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.tailoring.vespa.conftest import DIM
from tests.tailoring.vespa.package_reader import Package
from tests.tailoring.vespa.ranking_expression import Named, evaluate
from tfdual.tailoring import LinearTransform, ScaleTransform, vespa
from tfdual.tailoring.query_transform import QueryTransform

QUERY = np.random.default_rng(2).normal(size=DIM).astype(np.float32)


def closeness(query: np.ndarray, item: np.ndarray, metric: str) -> float:
    """As Vespa's reference of distance metrics gives it."""
    query, item = query.astype(np.float64), item.astype(np.float64)
    cosine = query @ item / np.linalg.norm(query) / np.linalg.norm(item)
    return {
        "dotproduct": query @ item,
        "angular": 1 / (1 + np.arccos(np.clip(cosine, -1, 1))),
        "prenormalized-angular": 1 / (1 + 1 - query @ item / (query @ query)),
        "euclidean": 1 / (1 + np.sqrt(((query - item) ** 2).sum())),
    }[metric]


def metric(package: Package) -> str:
    return package.document.named("field")["embedding"].inner("attribute").lines["distance-metric"]


def first_phase(package: Package, profile: str, query: np.ndarray, item: np.ndarray, searched: str = "q") -> float:
    close = closeness(query, item, metric(package))
    return package.score(profile, "first-phase", {searched: query}, item, close)


def test_a_matrix_is_a_product_of_matrix_and_query(package: Package, matrix: np.ndarray, vectors: np.ndarray) -> None:
    by_hand = np.array([sum(float(matrix[i, j]) * float(QUERY[j]) for j in range(DIM)) for i in range(DIM)])
    for item in vectors[:20]:
        expected = closeness(by_hand, item, metric(package))
        np.testing.assert_allclose(first_phase(package, "tailored", QUERY, item), expected, rtol=1e-9)


def test_no_rescaling_of_the_query_gives_the_same_query(package: Package, matrix: np.ndarray) -> None:
    """A query of one number gets others, which a rescaling of its dimensions never does."""

    def feature(name: str, arguments: list[str], output: str | None) -> Named:
        if name == "query":
            return Named(("x",), np.eye(DIM)[2])
        return package.constant("tailored", arguments[0])

    found = evaluate(package.functions("tailored")["transformed_query"], feature)
    assert found.dims == ("x",)
    np.testing.assert_allclose(found.cells, matrix[:, 2], rtol=1e-6)
    assert found.cells[2] == 0
    assert (found.cells[[0, 1, 3, 4, 5]] != 0).all()


def test_the_sum_over_the_new_dimension_alone_would_be_a_rescaling(package: Package) -> None:
    """What must not be written: the sum over `out` leaves each number of the query, times a sum of weights."""

    def feature(name: str, arguments: list[str], output: str | None) -> Named:
        return Named(("x",), np.eye(DIM)[2]) if name == "query" else package.constant("tailored", arguments[0])

    wrong = evaluate("sum(query(q) * constant(transform_tailored), out)", feature)
    assert np.flatnonzero(wrong.cells).tolist() == [2]


def test_a_scale_multiplies_each_number(package: Package, scale: np.ndarray, vectors: np.ndarray) -> None:
    expected = [closeness(scale * QUERY, item, metric(package)) for item in vectors[:20]]
    found = [first_phase(package, "sum", QUERY, item) for item in vectors[:20]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("transform", [LinearTransform(), ScaleTransform(keys=3)])
def test_a_trained_transform_ranks_as_the_layer_does(
    transform: QueryTransform, vectors: np.ndarray, tmp_path: Path
) -> None:
    keys = None if transform.keys is None else np.array([2])
    transform(QUERY[None], keys)
    for place, weight in enumerate(transform.weights):
        weight.assign(np.random.default_rng(place).normal(size=weight.shape))
    matrix = transform.matrix(None if keys is None else 2)
    application = vespa.VespaApplication("claims", vespa.VespaItems([1], vectors[:1]), transforms={"trained": matrix})
    package = Package(application.write(tmp_path / "application"))
    expected = np.asarray(transform(QUERY[None], keys))[0] @ vectors[0]
    np.testing.assert_allclose(first_phase(package, "trained", QUERY, vectors[0]), expected, rtol=1e-4)
    assert abs(expected - QUERY @ vectors[0]) > 0.1


def test_the_identity_scores_as_the_frozen_profile_does(package: Package, vectors: np.ndarray) -> None:
    for item in [*vectors[:20], QUERY]:  # an angle of 0 too, whose cosine rounds to more than 1
        frozen = first_phase(package, "frozen", QUERY, item)
        np.testing.assert_allclose(first_phase(package, "same", QUERY, item), frozen, rtol=1e-6)


def test_a_query_that_was_transformed_before_is_searched_with_and_ranked_by_its_closeness(
    package: Package, matrix: np.ndarray, vectors: np.ndarray
) -> None:
    assert package.inputs("tailored_searched") == {"tailored": {"x": DIM}}
    transformed = matrix @ QUERY
    found = [first_phase(package, "tailored_searched", transformed, item, "tailored") for item in vectors[:20]]
    expected = [closeness(transformed, item, metric(package)) for item in vectors[:20]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_unit_vectors_take_the_cheaper_metric(vectors: np.ndarray, matrix: np.ndarray, tmp_path: Path) -> None:
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    index = vespa.VespaIndex("cosine", unit_length=True)
    items = vespa.VespaItems(np.arange(len(units)), units)
    transforms = {"same": np.eye(DIM), "tailored": matrix}
    package = Package(vespa.VespaApplication("claims", items, index, transforms).write(tmp_path / "application"))
    assert metric(package) == "prenormalized-angular"
    query = QUERY / np.linalg.norm(QUERY)
    transformed = matrix @ query / np.linalg.norm(matrix @ query)
    for item in units[:20]:
        frozen = first_phase(package, "frozen", query, item)
        np.testing.assert_allclose(first_phase(package, "same", query, item), frozen, rtol=1e-6)
        expected = closeness(transformed, item, "prenormalized-angular")
        np.testing.assert_allclose(first_phase(package, "tailored", query, item), expected, rtol=1e-6)


def test_the_constant_has_every_cell_and_the_dimensions_that_are_declared(package: Package, matrix: np.ndarray) -> None:
    sizes, path = package.constants("tailored")["transform_tailored"]
    assert sizes == {"out": DIM, "x": DIM}
    content = json.loads(path.read_text())
    assert content["type"] == f"tensor<float>(out[{DIM}],x[{DIM}])"
    assert [len(row) for row in content["values"]] == [DIM] * DIM
    np.testing.assert_array_equal(np.array(content["values"], np.float32), matrix)  # out is before x: rows are rows


@pytest.mark.parametrize("fault", ["row", "type"])
def test_a_constant_that_lost_a_row_or_has_another_type_is_found(package: Package, fault: str) -> None:
    """The reader of these tests finds what it is meant to find."""
    _, path = package.constants("tailored")["transform_tailored"]
    content = json.loads(path.read_text())
    if fault == "row":
        content["values"].pop()
    else:
        content["type"] = "tensor<float>(w[6],x[6])"
    before = path.read_text()
    path.write_text(json.dumps(content))
    try:
        assert len(package.problems()) == 1
    finally:
        path.write_text(before)
