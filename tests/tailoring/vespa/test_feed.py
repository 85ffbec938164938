"""The documents: every item once, exactly, or an error that names it."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.tailoring.vespa.package_reader import Package
from tfdual.tailoring import vespa


def written(folder: Path, items: vespa.VespaItems, index: vespa.VespaIndex | None = None, **options) -> Package:
    return Package(vespa.VespaApplication("claims", items, index, **options).write(folder / "application"))


def test_every_item_is_a_document_with_its_exact_embedding(package: Package, vectors: np.ndarray) -> None:
    documents = list(package.documents())
    assert [document["put"] for document in documents] == [
        f"id:claims:claims::claim {place}" for place in range(len(vectors))
    ]
    for place, document in enumerate(documents):
        embedding = document["fields"].pop("embedding")
        np.testing.assert_array_equal(embedding, vectors[place])
        assert document["fields"] == {"id": f"claim {place}", "year": place, "title": f"Título {place}"}
    assert {tuple(document) for document in documents} == {("put", "fields")}


def test_ids_and_text_of_any_characters_come_back(tmp_path: Path) -> None:
    ids = ["a:b::c", 'quote " and \\', "tab\tline\nend", "\u2028 \u20ac \U0001f600", "/?#%20&", "x"]
    items = vespa.VespaItems(ids, np.eye(6), {"again": ids})
    documents = list(written(tmp_path, items, namespace="other").documents())
    assert [document["put"] for document in documents] == [f"id:other:claims::{item}" for item in ids]
    assert [document["fields"]["again"] for document in documents] == ids
    assert (tmp_path / "application" / "feed.jsonl").read_bytes().isascii()


def test_integer_ids_stay_exact(tmp_path: Path) -> None:
    ids = [2**53, 2**53 + 1, 0]
    documents = list(written(tmp_path, vespa.VespaItems(ids, np.eye(3))).documents())
    assert [document["put"] for document in documents] == [f"id:claims:claims::{item}" for item in ids]
    assert [document["fields"]["id"] for document in documents] == ids


def test_what_an_item_lacks_is_left_out_of_its_document(tmp_path: Path) -> None:
    attributes = {"price": [1.5, np.nan], "title": [None, ""], "count": [0, -1], "seen": [False, True]}
    documents = list(written(tmp_path, vespa.VespaItems([3, 4], np.eye(2), attributes)).documents())
    for document in documents:
        del document["fields"]["embedding"]
    assert [document["fields"] for document in documents] == [
        {"id": 3, "price": 1.5, "count": 0, "seen": False},
        {"id": 4, "title": "", "count": -1, "seen": True},
    ]


class Blocks:
    """Embeddings that are read once, block by block; how many are held at a time is counted."""

    dim = 3

    def __init__(self, blocks: list[np.ndarray]) -> None:
        self.rows, self.read = blocks, 0

    def blocks(self) -> Iterator[np.ndarray]:
        for block in self.rows:
            self.read += 1
            yield block


def test_embeddings_are_read_block_by_block(tmp_path: Path) -> None:
    rows = np.arange(30, dtype=np.float32).reshape(10, 3)
    blocks = Blocks([rows[:4], rows[4:4], rows[4:9], rows[9:]])
    documents = list(written(tmp_path, vespa.VespaItems(np.arange(10), blocks)).documents())
    np.testing.assert_array_equal([document["fields"]["embedding"] for document in documents], rows)
    assert blocks.read == 4


@pytest.mark.parametrize("count", [9, 11])
def test_more_or_fewer_embeddings_than_ids_are_refused(tmp_path: Path, count: int) -> None:
    items = vespa.VespaItems(np.arange(10), Blocks([np.ones((1, 3))] * count))
    with pytest.raises(ValueError, match="one embedding for each id"):
        written(tmp_path, items)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "index", "complaint"),
    [
        (np.nan, None, "'bad'.*NaN"),
        (np.inf, None, "'bad'.*infinity"),
        (1e39, None, "float32"),
        (0.0, vespa.VespaIndex("cosine"), "'bad'.*length 0"),
        (0.5, vespa.VespaIndex("cosine", unit_length=True), "'bad'.*length 0.5"),
    ],
)
def test_an_embedding_that_the_search_can_not_take_is_refused(
    tmp_path: Path, value: float, index: vespa.VespaIndex | None, complaint: str
) -> None:
    items = vespa.VespaItems(["good", "bad"], np.array([[1.0, 0.0], [0.0, value]]))
    with pytest.raises(ValueError, match=complaint):
        written(tmp_path, items, index)
    assert list(tmp_path.iterdir()) == []


def test_a_block_of_another_width_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\(items, 3\)"):
        written(tmp_path, vespa.VespaItems(np.arange(2), Blocks([np.ones((2, 4))])))


@pytest.mark.parametrize(
    ("ids", "attributes", "complaint"),
    [
        (["a", "\x00"], {}, "U\\+0000"),
        (["a", "\ufdd0"], {}, "U\\+FDD0"),
        (["a", "\U0001ffff"], {}, "U\\+1FFFF"),
        (["a", b"\xff"], {}, "UTF-8"),
        (["a", "x" * 70_000], {}, "65536 characters"),
        (["a", "b"], {"title": ["fine", "\x07"]}, "'title' of the item 'b'.*U\\+0007"),
        (["a", "b"], {"price": [1.0, np.inf]}, "'price' of the item 'b' is infinite"),
    ],
)
def test_what_vespa_refuses_is_refused_here(tmp_path: Path, ids: list, attributes: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        written(tmp_path, vespa.VespaItems(ids, np.eye(2), attributes))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("ids", "vectors", "attributes", "error", "complaint"),
    [
        ([], np.ones((0, 2)), {}, ValueError, "no item"),
        (["a", "b", "a"], np.eye(3), {}, ValueError, "several times.*'a'"),
        ([5, 6, 5], np.eye(3), {}, ValueError, "several times.*5"),
        ([1.5], [[1.0]], {}, TypeError, "int64 or strings"),
        ([1], [1.0], {}, ValueError, "items, dim"),
        ([1, 2], [[1.0]], {}, ValueError, "items, dim"),
        ([1], [["x"]], {}, TypeError, "real numbers"),
        ([1], [[1.0]], {"embedding": [1]}, ValueError, "'embedding'"),
        ([1], [[1.0]], {"Index": [1]}, ValueError, "'Index'"),
        ([1], [[1.0]], {"two words": [1]}, ValueError, "two words"),
        ([1], [[1.0]], {"1st": [1]}, ValueError, "1st"),
        ([1], [[1.0]], {"größe": [1]}, ValueError, "größe"),
        ([1], [[1.0]], {"id": [1]}, ValueError, "field of the id"),
        ([1], [[1.0]], {"year": [1, 2]}, ValueError, "one value an item"),
        ([1], [[1.0]], {"when": np.array(["2020"], "datetime64[D]")}, TypeError, "'when'"),
    ],
)
def test_items_that_do_not_fit_are_refused(
    ids: list, vectors: object, attributes: dict, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        vespa.VespaItems(ids, vectors, attributes)


def test_a_line_is_plain_json(package: Package) -> None:
    lines = (package.folder / "feed.jsonl").read_bytes().splitlines()
    assert all(json.loads(line)["fields"]["embedding"].keys() == {"values"} for line in lines)
