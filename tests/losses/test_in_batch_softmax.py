"""The in-batch softmax against a loop over rows, and the gradient of the whole score matrix."""

import numpy as np
import pytest
import tensorflow as tf

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
    losses = []
    for row in range(len(query)):
        positive = query[row].astype("float64") @ item[row] - log_probability[row]
        scores = [positive]
        for other in set(ids) - {ids[row]}:
            first = list(ids).index(other)
            score = query[row].astype("float64") @ item[first] - log_probability[first]
            scores += [score] * list(ids).count(other)
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
