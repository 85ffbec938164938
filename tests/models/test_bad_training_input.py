"""What training makes of batches that are small, empty, repetitive or wrong."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.test_two_tower_model import id_model, pairs, sample_model
from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual import LazyAdam, Tower, TwoTowerModel
from tfdual.blocks import MLPBlock
from tfdual.features import InputBlock
from tfdual.negatives import CrossBatchMemory, InBatch
from tfdual.towers import DualEncoderBlock


def compiled(model: TwoTowerModel) -> TwoTowerModel:
    model.build()
    model.compile(LazyAdam(0.05))
    return model


def head(rows: int) -> dict[str, tf.Tensor]:
    return {name: values[:rows] for name, values in batch().items()}


def slices(*sizes: int) -> tf.data.Dataset:
    """Batches of these sizes, one after another."""
    made = [tf.data.Dataset.from_tensors(head(size)) for size in sizes]
    whole = made[0]
    for one in made[1:]:
        whole = whole.concatenate(one)
    return whole


def test_a_last_batch_of_one_row_has_no_negative_and_a_loss_of_zero() -> None:
    model = compiled(sample_model())
    assert model.fit(slices(1), verbose=0).history["loss"] == [pytest.approx(0, abs=1e-6)]
    model = compiled(sample_model())
    model.fit(slices(6, 1), verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("source", [InBatch(), InBatch() + CrossBatchMemory(4)], ids=["batch", "memory"])
def test_a_batch_without_rows_changes_no_weight(source: object) -> None:
    model = compiled(sample_model(negatives=source))
    before = model.get_weights()
    assert model.fit(slices(0), verbose=0).history["loss"] == [0.0]
    after = model.get_weights()
    for found, wanted, weight in zip(after, before, model.weights, strict=True):
        if not weight.path.endswith("updates"):  # a memory counts its updates
            np.testing.assert_array_equal(found, wanted)


def test_an_item_that_fills_the_batch_has_no_negative() -> None:
    model = compiled(id_model())
    before = model.get_weights()
    same = tf.data.Dataset.from_tensors({"user_id": np.arange(1, 9), "item_id": np.full(8, 5)})
    assert model.fit(same, verbose=0).history["loss"] == [pytest.approx(0, abs=1e-6)]
    for found, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_rows_that_repeat_are_no_negatives_of_one_another() -> None:
    model = compiled(id_model(temperature=1.0))
    two = {"user_id": np.array([1, 2, 3, 4]), "item_id": np.array([7, 7, 9, 9])}
    outputs = model({name: tf.constant(values) for name, values in two.items()})
    scores = outputs["query"].numpy() @ outputs["item"].numpy().T
    losses = []
    for row, others in enumerate([[2, 3], [2, 3], [0, 1], [0, 1]]):
        losses.append(np.logaddexp.reduce([scores[row, row], *scores[row, others]]) - scores[row, row])
    assert model.evaluate(tf.data.Dataset.from_tensors(two), verbose=0) == pytest.approx(np.mean(losses), rel=1e-5)


def test_towers_of_different_widths_are_refused_by_both_widths() -> None:
    user, item = (
        Tower(InputBlock(SCHEMA.select_by_tag(tag), embedding_options=OPTIONS) >> MLPBlock([width]))
        for tag, width in (("user", 4), ("item", 6))
    )
    with pytest.raises(ValueError, match="query tower ends in 4, the item tower in 6"):
        compiled(TwoTowerModel(DualEncoderBlock(user, item)))


def test_a_temperature_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature must be above 0. Received 0"):
        id_model(temperature=0.0)


@pytest.mark.parametrize("wrong", [np.nan, -np.inf, np.inf])
def test_a_log_probability_that_is_not_finite_is_named(wrong: float) -> None:
    model = compiled(sample_model())
    values = batch()["item_id_log_probability"].numpy().copy()
    values[2] = wrong
    broken = tf.data.Dataset.from_tensors(batch() | {"item_id_log_probability": values})
    before = model.get_weights()
    with pytest.raises(ValueError, match="the column 'item_id_log_probability' in rows 2"):
        model.fit(broken, verbose=0)
    for found, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_missing_log_probability_is_named_by_fit() -> None:
    model = compiled(id_model(sampling_correction=True))
    with pytest.raises(ValueError, match="needs the column 'item_id_log_probability'"):
        model.fit(tf.data.Dataset.from_tensors(pairs()), verbose=0)
