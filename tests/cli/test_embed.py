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
