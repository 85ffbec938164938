"""What is frozen stays frozen in a loaded model, also layers that a model makes by itself."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.trained_alike import require_equal_training, saved_and_loaded
from tests.sample_columns import domain
from tfdual import ColumnSchema, LazyAdam, MLPBlock, Schema, Tags
from tfdual.features import TextEncoder
from tfdual.features.text import TextTransformer, WordPieceTokenizer
from tfdual.models import DualEncoder, MatrixFactorizationModel, SequenceModel, YouTubeDNNModel

SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], domain("user", 9)),
        ColumnSchema("item", [Tags.ITEM_ID], domain("item", 9)),
    ]
)
SEQUENCE = Schema([ColumnSchema("before", [Tags.USER, Tags.SEQUENCE], domain("item", 9), is_list=True), SCHEMA["item"]])
COLUMNS = {"user": [1, 2, 3, 1], "item": [4, 5, 6, 7], "before": [[1, 2, 3], [4, 5, 6], [7, 8, 9], [2, 4, 6]]}


def made(kind: type[DualEncoder]) -> DualEncoder:
    keras.utils.set_random_seed(0)
    if kind is SequenceModel:
        return SequenceModel(SEQUENCE, dim=4, max_length=3)
    if kind is YouTubeDNNModel:
        return YouTubeDNNModel(SCHEMA, MLPBlock([4]), item_bias=True, sampling_correction=False)
    return MatrixFactorizationModel(SCHEMA, dim=4, item_bias=True, sampling_correction=False)


@pytest.mark.parametrize(
    "kind, frozen",
    [
        (YouTubeDNNModel, "item_table"),
        (MatrixFactorizationModel, "biases"),
        (MatrixFactorizationModel, "query_table"),
        (SequenceModel, "item_table"),
    ],
)
def test_a_table_of_a_models_own_stays_frozen_when_it_is_loaded(
    kind: type[DualEncoder], frozen: str, tmp_path: Path
) -> None:
    model = made(kind)
    model.build(None)
    getattr(model, frozen).trainable = False
    model.compile(LazyAdam(0.05))
    names = ("before",) if kind is SequenceModel else ("user", "item")
    data = tf.data.Dataset.from_tensors({name: tf.constant(COLUMNS[name], tf.int64) for name in names}).repeat(3)
    before = [weight.numpy() for weight in getattr(model, frozen).weights]
    model.fit(data, verbose=0)
    loaded = saved_and_loaded(model, tmp_path)
    assert len(loaded.trainable_weights) == len(model.trainable_weights) < len(made_whole(kind))
    require_equal_training(loaded, model, data)
    for found, wanted in zip(getattr(loaded, frozen).weights, before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def made_whole(kind: type[DualEncoder]) -> list[keras.Variable]:
    model = made(kind)
    model.build(None)
    return model.trainable_weights


def test_a_frozen_transformer_drops_nothing_in_training() -> None:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b"]
    sizes = {
        "num_layers": 1,
        "num_heads": 2,
        "dim": 8,
        "feed_forward_dim": 16,
        "dropout": 0.5,
        "trainable_layers": "all",
    }
    encoder = TextEncoder(WordPieceTokenizer(pieces), TextTransformer(6, **sizes))
    texts = tf.constant(["a b a", "b"])
    expected = encoder(texts, training=False)
    assert not np.allclose(encoder(texts, training=True), expected)
    encoder.trainable = False
    np.testing.assert_allclose(encoder(texts, training=True), expected, atol=1e-6)
