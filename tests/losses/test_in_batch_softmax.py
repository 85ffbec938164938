"""The in-batch softmax against a loop over rows, and the gradient of the whole score matrix."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual._items import Items
from tfdual.losses import in_batch_softmax

DIM = 8


def expected_loss(query, item, ids=None, log_probability=None, weight=None) -> float:
    """One row, one item at a time, in float64."""
    losses = []
    for row in range(len(query)):
        scores = []
        for column in range(len(item)):
            if ids is not None and column != row and ids[column] == ids[row]:
                continue
            score = float(np.dot(query[row].astype("float64"), item[column].astype("float64")))
            scores.append(score if log_probability is None else score - float(log_probability[column]))
            if column == row:
                positive = scores[-1]
        losses.append(np.logaddexp.reduce(scores) - positive)
    return float(np.average(losses, weights=weight))


def whole_matrix_loss(query, item, ids=None, log_probability=None, weight=None) -> tf.Tensor:
    """The same with the whole score matrix and TensorFlow's own cross-entropy, for autodiff."""
    rows = len(query)
    scores = tf.matmul(query, item, transpose_b=True)
    if log_probability is not None:
        scores -= log_probability
    if ids is not None:
        repeated = (np.asarray(ids)[:, None] == np.asarray(ids)) & ~np.eye(rows, dtype=bool)
        scores = tf.where(repeated, tf.float32.min, scores)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(np.arange(rows), scores)
    weight = np.ones(rows, "float32") if weight is None else weight
    return tf.reduce_sum(losses * weight) / np.sum(weight)


