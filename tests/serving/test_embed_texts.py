"""Each text is encoded once, whatever becomes of the corpus around it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

import tfdual
from tests.features.text.tiny_model import write_model
from tfdual import ColumnSchema, Schema
from tfdual.features import TextEncoder
from tfdual.serving import embed_texts
from tfdual.serving.part_writer import PartWriter

SCHEMA = Schema([ColumnSchema("id"), ColumnSchema("title", dtype="string"), ColumnSchema("body", dtype="string")])
WORDS = ["tea", "milk", "green", "teas", "a", "b"]
TEXTS = [(one, f"{other} and {one}") for one in WORDS for other in WORDS]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    return TextEncoder.from_directory(write_model(tmp_path_factory.mktemp("tiny")))


def corpus(texts: list[tuple[str, str]], ids: list[int] | None = None) -> tfdual.Rows:
    titles, bodies = zip(*texts, strict=True)
    return tfdual.read(pa.table({"id": ids or range(len(texts)), "title": titles, "body": bodies}), SCHEMA)


def embed(encoder: TextEncoder, rows: tfdual.Rows, folder: Path, **options):
    return embed_texts(encoder, rows, "id", ["title", "body"], folder, shard_rows=7, **options)


def check(encoder: TextEncoder, done, texts: list[tuple[str, str]], ids: list[int] | None = None) -> None:
    """That the folder holds the ids and the vectors of the texts, in their order."""
    wanted = encoder(tf.constant([" ".join(text) for text in texts]))
    np.testing.assert_allclose(np.concatenate(list(done.embeddings.blocks())), wanted, atol=1e-5)
    np.testing.assert_array_equal(done.embeddings.ids, ids or range(len(texts)))


def test_vectors_are_those_of_the_texts_and_equal_texts_are_encoded_once(encoder: TextEncoder, tmp_path: Path) -> None:
    texts = [*TEXTS, *TEXTS[:20], TEXTS[0]]
    done = embed(encoder, corpus(texts), tmp_path / "out")
    assert (done.rows, done.distinct, done.known, done.encoded) == (57, 36, 0, 36)
    check(encoder, done, texts)
    table = pq.read_table(sorted((tmp_path / "out").glob("*.parquet"))[0])
    assert table.column_names == ["id", "title", "body", "embedding"]


def test_rows_that_moved_are_not_encoded_again_and_new_ones_are(encoder: TextEncoder, tmp_path: Path) -> None:
    embed(encoder, corpus(TEXTS), tmp_path / "first")
    texts = [("tea", "tea tea"), *TEXTS[:3:-1], ("milk", "tea tea"), *TEXTS[:2]]
    ids = list(range(500, 500 + len(texts)))
    done = embed(encoder, corpus(texts, ids), tmp_path / "second", reuse=[tmp_path / "first"])
    assert (done.rows, done.distinct, done.known, done.encoded) == (36, 36, 34, 2)
    check(encoder, done, texts, ids)


def test_columns_that_join_to_one_text_are_not_taken_for_each_other(encoder: TextEncoder, tmp_path: Path) -> None:
    done = embed(encoder, corpus([("tea milk", "a"), ("tea", "milk a")]), tmp_path / "out")
    assert done.distinct == 2


def test_an_interrupted_run_goes_on_after_its_whole_parts(
    encoder: TextEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = embed(encoder, corpus(TEXTS), tmp_path / "whole")
    done = 0
    original = PartWriter.finish

    def finish(writer):
        nonlocal done
        if done == 3:
            raise OSError("the lights went out")
        done += 1
        return original(writer)

    monkeypatch.setattr(PartWriter, "finish", finish)
    with pytest.raises(OSError, match="lights went out"):
        embed(encoder, corpus(TEXTS), tmp_path / "out")
    monkeypatch.undo()
    elsewhere = embed(encoder, corpus(TEXTS), tmp_path / "elsewhere", reuse=[tmp_path / "out"])
    assert (elsewhere.known, elsewhere.encoded) == (21, 15)
    resumed = embed(encoder, corpus(TEXTS), tmp_path / "out")
    assert resumed.encoded == 15
    for found in (elsewhere, resumed):
        np.testing.assert_array_equal(*[np.concatenate(list(one.embeddings.blocks())) for one in (found, whole)])
    assert embed(encoder, corpus(TEXTS), tmp_path / "out").encoded == 0


def test_vectors_of_another_model_are_refused(encoder: TextEncoder, tmp_path: Path) -> None:
    embed(encoder, corpus(TEXTS), tmp_path / "first")
    other = TextEncoder.from_config(encoder.get_config() | {"pooling": "max"})
    with pytest.raises(ValueError, match="embeddings of another model"):
        embed(other, corpus(TEXTS), tmp_path / "second", reuse=[tmp_path / "first"])
    with pytest.raises(ValueError, match=r"columns \['title', 'body'\], and these are of \['title'\]"):
        embed_texts(encoder, corpus(TEXTS), "id", ["title"], tmp_path / "second", [tmp_path / "first"])
    with pytest.raises(ValueError, match=r"\['title', 'body'\], and these are of \['body', 'title'\]; their order"):
        embed_texts(encoder, corpus(TEXTS), "id", ["body", "title"], tmp_path / "second", [tmp_path / "first"])
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        embed(encoder, corpus(TEXTS), tmp_path / "second", reuse=[tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("id", "columns", "message"),
    [
        ("key", ["title"], r"lacks the columns \['key'\]"),
        ("id", ["name"], r"lacks the columns \['name'\]"),
        ("id", [], "Name one column"),
        ("id", ["title", "title"], "none twice"),
        ("title", ["title"], "not the id's"),
        ("title", ["id"], r"\['id'\] are others"),
        ("price", ["title"], "Ids are integers or strings, one a row. The column 'price' holds float32"),
        ("tags", ["title"], "The column 'tags' holds lists of string"),
    ],
)
def test_bad_columns_are_refused(
    encoder: TextEncoder, tmp_path: Path, id: str, columns: list[str], message: str
) -> None:
    others = [ColumnSchema("price", dtype="float32"), ColumnSchema("tags", dtype="string", is_list=True)]
    table = corpus(TEXTS).to_arrow().append_column("price", [np.ones(36, "f4")]).append_column("tags", [[["a"]] * 36])
    with pytest.raises(ValueError, match=message):
        embed_texts(encoder, tfdual.read(table, Schema([*SCHEMA, *others])), id, columns, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_text_is_an_empty_one(encoder: TextEncoder, tmp_path: Path) -> None:
    nullable = Schema([ColumnSchema("id"), ColumnSchema("title", dtype="string", properties={"nullable": True})])
    rows = tfdual.read({"id": [1, 2, 3], "title": ["tea", None, ""]}, nullable)
    done = embed_texts(encoder, rows, "id", ["title"], tmp_path / "out")
    wanted = encoder(tf.constant(["tea", "", ""]))
    np.testing.assert_allclose(np.concatenate(list(done.embeddings.blocks())), wanted, atol=1e-5)
    assert done.encoded == 2
    again = embed_texts(encoder, rows, "id", ["title"], tmp_path / "again", reuse=[tmp_path / "out"])
    assert again.encoded == 0


@pytest.mark.parametrize("ids", [[*range(35), 20], [*(f"n{i}" for i in range(35)), "n20"]], ids=["int64", "string"])
def test_an_id_that_stands_twice_is_refused_before_a_text_is_encoded(
    encoder: TextEncoder, tmp_path: Path, ids: list
) -> None:
    texts = ColumnSchema("title", dtype="string")
    schema = Schema([ColumnSchema("id", dtype="string" if isinstance(ids[0], str) else "int64"), texts])
    rows = tfdual.read({"id": ids, "title": [title for title, _ in TEXTS]}, schema)
    with pytest.raises(ValueError, match=f"Ids must differ; {ids[-1]!r} stands twice in the column 'id'"):
        embed_texts(encoder, rows, "id", ["title"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
