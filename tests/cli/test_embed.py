"""`tfdual embed`: a corpus in, Parquet files of embeddings out, each text encoded once."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from tests.cli.test_bad_input import check_refused
from tests.features.text.tiny_model import write_model
from tfdual.features import TextEncoder
from tfdual.index import Index

TEXTS = ["tea", "milk and tea", "tea", "green milk"]


@pytest.fixture(scope="module")
def model_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.parquet"
    pq.write_table(pa.table({"key": ["a", "b", "c", "d"], "text": TEXTS, "year": [1, 2, 3, 4]}), path)
    return path


def test_a_corpus_becomes_files_that_index_takes(run_tfdual, model_directory: Path, corpus: Path) -> None:
    words = [
        "embed",
        corpus,
        "--model",
        model_directory,
        "--id",
        "key",
        "--text",
        "text",
        "--out",
        corpus.parent / "out",
    ]
    finished = run_tfdual(*words)
    assert finished.code == 0, finished.err
    assert finished.out.startswith("4 rows, 3 different texts: 0 known, 3 encoded in ")
    again = json.loads(run_tfdual(*words, "--json").out)
    assert (again["rows"], again["distinct"], again["encoded"], again["dim"]) == (4, 3, 0, 8)
    assert run_tfdual("index", corpus.parent / "out", "--out", corpus.parent / "index").code == 0
    vectors = TextEncoder.from_directory(model_directory)(tf.constant(TEXTS)).numpy()
    found = Index.load(corpus.parent / "index").search(vectors, 4)
    np.testing.assert_allclose(found.scores, np.sort(vectors @ vectors.T, axis=1)[:, ::-1], rtol=1e-4)


def test_a_changed_corpus_takes_what_is_known(run_tfdual, model_directory: Path, corpus: Path) -> None:
    common = ["--model", model_directory, "--id", "key", "--text", "text", "--json"]
    run_tfdual("embed", corpus, *common, "--out", corpus.parent / "first")
    changed = corpus.parent / "changed.parquet"
    pq.write_table(pa.table({"key": ["x", "d", "a"], "text": ["new tea", "green milk", "tea"]}), changed)
    where = ["--out", corpus.parent / "second", "--reuse", corpus.parent / "first"]
    found = json.loads(run_tfdual("embed", changed, *common, *where).out)
    assert (found["rows"], found["known"], found["encoded"]) == (3, 2, 1)


def test_what_cannot_work_is_one_line(run_tfdual, model_directory: Path, corpus: Path) -> None:
    out = corpus.parent / "out"
    words = ["embed", corpus, "--out", out]
    missing = run_tfdual(*words, "--model", corpus.parent / "nowhere", "--id", "key", "--text", "text")
    check_refused(missing, "no directory", "nowhere")
    check_refused(run_tfdual(*words, "--model", model_directory, "--text", "text"), "lacks the columns ['id']", "--id")
    assert not out.exists()


def embedded(run_tfdual, model_directory: Path, corpus: Path, *options: object) -> pa.Table:
    """What `tfdual embed` writes of the columns `id` and `text`."""
    out = corpus.parent / f"{corpus.name}-out"
    finished = run_tfdual("embed", corpus, "--model", model_directory, "--text", "text", "--out", out, *options)
    assert finished.code == 0, finished.err
    return pq.read_table(sorted(out.glob("part-*.parquet")))


def numbered(last: str) -> str:
    """A CSV whose first 150 ids are integers."""
    return "id,text\n" + "".join(f"{number},tea\n" for number in range(150)) + f"{last},milk\n"


@pytest.mark.parametrize("last", ["00160", "+160", "160.0", " 160", "-160", "1e3", "x", "18446744073709551615"])
def test_an_id_of_a_csv_stays_as_it_is_written(run_tfdual, model_directory: Path, tmp_path: Path, last: str) -> None:
    (tmp_path / "corpus.csv").write_text(numbered(last))
    found = embedded(run_tfdual, model_directory, tmp_path / "corpus.csv")
    assert found["id"].to_pylist() == [*map(str, range(150)), last]


def test_ids_of_a_csv_that_all_are_integers_become_integers(run_tfdual, model_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus.csv").write_text(numbered("9223372036854775807"))
    found = embedded(run_tfdual, model_directory, tmp_path / "corpus.csv")
    assert found["id"].to_pylist() == [*range(150), 9223372036854775807]


def of_ids(corpus: Path, last: str) -> None:
    rows = [*map(str, range(150)), last]
    corpus.write_text("".join(f'{{"id": {row}, "text": "tea"}}\n' for row in rows))


@pytest.mark.parametrize("last", ["00160", "x"])
def test_ids_of_json_lines_stay_as_they_are_written_where_some_are_text(
    run_tfdual, model_directory: Path, tmp_path: Path, last: str
) -> None:
    of_ids(tmp_path / "corpus.jsonl", f'"{last}"')
    found = embedded(run_tfdual, model_directory, tmp_path / "corpus.jsonl")
    assert found["id"].to_pylist() == [*map(str, range(150)), last]


def test_an_id_of_another_type_in_json_lines_is_refused(run_tfdual, model_directory: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    of_ids(corpus, "true")
    finished = run_tfdual("embed", corpus, "--model", model_directory, "--text", "text", "--out", tmp_path / "out")
    check_refused(finished, "Column 'id'", "row 150", "True")


@pytest.mark.parametrize("ids", [pa.array([1, 2], pa.int32()), pa.array(["b", "a"]).dictionary_encode(), [b"b", b"a"]])
def test_ids_of_parquet_are_integers_or_strings(run_tfdual, model_directory: Path, tmp_path: Path, ids) -> None:
    pq.write_table(pa.table({"id": ids, "text": ["tea", "milk"]}), tmp_path / "corpus.parquet")
    found = embedded(run_tfdual, model_directory, tmp_path / "corpus.parquet")
    assert found["id"].to_pylist() in ([1, 2], ["b", "a"])


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([1.0, 2.0]),
        pa.array([1, 2], pa.timestamp("ms")),
        pa.array([1, 2], pa.date32()),
        pa.array([True, False]),
        pa.array([[1], [2]]),
        pa.array([{"a": 1}, {"a": 2}]),
    ],
    ids=lambda array: str(array.type),
)
def test_ids_of_another_type_are_refused_by_its_name(run_tfdual, model_directory: Path, tmp_path: Path, ids) -> None:
    for name in ("id", "key"):
        corpus = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({name: ids, "text": ["tea", "milk"]}), corpus)
        words = ["--model", model_directory, "--text", "text", "--out", tmp_path / "out", "--id", name]
        held = pq.read_schema(corpus).field(name).type
        told = f"Ids are integers or strings. The column '{name}' of {corpus} holds {held}."
        check_refused(run_tfdual("embed", corpus, *words), told)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_missing_text_is_an_empty_one(run_tfdual, model_directory: Path, tmp_path: Path, suffix: str) -> None:
    table = pa.table({"id": ["a", "b", "c"], "text": [None, "tea", ""]})
    corpus = tmp_path / f"corpus.{suffix}"
    if suffix == "parquet":
        pq.write_table(table, corpus)
    elif suffix == "csv":
        corpus.write_text('id,text\na,\nb,tea\nc,""\n')
    else:
        corpus.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()) + '{"id": "d"}\n')
    found = embedded(run_tfdual, model_directory, corpus)
    texts = ["", "tea", "", ""][: len(found)]
    wanted = TextEncoder.from_directory(model_directory)(tf.constant(texts)).numpy()
    np.testing.assert_allclose(np.stack(found["embedding"].to_pylist()), wanted, atol=1e-5)
    assert found["text"].to_pylist() == texts


def test_texts_that_the_first_rows_lack_are_found(run_tfdual, model_directory: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.csv"
    corpus.write_text("id,text\n" + "".join(f"{number},\n" for number in range(150)) + "150,tea\n")
    found = embedded(run_tfdual, model_directory, corpus)
    assert found["text"].to_pylist() == [""] * 150 + ["tea"]


def test_an_id_that_stands_twice_is_refused_before_a_text_is_encoded(
    run_tfdual, model_directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "corpus.csv").write_text("id,text\na,tea\nb,milk\na,green\n")
    words = ["--model", model_directory, "--text", "text", "--out", tmp_path / "out"]
    check_refused(run_tfdual("embed", tmp_path / "corpus.csv", *words), "Ids must differ; 'a' stands twice")
    assert not (tmp_path / "out").exists()


def test_columns_in_another_order_are_not_taken_for_the_same(run_tfdual, model_directory: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.parquet"
    pq.write_table(pa.table({"id": [1], "title": ["tea"], "body": ["green milk"]}), corpus)
    words = ["embed", corpus, "--model", model_directory]
    run_tfdual(*words, "--text", "title", "--text", "body", "--out", tmp_path / "first")
    swapped = [*words, "--text", "body", "--text", "title", "--out", tmp_path / "second"]
    check_refused(run_tfdual(*swapped, "--reuse", tmp_path / "first"), "their order counts", "['body', 'title']")


def test_a_row_of_a_csv_without_an_id_is_named(run_tfdual, model_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus.csv").write_text("id,text\nx,tea\n,milk\n,tea\n")
    words = ["--model", model_directory, "--text", "text", "--out", tmp_path / "out"]
    told = "Row 1 of", "corpus.csv has none in the column 'id'", "--id"
    check_refused(run_tfdual("embed", tmp_path / "corpus.csv", *words), *told)