def example(rows: int, distinct: int = 10_000, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Query, item, ids, log-probability, weight."""
    rng = np.random.default_rng(seed)
    query, item = rng.normal(size=(2, rows, DIM)).astype("float32")
    ids = rng.integers(0, distinct, rows)
    return (
        query,
        item,
        ids,
        np.log(rng.uniform(1e-9, 0.1, rows)).astype("float32"),
        rng.uniform(0, 2, rows).astype("float32"),
    )


def gradients(loss, query, item, *rest) -> tuple[float, np.ndarray, np.ndarray]:
    query, item = tf.constant(query), tf.constant(item)
    with tf.GradientTape() as tape:
        tape.watch([query, item])
        value = loss(query, item, *rest)
    return float(value), *(gradient.numpy() for gradient in tape.gradient(value, [query, item]))


OPTIONS = {
    "bare": (False, False, False),
    "ids": (True, False, False),
    "log_probability": (False, True, False),
    "weight": (False, False, True),
    "all": (True, True, True),
}


@pytest.mark.parametrize("used", OPTIONS.values(), ids=OPTIONS)
def test_loss_is_that_of_a_loop(used: tuple[bool, ...]) -> None:
    query, item, *rest = example(40, distinct=15)
    rest = [value if wanted else None for value, wanted in zip(rest, used, strict=True)]
    assert float(in_batch_softmax(query, item, *rest)) == pytest.approx(expected_loss(query, item, *rest), rel=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 40, 512, 513, 700], ids=str)
@pytest.mark.parametrize("used", OPTIONS.values(), ids=OPTIONS)
def test_loss_and_gradient_are_those_of_the_whole_matrix(rows: int, used: tuple[bool, ...]) -> None:
    query, item, *rest = example(rows, distinct=max(1, rows // 3))
    rest = [value if wanted else None for value, wanted in zip(rest, used, strict=True)]
    ours, wanted = gradients(in_batch_softmax, query, item, *rest), gradients(whole_matrix_loss, query, item, *rest)
    for one, other in zip(ours, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 3, 8, 700])
def test_batch_of_unknown_size_gives_the_same_loss_and_gradient(rows: int) -> None:
    query, item, ids, log_probability, weight = example(rows, distinct=max(1, rows // 3))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, DIM]),
            tf.TensorSpec([None, DIM]),
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([None]),
            tf.TensorSpec([None]),
        ]
    )
    def loss_and_gradients(query, item, ids, log_probability, weight):
        with tf.GradientTape() as tape:
            tape.watch([query, item])
            loss = in_batch_softmax(query, item, ids, log_probability, weight)
        return loss, *tape.gradient(loss, [query, item])

    ours = loss_and_gradients(query, item, ids, log_probability, weight)
    wanted = gradients(whole_matrix_loss, query, item, ids, log_probability, weight)
    for one, other in zip(ours, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_gradient_scales_with_what_comes_after_the_loss() -> None:
    query, item, *_ = example(6)
    once = gradients(in_batch_softmax, query, item)
    thrice = gradients(lambda query, item: 3 * in_batch_softmax(query, item), query, item)
    np.testing.assert_allclose(thrice[1], 3 * once[1], rtol=1e-6)
    np.testing.assert_allclose(thrice[2], 3 * once[2], rtol=1e-6)


def test_batch_of_one_has_nothing_to_learn() -> None:
    query, item, *_ = example(1)
    loss, query_gradient, item_gradient = gradients(in_batch_softmax, query, item)
    assert loss == pytest.approx(0, abs=1e-6)
    assert not np.any(np.abs(query_gradient) > 1e-6)
    assert not np.any(np.abs(item_gradient) > 1e-6)


def test_two_rows_by_hand() -> None:
    query = np.array([[1.0], [2.0]], "float32")
    item = np.array([[3.0], [1.0]], "float32")
    first, second = np.log1p(np.exp(1.0 - 3.0)), np.log1p(np.exp(6.0 - 2.0))
    assert float(in_batch_softmax(query, item)) == pytest.approx((first + second) / 2, rel=1e-6)
    assert float(in_batch_softmax(query, item, sample_weight=np.array([3.0, 1.0]))) == pytest.approx(
        (3 * first + second) / 4, rel=1e-6
    )


def test_masking_an_accidental_hit_never_raises_the_loss() -> None:
    for seed in range(20):
        query, item, ids, log_probability, _ = example(12, distinct=6, seed=seed)
        masked = float(in_batch_softmax(query, item, ids, log_probability))
        assert masked < float(in_batch_softmax(query, item, np.arange(12), log_probability))


def test_accidental_hit_gets_no_gradient_from_the_row_it_is_left_out_of() -> None:
    query, item, *_ = example(3)
    alone = gradients(in_batch_softmax, query, item, np.array([7, 7, 9]), None, np.array([1.0, 0.0, 0.0]))
    assert not alone[2][1].any()
    assert alone[2][2].any()


def test_all_rows_of_one_item_have_no_negative() -> None:
    query, item, _, log_probability, _ = example(30)
    loss, *both = gradients(in_batch_softmax, query, item, np.full(30, 5), log_probability)
    assert loss == pytest.approx(0, abs=1e-5)
    for gradient in both:
        np.testing.assert_allclose(gradient, 0, atol=1e-6)


@pytest.mark.parametrize("kind", ["int32", "int64"])
def test_ids_above_the_precision_of_float32_are_different_items(kind: str) -> None:
    query, item, *_ = example(2)
    assert np.float32(16_777_216) == np.float32(16_777_217)
    apart = in_batch_softmax(query, item, tf.constant([16_777_216, 16_777_217], kind))
    assert float(apart) == pytest.approx(expected_loss(query, item), rel=1e-5)
    assert float(in_batch_softmax(query, item, tf.constant([16_777_217] * 2, kind))) == pytest.approx(0, abs=1e-6)


def test_ids_above_2_to_the_53_are_different_items() -> None:
    query, item, *_ = example(2)
    apart = in_batch_softmax(query, item, tf.constant([2**62, 2**62 + 1], tf.int64))
    assert float(apart) == pytest.approx(expected_loss(query, item), rel=1e-5)


def test_probabilities_below_one_in_a_million_still_differ() -> None:
    query, item, *_ = example(4)
    rare = np.log([1e-7, 1e-8, 1e-9, 1e-12]).astype("float32")
    loss = float(in_batch_softmax(query, item, None, rare))
    assert loss == pytest.approx(expected_loss(query, item, None, rare), rel=1e-5)
    assert abs(loss - float(in_batch_softmax(query, item, None, np.full(4, np.log(1e-6), "float32")))) > 0.1


def test_one_log_probability_for_all_items_changes_nothing() -> None:
    query, item, *_ = example(20)
    same = in_batch_softmax(query, item, None, np.full(20, -7.0, "float32"))
    assert float(same) == pytest.approx(float(in_batch_softmax(query, item)), rel=1e-5)


def test_correction_is_no_way_for_the_gradient() -> None:
    query, item, *_ = example(5)
    log_probability = tf.Variable(np.linspace(-3, -1, 5), dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = in_batch_softmax(tf.constant(query), tf.constant(item), None, log_probability)
    assert tape.gradient(loss, log_probability) is None


def test_scale_of_the_weights_changes_nothing() -> None:
    query, item, ids, log_probability, weight = example(30)
    once = in_batch_softmax(query, item, ids, log_probability, weight)
    assert float(in_batch_softmax(query, item, ids, log_probability, 100 * weight)) == pytest.approx(
        float(once), rel=1e-5
    )


def test_row_of_weight_zero_is_still_a_negative() -> None:
    query, item, *_ = example(3)
    weight = np.array([1.0, 1.0, 0.0])
    loss = float(in_batch_softmax(query, item, sample_weight=weight))
    assert loss == pytest.approx(expected_loss(query, item, weight=weight), rel=1e-5)
    assert loss > float(in_batch_softmax(query[:2], item[:2]))


def test_weights_that_are_all_zero_give_zero() -> None:
    query, item, *_ = example(4)
    loss, *both = gradients(in_batch_softmax, query, item, None, None, np.zeros(4, "float32"))
    assert loss == 0
    assert not any(gradient.any() for gradient in both)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_inputs_give_a_float32_loss(kind: str) -> None:
    query, item, ids, log_probability, _ = example(30, distinct=10)
    halves = tf.cast(query, kind), tf.cast(item, kind)
    loss = in_batch_softmax(*halves, ids, log_probability)
    assert loss.dtype == tf.float32
    exact = expected_loss(*(tf.cast(half, "float32").numpy() for half in halves), ids, log_probability)
    assert float(loss) == pytest.approx(exact, rel=1e-5)


def test_sharp_scores_stay_finite() -> None:
    query, item, ids, log_probability, _ = example(30)
    query /= np.linalg.norm(query, axis=1, keepdims=True) * 0.01
    item /= np.linalg.norm(item, axis=1, keepdims=True)
    loss, *both = gradients(in_batch_softmax, query, item, ids, log_probability)
    assert loss == pytest.approx(expected_loss(query, item, ids, log_probability), rel=1e-4)
    assert all(np.isfinite(gradient).all() for gradient in both)


def test_scores_of_a_million_stay_finite() -> None:
    query, item, ids, *_ = example(30, distinct=10)
    loss, *both = gradients(in_batch_softmax, query * 1e6, item, ids)
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in both)


def expected_distinct_loss(query, item, ids, log_probability, weight) -> float:
    """Each other item of the batch once, by its first row, counted as often as it stands there; in float64."""
    losses, keys, counts = [], ids.tolist(), Counter(ids.tolist())
    first = {key: keys.index(key) for key in counts}
    for row, own in enumerate(keys):
        positive = query[row].astype("float64") @ item[row] - log_probability[row]
        scores = [positive]
        for other in counts.keys() - {own}:
            score = query[row].astype("float64") @ item[first[other]] - log_probability[first[other]]
            scores += [score] * counts[other]
        losses.append(np.logaddexp.reduce(scores) - positive)
    return float(np.average(losses, weights=weight))


@pytest.mark.parametrize("rows", [1, 40, 700])
def test_distinct_items_count_as_often_as_they_stand_in_the_batch(rows: int) -> None:
    arguments = example(rows, distinct=max(1, rows // 3))
    expected = expected_distinct_loss(*arguments)
    assert float(in_batch_softmax(*arguments, distinct=True)) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("static", [True, False], ids=["static", "unknown"])
def test_distinct_items_change_neither_loss_nor_gradient_where_an_id_has_one_embedding(static: bool) -> None:
    query, item, ids, log_probability, weight = example(600, distinct=150)
    item, log_probability = item[ids], log_probability[ids]

    def once(query: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        return in_batch_softmax(query, item, ids, log_probability, weight, distinct=True)

    if not static:
        once = tf.function(once, input_signature=[tf.TensorSpec([None, DIM])] * 2)
    loss, query_gradient, item_gradient = gradients(once, query, item)
    expected, *wanted = gradients(whole_matrix_loss, query, item, ids, log_probability, weight)
    assert loss == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(query_gradient, wanted[0], rtol=1e-3, atol=1e-6)
    by_id = [np.array([part[ids == key].sum(axis=0) for key in np.unique(ids)]) for part in (item_gradient, wanted[1])]
    np.testing.assert_allclose(*by_id, rtol=1e-3, atol=1e-6)


def test_distinct_gradient_is_that_of_its_definition_where_rows_of_an_id_differ() -> None:
    query, item, ids, log_probability, weight = example(12, distinct=4)
    _, *both = gradients(lambda q, i: in_batch_softmax(q, i, ids, log_probability, weight, distinct=True), query, item)
    for side, gradient in enumerate(both):
        for row, column in [(0, 0), (3, 5), (11, 7)]:
            shifted = []
            for step in (1e-4, -1e-4):
                pair = [query.astype("float64"), item.astype("float64")]
                pair[side][row, column] += step
                shifted.append(expected_distinct_loss(*pair, ids, log_probability, weight))
            assert gradient[row, column] == pytest.approx((shifted[0] - shifted[1]) / 2e-4, rel=1e-3, abs=1e-5)


def test_distinct_items_need_ids() -> None:
    query, item, *_ = example(4)
    with pytest.raises(ValueError, match="distinct=True needs item_ids"):
        in_batch_softmax(query, item, distinct=True)


def counts_of(scores, ids, extra_ids, options) -> np.ndarray:
    """How often each candidate, of the batch's rows and then the extra items, is a negative of each row."""
    rows, skipped, query_of = len(ids), 0 if options["in_batch"] else len(ids), options["query_of"]
    pairs = {(row, place + skipped) for row, place in options["left_out"].tolist()}
    same_item = {key: [row for row in range(rows) if ids[row] == key] for key in ids}
    right = [set(ids[query_of == query_of[row]]) for row in range(rows)]
    counts = np.zeros(scores.shape)
    for row in range(rows):
        for place, key in enumerate([*ids, *extra_ids]):
            there = options["in_batch"] if place < rows else options["mask"][place - rows]
            same = same_item[key] if options["distinct"] and place < rows else [place]
            left_out = any((query_of[row], other) in pairs for other in same)
            others = place >= rows and options["row"][place - rows] not in (-1, options["batch_row"][query_of[row]])
            if there and key not in right[row] and place == same[0] and not left_out and not others:
                counts[row, place] = len(same)
        among = scores.shape[1] - options["always"]
        if options["hardest"] and np.count_nonzero(counts[row, :among]) > options["hardest"]:
            lowest = np.sort(scores[row, :among][counts[row, :among] > 0])[-options["hardest"]]
            counts[row, :among][scores[row, :among] < lowest] = 0
    return counts


def loop_loss(scores, counts, positive, weight) -> float:
    """One row, one candidate at a time, in float64."""
    losses = []
    for row, own in enumerate(positive):
        total = own
        for score, count in zip(scores[row], counts[row], strict=True):
            total = total if count == 0 else np.logaddexp(total, score + np.log(count))
        losses.append(total - own)
    return float(np.average(losses, weights=weight))


def autodiff_loss(query, item, further, query_of, counts, offset, weight) -> tf.Tensor:
    """The same with the whole matrix, in float64."""
    query, item, further = (tf.cast(vectors, tf.float64) for vectors in (tf.gather(query, query_of), item, further))
    scores = tf.matmul(query, tf.concat([item, further], axis=0), transpose_b=True) - offset
    positive = tf.reduce_sum(query * item, axis=1) - offset[: len(query_of)]
    kept = tf.where(counts > 0, scores + np.log(np.maximum(counts, 1)), -np.inf)
    losses = tf.reduce_logsumexp(tf.concat([kept, positive[:, None]], axis=1), axis=1) - positive
    return tf.reduce_sum(losses * weight) / np.sum(weight)


TOGETHER = {
    "extra": {},
    "extra and correction": {"corrected": True},
    "extra, some not there": {"masked": True},
    "extra alone": {"in_batch": False},
    "extra alone, some not there": {"in_batch": False, "masked": True, "corrected": True},
    "extra, distinct": {"distinct": True, "corrected": True},
    "extra of one row": {"further": 300, "row": True},
    "extra alone of one row": {"further": 300, "row": True, "in_batch": False, "masked": True, "hardest": 2},
    "extra of one row of few queries": {"further": 300, "row": True, "queries": 6, "distinct": True},
    "extra of one row of many queries": {"further": 300, "row": True, "batch_rows": 5},
    "extra alone of one row of many shared queries": {
        "further": 300,
        "row": True,
        "batch_rows": 3,
        "queries": 6,
        "in_batch": False,
    },
    "left out": {"further": 0, "pairs": 2000},
    "left out, distinct": {"further": 0, "pairs": 2000, "distinct": True},
    "left out, extra": {"pairs": 3000},
    "left out, extra alone": {"pairs": 900, "in_batch": False},
    "hardest": {"further": 0, "hardest": 3},
    "hardest, distinct": {"further": 0, "hardest": 5, "distinct": True, "corrected": True},
    "more hardest than there are": {"hardest": 10_000},
    "hardest, and some whatever they score": {"hardest": 3, "always": 20, "masked": True},
    "hardest of the batch, distinct": {"hardest": 2, "always": 31, "distinct": True, "corrected": True},
    "hardest of none": {"hardest": 2, "always": 31, "in_batch": False},
    "all": {"corrected": True, "masked": True, "pairs": 3000, "hardest": 7, "distinct": True},
    "all, no row twice": {"corrected": True, "masked": True, "pairs": 3000, "hardest": 7},
    "few queries": {"further": 0, "queries": 5},
    "few queries, distinct, correction": {"further": 0, "queries": 4, "distinct": True, "corrected": True},
    "few queries, extra alone": {"queries": 6, "in_batch": False, "masked": True},
    "all, few queries": {
        "corrected": True,
        "masked": True,
        "pairs": 50,
        "hardest": 7,
        "distinct": True,
        "queries": 7,
        "scale": 6,
    },
    "all, as many queries": {"corrected": True, "pairs": 3000, "hardest": 7, "queries": 10_000},
    "all, extra alone": {"corrected": True, "masked": True, "pairs": 900, "hardest": 4, "in_batch": False},
}


CASES = [(rows, True, name) for rows in (7, 300) for name in TOGETHER]
CASES += [(300, False, name) for name in TOGETHER if name.startswith("all")]


@pytest.mark.parametrize(("rows", "static", "name"), CASES)
def test_options_together_are_those_of_a_loop(rows: int, static: bool, name: str) -> None:
    options = {"further": 31, "in_batch": True, "distinct": False, "hardest": None, "always": 0} | TOGETHER[name]
    query, item, ids, log_probability, weight = example(rows, distinct=max(3, rows // 4))
    rng, further = np.random.default_rng(1), options["further"]
    vectors, extra_ids = rng.normal(size=(further, DIM)).astype("float32"), rng.integers(0, rows // 3 + 3, further)
    offset = np.zeros(rows + further, "float32")
    if options.get("corrected"):
        offset = np.concatenate([log_probability, rng.normal(size=further)]).astype("float32")
    options["mask"] = rng.random(further) < (0.6 if options.get("masked") else 2)
    batch_rows = options.get("batch_rows", rows)
    row = rng.integers(-1, batch_rows, further) if options.get("row") else None
    candidates = further + options["in_batch"] * rows
    queries = min(rows, options.get("queries", rows))
    query_of = rng.permutation(np.arange(rows) % queries) if "queries" in options else np.arange(rows)
    query = options.get("scale", 1) * query[:queries]
    options["left_out"] = rng.integers(0, (queries, candidates), (options.get("pairs", 0), 2))
    scores = query[query_of].astype("float64") @ np.concatenate([item, vectors]).T - offset
    positive = np.sum(query[query_of].astype("float64") * item, axis=1) - offset[:rows]
    options["batch_row"], batch_row = np.arange(queries), None
    options["row"] = np.full(further, -1) if row is None else row
    if "batch_rows" in options:
        options["batch_row"] = batch_row = rng.integers(0, batch_rows, queries)
    elif row is not None:
        options["row"] = np.where(row < 0, -1, query_of[row])  # of queries
    counts = counts_of(scores, ids, extra_ids, options | {"query_of": query_of})

    def once(query: tf.Tensor, item: tf.Tensor, further_vectors: tf.Tensor) -> tf.Tensor:
        extra = Items(further_vectors, extra_ids, offset[rows:], options["mask"], row) if further else None
        own = ids, offset[:rows], weight, options["distinct"]
        pairs = options["left_out"] if options.get("pairs") else None
        shared = tf.constant(query_of) if "queries" in options else None
        among = options["hardest"], options["in_batch"]
        return in_batch_softmax(query, item, *own, extra, pairs, *among, shared, batch_row, options["always"])

    def with_gradients(*inputs: tf.Tensor) -> tuple:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = once(*inputs)
        return loss, tape.gradient(loss, inputs, unconnected_gradients="zero")

    if not static:
        with_gradients = tf.function(with_gradients, input_signature=[tf.TensorSpec([None, DIM])] * 3)
    inputs = [tf.constant(value) for value in (query, item, vectors)]
    loss, ours = with_gradients(*inputs)
    assert float(loss) == pytest.approx(loop_loss(scores, counts, positive, weight), rel=1e-5, abs=1e-6)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        wanted = autodiff_loss(*inputs, query_of, counts, offset, weight)
    for one, other in zip(ours, tape.gradient(wanted, inputs), strict=True):
        np.testing.assert_allclose(one, tf.convert_to_tensor(other), rtol=1e-4, atol=1e-6)


def items(ids: list[int], vectors: np.ndarray, mask: list[bool] | None = None) -> Items:
    return Items(tf.cast(vectors, tf.float32), tf.constant(ids, tf.int64), None, mask)


def test_extra_item_that_is_not_there_gets_no_gradient_even_where_it_is_not_a_number() -> None:
    query, item, ids, *_ = example(5)
    vectors = np.array([np.full(DIM, np.nan), np.ones(DIM), np.full(DIM, np.inf)], "float32")

    def loss(query: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        return in_batch_softmax(query, item, ids, extra=items([-1, -2, -3], vectors, [False, True, False]))

    def of_one(query: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        return in_batch_softmax(query, item, ids, extra=items([-2], vectors))

    value, query_gradient, extra_gradient = gradients(loss, query, vectors)
    expected, wanted, _ = gradients(of_one, query, vectors[1:2])
    assert value == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(query_gradient, wanted, rtol=1e-5, atol=1e-7)
    assert not extra_gradient[[0, 2]].any()
    assert extra_gradient[1].all()


@pytest.mark.parametrize("left", ["extra of the same item", "extra not there", "no extra", "all left out"])
def test_row_without_negatives_has_nothing_to_learn(left: str) -> None:
    query, item, *_ = example(2)
    vectors = np.ones((0 if left == "no extra" else 3, DIM), "float32")
    ids, mask = (
        ([4, 4, 4] if left == "extra of the same item" else [5, 6, 7])[: len(vectors)],
        [left != "extra not there"],
    )
    pairs = [(row, place) for row in (1, 0) for place in range(3)] if left == "all left out" else None

    def loss(query: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        extra = items(ids, vectors, mask * len(vectors))
        return in_batch_softmax(query, item, np.array([4, 4]), extra=extra, left_out=pairs, in_batch=False)

    value, *both = gradients(loss, query, vectors)
    assert value == 0
    assert not any(gradient.any() for gradient in both)


def test_own_positive_is_never_left_out() -> None:
    query, item, *_ = example(4)
    everything = [(row, place) for row in range(4) for place in range(4)]
    loss, *both = gradients(lambda query, item: in_batch_softmax(query, item, left_out=everything), query, item)
    assert loss == 0
    assert not any(gradient.any() for gradient in both)


def test_order_and_repeats_of_the_pairs_change_nothing() -> None:
    query, item, ids, *_ = example(20)
    pairs = [(19, 2), (0, 5), (7, 7), (3, 1), (0, 4)]
    once = float(in_batch_softmax(query, item, ids, left_out=sorted(pairs)))
    assert float(in_batch_softmax(query, item, ids, left_out=pairs + pairs[::-1])) == once
    assert once < float(in_batch_softmax(query, item, ids))


def test_negatives_as_hard_as_the_hardest_count_too() -> None:
    query = np.array([[1.0]], "float32")
    extra = items([1, 2, 3, 4], np.array([[0.5], [2.0], [-1.0], [2.0]]))
    loss = float(in_batch_softmax(query, query, np.array([0]), extra=extra, hardest=1))
    assert loss == pytest.approx(np.log1p(2 * np.exp(2.0 - 1.0)), rel=1e-6)


def test_distinct_item_that_repeats_is_one_of_the_hardest_and_counts_as_often() -> None:
    query = np.array([[1.0], [0.0], [0.0], [0.0]], "float32")
    item = np.array([[1.0], [2.0], [2.0], [1.5]], "float32")
    weight = np.array([1.0, 0.0, 0.0, 0.0])
    arguments = query, item, np.array([1, 2, 2, 3]), None, weight, True
    of_two = np.log1p(2 * np.exp(2.0 - 1.0) + np.exp(1.5 - 1.0))
    assert float(in_batch_softmax(*arguments, hardest=2)) == pytest.approx(of_two, rel=1e-6)
    assert float(in_batch_softmax(*arguments, hardest=1)) == pytest.approx(np.log1p(2 * np.exp(2.0 - 1.0)), rel=1e-6)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_inputs_get_gradients_of_their_own_type(kind: str) -> None:
    query, item, ids, *_ = example(6)
    inputs = [tf.cast(vectors, kind) for vectors in (query, item, item[:2] + 1)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = in_batch_softmax(*inputs[:2], ids, extra=Items(inputs[2], tf.constant([-1, -2], tf.int64)))
    for gradient in tape.gradient(loss, inputs):
        assert gradient.dtype == kind
        assert np.any(tf.cast(gradient, "float32").numpy() != 0)


@pytest.mark.parametrize("static", [True, False], ids=["static", "unknown"])
def test_batch_of_no_rows_gives_zero(static: bool) -> None:
    spec = tf.TensorSpec([0 if static else None, DIM])
    empty = tf.zeros((0, DIM))
    assert float(tf.function(in_batch_softmax, input_signature=[spec, spec])(empty, empty)) == 0


def test_loss_compiled_by_xla_is_the_same() -> None:
    query, item, ids, log_probability, weight = example(300, distinct=100)
    compiled = tf.function(in_batch_softmax, jit_compile=True)
    expected = expected_loss(query, item, ids, log_probability, weight)
    assert float(compiled(query, item, ids, log_probability, weight)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"item_ids": None, "extra": items([7], np.ones((1, DIM)))}, "extra needs item_ids"),
        ({"in_batch": False}, "in_batch=False leaves no negatives"),
        ({"hardest": 0}, "hardest needs to be 1 or more.*Received 0"),
        ({"item": np.ones((4, DIM + 1), "float32")}, f"Both towers must end in one width.*{DIM}.*{DIM + 1}"),
        ({"extra": items([7], np.ones((1, DIM + 2)))}, f"width of the batch's items, {DIM}.*{DIM + 2}"),
    ],
)
def test_what_cannot_work_is_said(wrong: dict, message: str) -> None:
    query, item, ids, *_ = example(4)
    with pytest.raises(ValueError, match=message):
        in_batch_softmax(**{"query": query, "item": item, "item_ids": ids} | wrong)


def test_other_backends_are_told_that_pairs_need_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    query, item, *_ = example(4)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="left_out needs the TensorFlow backend"):
        in_batch_softmax(query, item, left_out=[(0, 1)])


MEMORY_SCRIPT = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf
from tfdual._items import Items
from tfdual.losses import in_batch_softmax

rng, rows, dim = np.random.default_rng(0), 65_536, 16
static, options = sys.argv[1] == "static", sys.argv[2]
size = rows if static else None

@tf.function(input_signature=[tf.TensorSpec([size, dim]), tf.TensorSpec([size, dim]), tf.TensorSpec([size], tf.int64)])
def step(query, item, ids):
    places = tf.range(tf.shape(ids)[0])
    extra = Items(item[:1000] / 2, tf.range(1000, dtype=tf.int64), mask=item[:1000, 0] > 0)
    pairs = tf.stack([tf.reverse(places, [0]), places], axis=1)
    chosen = {"item_ids": ids, "extra": extra, "left_out": pairs, "hardest": 8} if options == "all" else {}
    with tf.GradientTape() as tape:
        tape.watch([query, item])
        loss = in_batch_softmax(query, item, **chosen)
    return loss, *tape.gradient(loss, [query, item])

query, item = (tf.constant(rng.normal(size=(rows, dim)) / 8, tf.float32) for _ in range(2))
results = step(query, item, tf.constant(rng.integers(0, 20_000, rows)))
assert all(np.isfinite(result).all() for result in results)
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak memory of a process is read from /proc")
@pytest.mark.parametrize(("size", "options"), [("static", "none"), ("unknown", "all")])
def test_batch_of_65536_stays_below_2_gb_of_memory(size: str, options: str) -> None:
    command = [sys.executable, "-c", MEMORY_SCRIPT, size, options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 2e9 / 1024
