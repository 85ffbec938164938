"""The package as a whole: what is refused before anything is written, and that nothing is written by half."""

from pathlib import Path

import numpy as np
import pytest

import tfdual
from tests.tailoring.vespa.package_reader import Package
from tfdual import ColumnSchema, Schema, Tags
from tfdual.serving import embed_items
from tfdual.tailoring import vespa

ITEMS = vespa.VespaItems(["a", "b"], np.eye(2))


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"name": "my-claims"}, ValueError, "my-claims"),
        ({"name": ""}, ValueError, "letters"),
        ({"name": "claims\n"}, ValueError, "letters"),
        ({"name": "Document"}, ValueError, "'Document'"),
        ({"name": "from"}, ValueError, "'from'"),
        ({"namespace": "a:b"}, ValueError, "a:b"),
        ({"namespace": ""}, ValueError, "namespace"),
        ({"candidates": 0}, ValueError, "candidates=0"),
        ({"candidates": 10.5}, TypeError, "whole number of candidates. Received candidates=10.5"),
        ({"candidates": True}, TypeError, "candidates=True"),
        ({"items": np.eye(2)}, TypeError, "VespaItems"),
        ({"transforms": {"reranked": np.eye(2)}}, ValueError, "'reranked'"),
        ({"transforms": {"a-b": np.eye(2)}}, ValueError, "a-b"),
        ({"transforms": {"a": np.eye(2), "a_searched": np.eye(2)}}, ValueError, "'a_searched'"),
        ({"transforms": {"a": np.eye(3)}}, ValueError, r"\(2, 2\).*\(2,\).*\(3, 3\)"),
        ({"transforms": {"a": np.ones((3, 2))}}, ValueError, r"\(3, 2\)"),
        ({"transforms": {"a": [[1.0, np.nan], [0.0, 1.0]]}}, ValueError, "'a' holds NaN"),
        ({"transforms": {"a": [1.0, 1e39]}}, ValueError, "'a' holds"),
        ({"transforms": {"a": [True, False]}}, TypeError, "'a' needs real numbers"),
        ({"query_towers": {"a b": vespa.VespaQueryTower("a.onnx", "vocab.txt")}}, ValueError, "a b"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_door(options: dict, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        vespa.VespaApplication(**{"name": "claims", "items": ITEMS} | options)


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileExistsError, match="mine"):
        vespa.VespaApplication("claims", ITEMS).write(tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_failure_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    items = vespa.VespaItems(
        np.arange(5_000), np.ones((5_000, 2)) * np.where(np.arange(5_000) < 4_999, 1, np.nan)[:, None]
    )
    application = vespa.VespaApplication("claims", items, transforms={"a": np.eye(2)})
    with pytest.raises(ValueError, match="4999 holds NaN"):
        application.write(tmp_path / "new" / "application")
    assert list(tmp_path.iterdir()) == []


def test_a_package_can_be_written_twice_with_equal_files(tmp_path: Path) -> None:
    application = vespa.VespaApplication("claims", ITEMS, transforms={"a": np.eye(2)})
    folders = [application.write(tmp_path / name) for name in ("first", "second")]
    contents = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in folders
    ]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 8
    assert (folders[0] / ".vespaignore").read_text() == "feed.jsonl\n"


def test_embeddings_of_an_item_tower_become_documents_with_their_attributes(tmp_path: Path) -> None:
    schema = Schema(
        [
            ColumnSchema("user", [Tags.USER_ID], dtype="string"),
            ColumnSchema("film", [Tags.ITEM_ID], dtype="string"),
            ColumnSchema("year", [Tags.ITEM], dtype="int32"),
        ]
    )
    films = [f"film {place}" for place in range(30)]
    table = {"user": films, "film": films, "year": np.arange(1990, 2020, dtype=np.int32)}
    rows = tfdual.read(table, schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tfdual.MLPBlock([5])))
    items = rows.select(schema.select_by_name(["film", "year"]))
    embeddings = embed_items(model, items, prep, tmp_path / "embeddings", attributes=["year"])
    package = Package(vespa.VespaApplication("films", embeddings).write(tmp_path / "application"))
    assert package.fields == {"film": "string", "year": "int", "embedding": "tensor<float>(x[5])"}
    documents = list(package.documents())
    assert [document["put"] for document in documents] == [f"id:films:films::{film}" for film in films]
    assert [document["fields"]["year"] for document in documents] == list(range(1990, 2020))
    expected = model.encode_item(prep(next(iter(items.batch(30)))))
    np.testing.assert_allclose([document["fields"]["embedding"] for document in documents], expected, atol=1e-6)
