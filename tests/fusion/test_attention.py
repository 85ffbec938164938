from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.fusion import AttentionFusion

RNG = np.random.default_rng(0)
VECTORS = {name: RNG.normal(size=(5, 4)).astype("float32") for name in ("b", "c", "a")}
MASK = {"a": tf.constant([True, True, False, False, True]), "c": tf.constant([False, True, True, False, True])}
PRESENT = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1], [0, 1, 0], [1, 1, 1]], bool)  # of a, b, c


def randomized(fusion: AttentionFusion) -> AttentionFusion:
    fusion(VECTORS)
    fusion.set_weights([RNG.normal(size=weight.shape) for weight in fusion.weights])
    return fusion


def by_hand(fusion: AttentionFusion, present: np.ndarray) -> list[list[np.ndarray | None]]:
    """For each row the vectors of a, b and c after the layer normalisation; None: missing."""
    embeddings, query, key, value, output, gamma, beta = fusion.get_weights()
    rows = []
    for row, there in enumerate(present):
        z = {place: VECTORS[name][row] + embeddings[place] for place, name in enumerate("abc") if there[place]}
        rows.append([None] * 3)
        for place, own in z.items():
            attended = np.zeros(4)
            for head in range(query.shape[1]):
                scores = [
                    own @ query[:, head] @ (other @ key[:, head]) / np.sqrt(query.shape[2]) for other in z.values()
                ]
                shares = np.exp(scores) / np.sum(np.exp(scores))
                mixed = sum(share * (other @ value[:, head]) for share, other in zip(shares, z.values(), strict=True))
                attended += mixed @ output[head]
            added = own + attended
            rows[-1][place] = (added - added.mean()) / np.sqrt(added.var() + 1e-3) * gamma + beta
    return rows


@pytest.mark.parametrize(("num_heads", "key_dim"), [(1, None), (2, None), (3, 5)])
def test_output_is_the_mean_after_multi_head_attention(num_heads: int, key_dim: int | None) -> None:
    fusion = randomized(AttentionFusion(num_heads, key_dim))
    wanted = [np.mean(row, axis=0) for row in by_hand(fusion, np.ones((5, 3), bool))]
    np.testing.assert_allclose(fusion(VECTORS), wanted, rtol=1e-3, atol=1e-4)


