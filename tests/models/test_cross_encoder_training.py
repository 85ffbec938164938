"""A cross-encoder's training: stopped and taken up again, and on ragged lists of whatever its loss takes."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual import ColumnSchema, InputBlock, MLPBlock, Schema, Tags
from tfdual.features import TextEncoder
from tfdual.features.text import TextTransformer, WordPieceTokenizer
from tfdual.losses import margin_mse
from tfdual.models import BackupAndRestore, CrossEncoder

ROWS = {"query": tf.constant(["tea", "milk"] * 2), "item": tf.constant([["tea", "milk"]] * 4)}
DATA = tf.data.Dataset.from_tensor_slices((ROWS, tf.constant([[1, 0], [0, 1]] * 2))).batch(2)


def cross_encoder(dropout: float = 0.5, **options: object) -> CrossEncoder:
    keras.utils.set_random_seed(3)
    tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "milk"])
    transformer = TextTransformer(6, num_layers=1, num_heads=2, dim=8, feed_forward_dim=16, dropout=dropout)
    model = CrossEncoder(TextEncoder(tokenizer, transformer), **options)
    model.build()
    model.compile(keras.optimizers.SGD(0.5))
    return model


class Killed(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if epoch == 1:
            raise KeyboardInterrupt


def require_equal(found: CrossEncoder, wanted: CrossEncoder) -> None:
    for one, other in zip(found.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_a_run_that_was_stopped_goes_on_with_its_dropout(tmp_path: Path) -> None:
    whole, stopped, again = cross_encoder(), cross_encoder(), cross_encoder()
    whole.fit(DATA, epochs=4, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(DATA, epochs=4, verbose=0, callbacks=[BackupAndRestore(tmp_path), Killed()])
    again.fit(DATA, epochs=4, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    require_equal(again, whole)


def test_a_loaded_model_goes_on_as_the_one_that_was_saved(tmp_path: Path) -> None:
    model = cross_encoder()
    model.fit(DATA, verbose=0)
    model.save(tmp_path / "cross.keras")
    loaded = keras.saving.load_model(tmp_path / "cross.keras")
    for one in (model, loaded):
        one.fit(DATA, verbose=0)
    require_equal(loaded, model)


def test_ragged_scores_of_a_teacher_train_as_filled_up_ones() -> None:
    model = cross_encoder(dropout=0.0, ranking_loss=margin_mse)
    items = [["tea", "milk"], ["tea", "milk", "tea milk"]]
    inputs = {"query": tf.constant(["tea", "milk"]), "item": tf.ragged.constant(items)}
    labels, teacher = [[1, 0], [1, 0, 0]], [[2.0, 1.0], [3.0, 1.0, 0.5]]
    pairs = [(0, 0, 1), (1, 0, 1), (1, 0, 2)]
    scores = model(inputs).numpy()
    errors = [
        (scores[row, one] - scores[row, other] - teacher[row][one] + teacher[row][other]) ** 2
        for row, one, other in pairs
    ]
    wanted = (errors[0] + (errors[1] + errors[2]) / 2) / 2
    ragged = {"labels": tf.ragged.constant(labels), "teacher_scores": tf.ragged.constant(teacher)}
    found = model.evaluate(tf.data.Dataset.from_tensors((inputs, ragged)), verbose=0)
    assert found == pytest.approx(wanted, rel=1e-4)
    history = model.fit(tf.data.Dataset.from_tensors((inputs, ragged)), verbose=0).history
    assert history["loss"] == [pytest.approx(wanted, rel=1e-4)]


@pytest.mark.parametrize("join", ["token", "state"])
def test_a_batch_of_lists_without_a_candidate_changes_nothing(join: str) -> None:
    schema = Schema([ColumnSchema("price", [Tags.ITEM], dtype="float32")])
    model = cross_encoder(features=InputBlock(schema, aggregation="concat") >> MLPBlock([4]), join=join)
    texts, prices = (tf.RaggedTensor.from_row_lengths(tf.zeros([0], dtype), [0, 0]) for dtype in ("string", "float32"))
    before = model.get_weights()
    rows = {"query": tf.constant(["tea", "milk"]), "item": texts, "price": prices}
    history = model.fit(tf.data.Dataset.from_tensor_slices((rows, prices)).batch(2), verbose=0).history
    assert history["loss"] == [0.0]
    for found, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)
