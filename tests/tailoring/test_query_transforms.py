from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import domain
from tfdual import ColumnSchema, InputBlock, Schema, Tags, Tower
from tfdual.tailoring import (
    LinearTransform,
    LowRankTransform,
    OrthogonalTransform,
    ScaleTransform,
    TransformedQuery,
)
from tfdual.tailoring.query_transform import QueryTransform
from tfdual.tailoring.tower_score import TowerScore

DIM = 4
QUERIES = np.random.default_rng(0).normal(size=(5, DIM)).astype("float32")
KEYS = np.array([0, 1, 2, 1, 0])
KINDS: list[tuple[type, dict[str, Any]]] = [
    (ScaleTransform, {}),
    (LinearTransform, {}),
    (LowRankTransform, {"rank": 2, "seed": 0}),
    (OrthogonalTransform, {}),
]


def with_weights(transform: QueryTransform, seed: int = 1) -> QueryTransform:
    """The transform with random values in all of its weights."""
    transform.build((None, DIM))
    rng = np.random.default_rng(seed)
    for weight in transform.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.3)
    return transform


def by_hand(transform: QueryTransform, query: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """One query, `(dim,)`, by the formula of each class."""
    if isinstance(transform, ScaleTransform):
        return np.array([(1 + weight) * value for weight, value in zip(weights["scale"], query, strict=True)])
    if isinstance(transform, LinearTransform):
        return (np.eye(DIM) + weights["residual"].T) @ query
    if isinstance(transform, LowRankTransform):
        return query + weights["up"].T @ (np.asarray(transform.down).T @ query)
    skew = weights["residual"] - weights["residual"].T
    return (np.linalg.inv(np.eye(DIM) + skew) @ (np.eye(DIM) - skew)).T @ query


@pytest.mark.parametrize(("kind", "arguments"), KINDS)
def test_an_untrained_transform_gives_its_input(kind: type, arguments: dict[str, Any]) -> None:
    np.testing.assert_array_equal(kind(**arguments)(QUERIES), QUERIES)
    np.testing.assert_array_equal(kind(keys=3, **arguments)(QUERIES, KEYS), QUERIES)


@pytest.mark.parametrize(("kind", "arguments"), KINDS)
def test_it_does_what_its_formula_says(kind: type, arguments: dict[str, Any]) -> None:
    transform = with_weights(kind(**arguments))
    shared = {name: np.asarray(weight) for name, weight in transform.shared.items()}
    wanted = [by_hand(transform, query, shared) for query in QUERIES]
    np.testing.assert_allclose(transform(QUERIES), wanted, atol=1e-5)
    np.testing.assert_allclose(QUERIES @ transform.matrix().T, wanted, atol=1e-5)


@pytest.mark.parametrize(("kind", "arguments"), KINDS)
def test_a_key_has_its_own_weights_and_an_unknown_key_those_that_all_share(
    kind: type, arguments: dict[str, Any]
) -> None:
    transform = with_weights(kind(keys=3, **arguments))
    found = np.asarray(transform(QUERIES, KEYS))
    for row, (query, key) in enumerate(zip(QUERIES, KEYS, strict=True)):
        weights = {}
        for name, shared in transform.shared.items():
            of_key = np.asarray(transform.of_key[name].embeddings)[key].reshape(shared.shape)
            weights[name] = np.asarray(shared) + (of_key if key else 0)
        np.testing.assert_allclose(found[row], by_hand(transform, query, weights), atol=1e-5)
        np.testing.assert_allclose(transform.matrix(int(key)) @ query, found[row], atol=1e-5)
    np.testing.assert_allclose(transform.matrix(), transform.matrix(0), atol=1e-6)


def test_an_orthogonal_transform_keeps_lengths_and_angles() -> None:
    transform = with_weights(OrthogonalTransform())
    moved = np.asarray(transform(QUERIES))
    assert np.abs(moved - QUERIES).max() > 0.1
    np.testing.assert_allclose(moved @ moved.T, QUERIES @ QUERIES.T, atol=1e-5)


@pytest.mark.parametrize("kind", [LinearTransform, OrthogonalTransform])
def test_training_finds_the_rotation_that_the_pairs_were_made_with(kind: type) -> None:
    rng = np.random.default_rng(3)
    rotation = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    rotation[0] *= np.linalg.det(rotation)  # a rotation, and no reflection
    queries = rng.normal(size=(256, DIM)).astype("float32")
    model = keras.Sequential([keras.Input((DIM,)), kind()])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.fit(queries, queries @ rotation, epochs=60, batch_size=64, verbose=0)
    np.testing.assert_allclose(model.layers[-1].matrix(), rotation.T, atol=0.03)


def test_a_step_moves_the_weights_of_the_keys_in_the_batch_alone() -> None:
    transform = ScaleTransform(keys=4)
    transform.build((None, DIM))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(transform(QUERIES, np.array([1, 1, 0, 1, 0])) ** 2)
    gradient = tf.convert_to_tensor(tape.gradient(loss, transform.of_key["scale"].embeddings.value))
    assert np.abs(gradient[1]).min() > 0
    np.testing.assert_array_equal(gradient.numpy()[[0, 2, 3]], 0)


def test_the_pull_to_the_identity_is_the_sum_of_squares() -> None:
    transform = with_weights(ScaleTransform(keys=3, l2=0.5))
    transform(QUERIES, KEYS)
    shared, of_key = map(np.asarray, (transform.shared["scale"], transform.of_key["scale"].embeddings))
    wanted = 0.5 * (shared**2).sum() + 0.5 * np.mean([(of_key[key] ** 2).sum() for key in KEYS])
    assert float(sum(transform.losses)) == pytest.approx(wanted, rel=1e-5)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="2 keys or more"):
        ScaleTransform(keys=1)
    with pytest.raises(ValueError, match="l2 is 0 or more"):
        LinearTransform(l2=-1.0)
    with pytest.raises(ValueError, match="rank is 1 or more"):
        LowRankTransform(rank=0)
    with pytest.raises(ValueError, match="no less than the width 4"):
        LowRankTransform(rank=4)(QUERIES)
    with pytest.raises(ValueError, match="takes no key"):
        ScaleTransform()(QUERIES, KEYS)
    with pytest.raises(ValueError, match="the key of each query"):
        ScaleTransform(keys=3)(QUERIES)
    with pytest.raises(ValueError, match="no weights yet"):
        ScaleTransform().matrix()
    with pytest.raises(ValueError, match="There are no keys"):
        with_weights(ScaleTransform()).matrix(1)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_columns_reach_the_encoders_of_a_query_as_exact_as_they_are(policy: str) -> None:
    column, key = ColumnSchema("x", dtype="float32"), ColumnSchema("key", [Tags.CATEGORICAL], domain("key", 5))
    from_there = keras.layers.Rescaling(1.0, offset=-99_999.0, dtype="float32")
    features = InputBlock(Schema([column]), encoders={"x": from_there}, aggregation="concat")
    block = TransformedQuery(features, ScaleTransform(keys=5), key, dtype=policy)
    score = TowerScore(Tower(features), "item", dtype=policy)
    inputs = {"x": tf.constant([100_000.0, 100_001.0])}
    np.testing.assert_array_equal(block(inputs | {"key": tf.constant([1, 2])}), [[1], [2]])
    np.testing.assert_array_equal(score(inputs | {"item": tf.constant([[1.0], [1.0]])}), [1, 2])


def test_a_rotation_is_one_where_numbers_are_float64() -> None:
    transform, before = with_weights(OrthogonalTransform()), keras.config.floatx()
    wanted = transform(QUERIES)
    keras.config.set_floatx("float64")
    try:
        np.testing.assert_array_equal(transform(QUERIES), wanted)
    finally:
        keras.config.set_floatx(before)
