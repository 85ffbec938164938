"""The door: each mistake is named before any work starts."""

import numpy as np
import pytest

from tests.tailoring.compression.frozen import frozen_parts
from tfdual.tailoring.compression.parts import checked_ids, checked_parts, checked_width

PARTS = frozen_parts(10)


def with_row(name: str, row: int, value: float) -> dict[str, np.ndarray]:
    changed = {part: vectors.copy() for part, vectors in PARTS.items()}
    changed[name][row] = value
    return changed


def test_good_parts_come_as_float32_in_the_order_of_their_names() -> None:
    found = checked_parts({name: part.astype("float64").tolist() for name, part in PARTS.items()})
    assert list(found) == ["body", "title"]
    assert {part.dtype.name for part in found.values()} == {"float32"}
    np.testing.assert_array_equal(found["title"], PARTS["title"])


@pytest.mark.parametrize(
    ("vectors", "error", "message"),
    [
        (PARTS["body"], TypeError, "mapping of part name.* Received a ndarray"),
        ({}, ValueError, "at least one part. Received an empty mapping"),
        ({"a": [[1.0, 2.0], [1.0]]}, ValueError, r"one width. In the part 'a' of the vectors they have \[1, 2\]"),
        ({"a": [["x", "y"]]}, TypeError, "rows of numbers of one width. Received <U1 in the part 'a'"),
        ({"a": np.ones(3)}, ValueError, r"at least one row. Received \(3,\) in the part 'a'"),
        ({"a": np.ones((0, 3))}, ValueError, r"at least one row. Received \(0, 3\) in the part 'a'"),
        (PARTS | {"title": PARTS["title"][:9]}, ValueError, "have parts of {'body': 10, 'title': 9} rows"),
        (with_row("title", 4, np.nan), ValueError, "Row 4 of the part 'title' of the vectors holds NaN or infinity"),
        (with_row("body", 0, np.inf), ValueError, "Row 0 of the part 'body' of the vectors holds NaN or infinity"),
        (with_row("body", 7, 0.0), ValueError, "Row 7 of the part 'body' of the vectors is all zeros"),
        (with_row("body", 7, 1e-39), ValueError, "Row 7 of the part 'body' of .* is all zeros, or below 1e-38"),
    ],
)
def test_bad_parts_are_refused(vectors: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        checked_parts(vectors)


@pytest.mark.parametrize(
    "vectors", [{"body": PARTS["body"]}, PARTS | {"title": PARTS["title"][:, :9]}], ids=["lacks", "width"]
)
def test_other_parts_than_wanted_are_refused(vectors: dict) -> None:
    with pytest.raises(ValueError, match="queries have parts of the widths {'body': 24, 'title': 16}. Received"):
        checked_parts(vectors, {"body": 24, "title": 16}, "queries")


def test_ids_are_one_a_row_and_all_different() -> None:
    assert checked_ids(["a", "b"], 2).tolist() == [b"a", b"b"]
    with pytest.raises(ValueError, match="Received 3 rows of vectors and 2 ids"):
        checked_ids(["a", "b"], 3)
    with pytest.raises(ValueError, match="'b' stands twice"):
        checked_ids(["a", "b", "b"], 3)


def test_a_width_is_one_of_the_nested_ones() -> None:
    assert (checked_width(None, (8, 16)), checked_width(8, (8, 16))) == (16, 8)
    with pytest.raises(ValueError, match=r"cut to the widths \[8, 16\]. Received 12"):
        checked_width(12, (8, 16))
