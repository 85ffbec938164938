"""Training by another interaction than the inner product, against loops in NumPy."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.sample_columns import domain
from tfdual import ColumnSchema, Schema, Tags
from tfdual._items import Items, join_items
from tfdual._register import register
from tfdual.interactions import InnerProduct, Interaction
from tfdual.models import MatrixFactorizationModel
from tfdual.negatives import InBatch, Uniform

TEMPERATURE = 0.5
SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], domain("user_id", 9)),
        ColumnSchema("item_id", [Tags.ITEM_ID], domain("item_id", 12)),
    ]
)
INPUTS = {"user_id": tf.constant([1, 2, 3, 4, 2, 6]), "item_id": tf.constant([7, 3, 5, 7, 1, 2])}


@dataclass(frozen=True)
class Squares(Interaction):
    """`sum((q . i) ** 2 + 2 sum(q))` over the vectors of both: not the same the other way round."""

    name = "squares"

    def among(self, query, item):
        return (
            ops.sum(ops.square(ops.einsum("qad,ibd->qiab", query, item)), (2, 3)) + 2 * ops.sum(query, (1, 2))[:, None]
        )

    def each(self, query, item):
        return (
            ops.sum(ops.square(ops.einsum("qad,qibd->qiab", query, item)), (2, 3)) + 2 * ops.sum(query, (1, 2))[:, None]
        )

    def pooled(self, query):
        return ops.mean(query, axis=1)


@register
class SeveralVectors(MatrixFactorizationModel):
    """Two vectors a query; one an item, and two where an item of a high id is in the batch."""

    @property
    def interaction(self) -> Interaction:
        return Squares()

    def encode_query(self, inputs, training=None):
        return ops.reshape(super().encode_query(inputs, training), (-1, 2, 2))

    def encode_item(self, inputs, training=None):
        ids = inputs["item_id"]
        vectors = ops.reshape(super().encode_item(inputs, training), (-1, 2, 2))
        second = tf.cast((ids > 4)[:, None, None], tf.float32) * vectors[:, 1:]
        most = tf.where(tf.reduce_any(ids > 4), 1, 0)
        return tf.concat([vectors[:, :1], second[:, :most]], axis=1)


def model(**options) -> SeveralVectors:
    keras.utils.set_random_seed(5)
    options = {"temperature": TEMPERATURE, "sampling_correction": False} | options
    made = SeveralVectors(SCHEMA, 4, initializer=keras.initializers.RandomNormal(stddev=0.7, seed=1), **options)
    made.build()
    return made


def score(made: SeveralVectors, user: int, item: int) -> float:
    """By loops."""
    query = made.query_table.embeddings.numpy()[user].reshape(2, 2).astype(float)
    vectors = made.item_table.embeddings.numpy()[item].reshape(2, 2).astype(float)[: 2 if item > 4 else 1]
    return sum((a @ b) ** 2 for a in query for b in vectors) + 2 * sum(a.sum() for a in query)


def loss_of(made: SeveralVectors, training: bool = True) -> float:
    return float(made.compute_loss(x=INPUTS, y_pred=made(INPUTS, training=training), training=training))


def softmax_loss(own: float, others: list[float]) -> float:
    every = np.array([own, *others]) / TEMPERATURE
    return float(np.log(np.exp(every - every.max()).sum()) + every.max() - own / TEMPERATURE)


def test_loss_is_the_softmax_of_the_interactions_scores() -> None:
    made, users, items = model(), INPUTS["user_id"].numpy(), INPUTS["item_id"].numpy()
    wanted = [
        softmax_loss(score(made, user, item), [score(made, user, other) for other in items if other != item])
        for user, item in zip(users, items, strict=True)
    ]
    assert loss_of(made) == pytest.approx(np.mean(wanted), rel=1e-5)
    assert loss_of(made, training=False) == pytest.approx(np.mean(wanted), rel=1e-5)


def test_symmetric_loss_scores_the_queries_of_the_batch_for_an_item() -> None:
    made, users, items = model(symmetric=True), INPUTS["user_id"].numpy(), INPUTS["item_id"].numpy()
    pairs = list(zip(users, items, strict=True))
    one = [
        softmax_loss(score(made, user, item), [score(made, user, i) for i in items if i != item])
        for user, item in pairs
    ]
    other = [
        softmax_loss(score(made, user, item), [score(made, u, item) for u, i in pairs if i != item])
        for user, item in pairs
    ]
    assert loss_of(made) == pytest.approx((np.mean(one) + np.mean(other)) / 2, rel=1e-5)


def test_further_negatives_may_have_another_number_of_vectors() -> None:
    catalogue = tf.data.Dataset.from_tensors({"item_id": tf.constant([4])})
    inputs = {"user_id": tf.constant([1, 2]), "item_id": tf.constant([9, 7])}
    made = model(negatives=InBatch() + Uniform(3, seed=0).adapt(catalogue))
    found = float(made.compute_loss(x=inputs, y_pred=made(inputs, training=True)))
    wanted = [
        softmax_loss(score(made, user, own), [score(made, user, other), *[score(made, user, 4)] * 3])
        for user, own, other in [(1, 9, 7), (2, 7, 9)]
    ]
    assert found == pytest.approx(np.mean(wanted), rel=1e-5)


def test_parts_give_the_gradient_of_the_whole_batch() -> None:
    weights = []
    for parts in (1, 2, 3):
        made = model(parts=parts)
        made.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        made.fit(tf.data.Dataset.from_tensors(INPUTS), verbose=0)
        weights.append(made.get_weights())
    start = model().get_weights()
    assert not np.allclose(weights[0][0], start[0])
    for other in weights[1:]:
        for found, wanted in zip(other, weights[0], strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_score_is_that_of_all_pairs() -> None:
    made = model()
    outputs = made(INPUTS)
    found = made.score(outputs["query"], outputs["item"]).numpy()
    for row, user in enumerate(INPUTS["user_id"].numpy()):
        for column, item in enumerate(INPUTS["item_id"].numpy()):
            assert found[row, column] == pytest.approx(score(made, user, item), rel=1e-4, abs=1e-5)


def test_join_items_fills_up_with_vectors_of_zeros() -> None:
    joined = join_items([Items(tf.ones([2, 1, 3]), tf.constant([1, 2])), Items(tf.ones([1, 2, 3]), tf.constant([3]))])
    np.testing.assert_array_equal(joined.embedding.numpy().sum(axis=2), [[3, 0], [3, 0], [3, 3]])


def test_inner_product_of_own_lists() -> None:
    query, items = np.random.default_rng(0).normal(size=(2, 3)), np.random.default_rng(1).normal(size=(2, 4, 3))
    found = ops.convert_to_numpy(InnerProduct().each(query, items))
    np.testing.assert_allclose(
        found, [[row @ item for item in own] for row, own in zip(query, items, strict=True)], rtol=1e-6
    )
