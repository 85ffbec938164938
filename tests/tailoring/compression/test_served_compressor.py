"""A compressor in a query tower: exported, and searched in a process that knows nothing of it."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.fresh_process import require_equal_answers
from tests.tailoring.compression.frozen import WIDTHS, frozen_parts, nearest
from tfdual import BruteForce, ColumnSchema, Retriever, Schema, Tower
from tfdual.features import InputBlock
from tfdual.tailoring.compression import EmbeddingCompressor, Truncation

PARTS, QUERIES = frozen_parts(80, 1), frozen_parts(4, 2)
ASKED = {name: part.tolist() for name, part in QUERIES.items()}


@pytest.fixture(scope="module")
def compressor() -> EmbeddingCompressor:
    return EmbeddingCompressor(16, widths=[8, 16]).start_from_pca(PARTS)


@pytest.fixture(scope="module")
def retriever(compressor: EmbeddingCompressor) -> Retriever:
    index = BruteForce().build(compressor.encode(PARTS, 8), np.arange(80) + 7, compressor.embedding_space(8))
    return compressor.to_retriever(index, 8)


def test_a_retriever_takes_the_parts_and_finds_the_nearest(
    compressor: EmbeddingCompressor, retriever: Retriever
) -> None:
    found = retriever.search(ASKED, k=5)
    best = nearest(compressor.encode(QUERIES, 8), compressor.encode(PARTS, 8), 5)
    assert found["id"].tolist() == (best + 7).tolist()
    np.testing.assert_allclose(retriever.embed_query(ASKED), compressor.encode(QUERIES, 8), atol=1e-5)


@pytest.mark.slow
def test_an_export_answers_the_same_in_a_process_of_its_own(retriever: Retriever, tmp_path: Path) -> None:
    require_equal_answers(retriever, tmp_path, ASKED, 6)


def test_a_tower_reads_the_parts_as_columns(compressor: EmbeddingCompressor, tmp_path: Path) -> None:
    columns = [ColumnSchema(name, dtype="float32", dims=(None, width)) for name, width in WIDTHS.items()]
    tower = Tower(InputBlock(Schema(columns)) >> compressor >> Truncation(8))
    inputs = {name: tf.constant(part) for name, part in QUERIES.items()}
    np.testing.assert_allclose(tower(inputs), compressor.encode(QUERIES, 8), atol=1e-5)
    tower.save(tmp_path / "tower.keras")
    loaded = keras.saving.load_model(tmp_path / "tower.keras")
    np.testing.assert_allclose(loaded(inputs), tower(inputs), atol=1e-6)


def test_a_compressor_that_was_trained_since_is_not_exported(tmp_path: Path) -> None:
    compressor = EmbeddingCompressor(16, widths=[8, 16]).start_from_pca(PARTS)
    index = BruteForce().build(compressor.encode(PARTS, 8), np.arange(80), compressor.embedding_space(8))
    retriever = compressor.to_retriever(index, 8)
    compressor.compile("adam")
    compressor.fit(PARTS, verbose=0)
    with pytest.raises(ValueError, match="space"):
        retriever.export(tmp_path / "model")
    assert not list(tmp_path.iterdir())
