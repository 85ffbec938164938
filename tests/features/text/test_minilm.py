"""A real model: the vectors of sentence-transformers."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tests.features.text.minilm import minilm_directory
from tests.features.text.test_word_piece_tokenizer import HOSTILE
from tfdual.features import TextEncoder

# By sentence-transformers 6.2 on PyTorch, of the texts of HOSTILE in their order.
VECTORS = Path(__file__).parent / "files" / "hostile_vectors.npy"


def test_vectors_of_hostile_texts_are_those_of_sentence_transformers() -> None:
    encoder = TextEncoder.from_directory(minilm_directory())
    assert (encoder.pooling, encoder.normalize, encoder.max_length, encoder.dim) == ("mean", True, 256, 384)
    np.testing.assert_allclose(encoder(tf.constant(HOSTILE)), np.load(VECTORS), atol=1e-5)


def test_what_means_the_same_is_near() -> None:
    encoder = TextEncoder.from_directory(minilm_directory())
    vectors = encoder(tf.constant(["how to brew tea", "making a pot of tea", "stock markets fell"])).numpy()
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > 0.7
    assert far < 0.2