def test_concat_keeps_the_vectors_side_by_side() -> None:
    fusion = randomized(AttentionFusion(2, pooling="concat"))
    wanted = [np.concatenate(row) for row in by_hand(fusion, np.ones((5, 3), bool))]
    np.testing.assert_allclose(fusion(VECTORS), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_missing_feature_neither_gives_nor_receives(dropout: float) -> None:
    fusion = randomized(AttentionFusion(2, dropout=dropout))
    rows = by_hand(fusion, PRESENT)
    wanted = [np.mean([vector for vector in row if vector is not None], axis=0) for row in rows]
    np.testing.assert_allclose(fusion(VECTORS, mask=MASK), wanted, rtol=1e-3, atol=1e-4)


def test_missing_feature_is_zero_in_the_concatenation() -> None:
    fusion = randomized(AttentionFusion(2, pooling="concat"))
    rows = by_hand(fusion, PRESENT)
    wanted = [np.concatenate([np.zeros(4) if vector is None else vector for vector in row]) for row in rows]
    np.testing.assert_allclose(fusion(VECTORS, mask=MASK), wanted, rtol=1e-3, atol=1e-4)


def test_what_a_missing_feature_holds_does_not_matter() -> None:
    fusion = randomized(AttentionFusion(2))
    spoilt = {name: np.where(PRESENT[:, place, None], VECTORS[name], np.nan) for place, name in enumerate("abc")}
    np.testing.assert_array_equal(fusion(spoilt, mask=MASK), fusion(VECTORS, mask=MASK))


@pytest.mark.parametrize("pooling", ["mean", "concat"])
def test_row_of_missing_features_gives_zeros_and_finite_gradients(pooling: str) -> None:
    fusion = randomized(AttentionFusion(2, pooling=pooling))
    with tf.GradientTape() as tape:
        found = fusion(VECTORS, mask={name: tf.constant([True] * 3 + [False] * 2) for name in VECTORS})
        loss = tf.reduce_sum(found**2)
    assert found.numpy()[:3].any(axis=1).all()
    assert not found.numpy()[3:].any()
    gradients = tape.gradient(loss, [weight.value for weight in fusion.trainable_weights])
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_mask_of_true_changes_nothing() -> None:
    fusion = randomized(AttentionFusion(2))
    everything = {name: tf.ones((5,), "bool") for name in VECTORS}
    np.testing.assert_allclose(fusion(VECTORS, mask=everything), fusion(VECTORS), rtol=1e-5)


def test_mask_of_an_embedding_layer_is_used() -> None:
    fusion, ids = randomized(AttentionFusion(2)), tf.constant([3, 0, 5, 0, 1])
    masked, plain = keras.layers.Embedding(6, 4, mask_zero=True), keras.layers.Embedding(6, 4)
    found = fusion({**VECTORS, "a": masked(ids)})
    plain(ids)
    plain.set_weights(masked.get_weights())
    wanted = fusion({**VECTORS, "a": plain(ids)}, mask={"a": ids > 0})
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert not np.allclose(found, fusion({**VECTORS, "a": plain(ids)}))


def test_mask_is_an_input_of_a_functional_model(tmp_path: Path) -> None:
    inputs = {name: keras.Input((4,), name=name) for name in VECTORS}
    mask = {name: keras.Input((), dtype="bool", name=f"has_{name}") for name in MASK}
    model = keras.Model([inputs, mask], AttentionFusion(2)(inputs, mask=mask))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    batch = [{name: tf.constant(vector) for name, vector in VECTORS.items()}, MASK]
    found = model(batch)
    assert not np.allclose(found, model.layers[-1](VECTORS))
    np.testing.assert_allclose(loaded(batch), found, rtol=1e-6)


def test_mask_works_compiled_in_mixed_precision_and_for_no_rows() -> None:
    fusion = randomized(AttentionFusion(2))
    compiled = tf.function(lambda vectors, mask: fusion(vectors, mask=mask), jit_compile=True)
    np.testing.assert_allclose(compiled(VECTORS, MASK), fusion(VECTORS, mask=MASK), rtol=1e-4, atol=1e-5)
    none = {name: vector[:0] for name, vector in VECTORS.items()}
    assert fusion(none, mask={name: present[:0] for name, present in MASK.items()}).shape == (0, 4)
    mixed = AttentionFusion(2, dtype="mixed_bfloat16")
    mixed(VECTORS)
    mixed.set_weights(fusion.get_weights())
    rough = mixed(VECTORS, mask=MASK)
    assert rough.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(rough, "float32"), fusion(VECTORS, mask=MASK), rtol=0.05, atol=0.05)


def test_equal_vectors_are_told_apart_by_their_names() -> None:
    fusion = randomized(AttentionFusion(2, pooling="concat"))
    found = fusion({name: tf.ones((1, 4)) for name in "abc"}).numpy().reshape(3, 4)
    assert not np.isclose(found[0], found[1]).any()
    assert not np.isclose(found[1], found[2]).any()


def test_dropout_is_for_training_and_follows_the_seed() -> None:
    fusions = [AttentionFusion(2, dropout=0.5, seed=seed) for seed in (3, 3, 4)]
    for fusion in fusions:
        fusion(VECTORS)
        fusion.set_weights(fusions[0].get_weights())
    one, same, other = (fusion(VECTORS, training=True).numpy() for fusion in fusions)
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    np.testing.assert_allclose(fusions[0](VECTORS), fusions[2](VECTORS), rtol=1e-6)


def test_output_shape_is_one_vector_or_all_of_them() -> None:
    shapes = {"a": (None, 6), "b": (None, 6)}
    assert AttentionFusion().compute_output_shape(shapes) == (None, 6)
    assert AttentionFusion(pooling="concat").compute_output_shape(shapes) == (None, 12)


def test_vectors_narrower_than_the_number_of_heads_work() -> None:
    assert AttentionFusion(num_heads=4)({"a": tf.ones((2, 1)), "b": tf.ones((2, 1))}).shape == (2, 1)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (MASK["a"], TypeError, r"mask is a dict of name -> bool \(batch,\). Received a"),
        ({"d": MASK["a"]}, ValueError, r"mask has the names \['d'\]. The vectors are \['a', 'b', 'c'\]"),
        ({"a": tf.ones((5, 4), "bool")}, ValueError, r"one bool a row. Received shapes \{'a': \(5, 4\)\}"),
    ],
)
def test_bad_masks_are_refused(mask: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        AttentionFusion()(VECTORS, mask=mask)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "an integer num_heads >= 1. Received 0"),
        ({"key_dim": -1}, "an integer key_dim >= 1. Received -1"),
        ({"dropout": 1.0}, r"share in \[0, 1\). Received 1.0"),
        ({"pooling": "median"}, r"knows the poolings \['concat', 'mean'\]. Received 'median'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AttentionFusion(**arguments)
