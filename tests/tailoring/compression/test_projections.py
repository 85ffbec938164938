"""PCA and random projection, against scikit-learn and by what they promise."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA as OtherPCA
from sklearn.decomposition import TruncatedSVD

from tests.tailoring.compression.frozen import frozen_parts, side_by_side, unit
from tfdual.tailoring.compression import PCA, Projection, RandomProjection

VECTORS = side_by_side(frozen_parts()).astype(np.float32)


def up_to_signs(vectors: np.ndarray, like: np.ndarray) -> np.ndarray:
    return vectors * np.sign((vectors * like).sum(axis=0))


def test_centred_directions_are_those_of_scikit_learn() -> None:
    expected = OtherPCA(6, svd_solver="full").fit(VECTORS.astype(np.float64)).transform(VECTORS)
    found = PCA(6).fit(VECTORS).transform(VECTORS)
    np.testing.assert_allclose(up_to_signs(found, expected), expected, atol=1e-4)


def test_directions_without_the_mean_are_those_of_the_singular_values() -> None:
    expected = TruncatedSVD(6, algorithm="arpack").fit_transform(VECTORS.astype(np.float64))
    found = PCA(6, center=False).fit(VECTORS).transform(VECTORS)
    np.testing.assert_allclose(up_to_signs(found, expected), expected, atol=1e-4)


def test_blocks_give_what_one_matrix_gives_and_are_seen_once() -> None:
    seen = []

    def blocks() -> object:
        for start in range(0, 200, 7):
            seen.append(start)
            yield VECTORS[start : start + 7]

    for projection in (PCA(5), RandomProjection(5, seed=3)):
        seen.clear()
        whole = type(projection)(5, *([3] if isinstance(projection, RandomProjection) else [])).fit(VECTORS)
        found = projection.fit(blocks()).transform(VECTORS)
        np.testing.assert_allclose(found, whole.transform(VECTORS), atol=1e-5)
        assert seen == list(range(0, 200, 7))


def test_memory_of_a_fit_does_not_grow_with_the_rows() -> None:
    code = """
import resource, numpy as np
from tfdual.tailoring.compression import PCA
blocks = lambda n: (np.random.default_rng(i).normal(size=(4096, 64)).astype("float32") for i in range(n))
PCA(8).fit(blocks(2))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
PCA(8).fit(blocks(150))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 50  # MiB; the rows are 150


def test_the_first_numbers_are_the_narrower_projection_at_length_one() -> None:
    wide, narrow = PCA(8).fit(VECTORS), PCA(3).fit(VECTORS)
    np.testing.assert_allclose(wide.transform(VECTORS, 3), narrow.transform(VECTORS), atol=1e-5)
    np.testing.assert_allclose(wide.encode(VECTORS, 3), unit(narrow.transform(VECTORS)), atol=1e-5)


def test_random_directions_keep_distances_in_expectation_and_follow_the_seed() -> None:
    distances = np.linalg.norm(VECTORS[:50] - VECTORS[50:100], axis=1) ** 2
    found = [RandomProjection(30, seed).fit(VECTORS).transform(VECTORS) for seed in range(40)]
    kept = np.mean([np.linalg.norm(rows[:50] - rows[50:100], axis=1) ** 2 for rows in found], axis=0)
    np.testing.assert_allclose(kept / distances, np.ones(50), atol=0.2)
    np.testing.assert_array_equal(RandomProjection(30, 7).fit(VECTORS).transform(VECTORS), found[7])
    assert not np.allclose(found[0], found[1])


@pytest.mark.parametrize(
    "projection", [PCA(5, center=False), PCA(5), RandomProjection(5, 3)], ids=["svd", "pca", "random"]
)
def test_loaded_projection_gives_the_same_vectors(projection: Projection, tmp_path: Path) -> None:
    projection.fit(VECTORS)
    assert projection.save(tmp_path / "held.npz") == tmp_path / "held.npz"
    loaded = Projection.load(tmp_path / "held.npz")
    assert type(loaded) is type(projection)
    np.testing.assert_array_equal(loaded.transform(VECTORS), projection.transform(VECTORS))
    refitted, again = (each.fit(VECTORS[:100]).transform(VECTORS) for each in (loaded, projection))
    np.testing.assert_array_equal(refitted, again)
    assert [path.name for path in tmp_path.iterdir()] == ["held.npz"]


def test_another_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", kernel=np.eye(2))
    with pytest.raises(ValueError, match="holds no projection. Write one"):
        Projection.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        Projection.load(tmp_path / "nothing.npz")


def with_value(row: int, value: float) -> np.ndarray:
    changed = VECTORS.copy()
    changed[row, 2] = value
    return changed


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (with_value(3, np.nan), "Row 3 of the vectors holds NaN or infinity"),
        ([VECTORS, with_value(3, np.inf)], "Row 203 of the vectors holds NaN"),
        ([VECTORS, VECTORS[:, :30]], r"have one width, 8 or more. Received \[30, 40\]"),
        (VECTORS[:, :7], r"one width, 8 or more. Received \[7\]"),
        (VECTORS[0], r"Received float32 \(40,\)"),
        (VECTORS[:5], "8 directions are found in as many vectors or more. Received 5"),
        ([], "at least one vector. Received none"),
        (np.array([["a"]]), "Vectors are numbers"),
    ],
)
def test_vectors_that_it_cannot_be_fitted_to_are_refused(vectors: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PCA(8).fit(vectors)


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="width of at least 1. Received 0"):
        RandomProjection(0)
    with pytest.raises(ValueError, match="PCA has no matrix yet. Call `fit"):
        PCA(2).transform(VECTORS)
    fitted = PCA(2).fit(VECTORS)
    with pytest.raises(ValueError, match=r"are \(rows, 40\). Received the shape \(200, 3\)"):
        fitted.transform(VECTORS[:, :3])
    with pytest.raises(ValueError, match="from 1 to 2. Received 3"):
        fitted.transform(VECTORS, 3)
    with pytest.raises(ValueError, match=r"Received float32 \(40,\)"):
        fitted.transform(VECTORS[0])
    with pytest.raises(ValueError, match="Vectors are numbers"):
        fitted.transform([["a"] * 40])


def test_lists_are_taken_and_rows_of_nan_refused_as_by_fit() -> None:
    fitted = PCA(2).fit(VECTORS)
    np.testing.assert_array_equal(fitted.transform(VECTORS[:3].tolist()), fitted.transform(VECTORS[:3]))
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="Row 3 of the vectors holds NaN or infinity"):
            fitted.transform(with_value(3, value))
        with pytest.raises(ValueError, match="Row 5 of the vectors holds NaN or infinity"):
            fitted.encode(with_value(5, value))
