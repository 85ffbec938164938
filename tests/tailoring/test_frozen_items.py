from pathlib import Path

import numpy as np
import pytest

from tests.tailoring.frozen import IDS, VECTORS, frozen, preprocessor, trained
from tfdual import BruteForce
from tfdual.serving import embed_items
from tfdual.tailoring import FrozenItems


def test_rows_are_ids_and_vectors_as_they_came() -> None:
    table = frozen().rows("doc", "vector").to_arrow()
    assert table["doc"].to_pylist() == IDS.tolist()
    np.testing.assert_array_equal(np.stack(table["vector"].to_numpy()), VECTORS)


def test_integer_ids_stay_integers() -> None:
    items = FrozenItems(np.array([7, 2**60]), np.eye(2))
    assert items.rows().to_arrow()["item_id"].to_pylist() == [7, 2**60]


def test_an_index_holds_the_vectors_and_their_space() -> None:
    index = frozen().index(BruteForce())
    assert index.space == "frozen"
    found = index.search(VECTORS[:5], k=1).ids.numpy()[:, 0]
    assert [item.decode() for item in found] == IDS[:5].tolist()


def test_without_a_name_the_space_is_that_of_ids_and_vectors() -> None:
    space = FrozenItems(IDS, VECTORS).space
    changed = VECTORS.copy()
    changed[3, 1] += 1e-6
    assert space == FrozenItems(IDS, VECTORS.copy()).space
    assert len({space, FrozenItems(IDS, changed).space, FrozenItems(IDS[::-1], VECTORS).space}) == 3


def test_embeddings_that_were_written_are_read_with_their_space(tmp_path: Path) -> None:
    ready = preprocessor()
    model = trained(ready, epochs=1)
    embed_items(model, frozen().rows("doc"), ready, tmp_path / "embeddings")
    found = FrozenItems.read(tmp_path / "embeddings")
    assert (found.space, len(found), found.dim) == ("frozen", len(IDS), VECTORS.shape[1])
    np.testing.assert_allclose(found.vectors, VECTORS, atol=1e-6)


@pytest.mark.parametrize(
    ("ids", "vectors", "complaint"),
    [
        (["a", "a"], np.eye(2), r"stand twice: \[b'a'\]"),
        (["a"], np.eye(2), "2 embeddings and 1 ids"),
        (["a", "b"], [[1.0, np.nan], [0.0, 1.0]], "item 0 holds NaN"),
        (["a", ""], np.eye(2), "marks a place without an item"),
        ([], np.empty((0, 2)), "shape"),
        (["a"], [1.0], "shape"),
    ],
)
def test_bad_items_are_refused(ids: list, vectors: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        FrozenItems(ids, vectors)
