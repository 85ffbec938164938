"""Two hundred items and what is tailored to them."""

import numpy as np
import pytest

from tests.tailoring.vespa.package_reader import Package
from tfdual.tailoring import vespa

ITEMS, DIM = 200, 6


@pytest.fixture(scope="session")
def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ITEMS, DIM)).astype(np.float32)


@pytest.fixture(scope="session")
def matrix() -> np.ndarray:
    """A transform that is far from any rescaling: its diagonal is zeros."""
    matrix = np.random.default_rng(1).normal(size=(DIM, DIM)).astype(np.float32)
    np.fill_diagonal(matrix, 0)
    return matrix


@pytest.fixture(scope="session")
def scale() -> np.ndarray:
    return np.linspace(-1, 2, DIM).astype(np.float32)


@pytest.fixture(scope="session")
def items(vectors: np.ndarray) -> vespa.VespaItems:
    return vespa.VespaItems(
        [f"claim {place}" for place in range(ITEMS)],
        vectors,
        {"year": np.arange(ITEMS, dtype=np.int32), "title": [f"Título {place}" for place in range(ITEMS)]},
    )


@pytest.fixture(scope="session", params=["dot", "cosine", "l2"])
def distance(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def package(
    items: vespa.VespaItems,
    matrix: np.ndarray,
    scale: np.ndarray,
    distance: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Package:
    """With the identity, a matrix and a scale."""
    transforms = {"same": np.eye(DIM), "tailored": matrix, "sum": scale}
    application = vespa.VespaApplication("claims", items, vespa.VespaIndex(distance), transforms)
    return Package(application.write(tmp_path_factory.mktemp(distance) / "application"))
