"""What all losses of scores, labels and mask have in common, each against its loop."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.losses.loops import CASES, Case, example, slopes
from tfdual import losses
from tfdual.losses import in_batch_softmax, mark_positives, sampled_softmax

every_loss = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
COMPARED = {"rtol": 1e-4, "atol": 1e-6}


def value_and_gradient(function: Callable, scores: Any, *rest: Any) -> tuple[float, np.ndarray]:
    scores = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = function(scores, *rest)
    return float(value), tape.gradient(value, scores).numpy()


def test_every_public_loss_has_a_loop() -> None:
    others = {"LearnedTemperature", "in_batch_softmax", "mark_positives"}
    of_vectors = {"matryoshka", "neighbour_distillation", "reconstruction", "similarity_distillation"}
    assert set(losses.__all__) == {*CASES, *others, *of_vectors}


@pytest.mark.parametrize("masked", [False, True], ids=["all", "masked"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@every_loss
def test_loss_is_that_of_the_loop(case: Case, masked: bool, weighted: bool) -> None:
    for seed in range(5):
        scores, labels, teacher, mask, weight = example(seed=seed)
        given = (scores, labels, teacher, mask if masked else None, weight if weighted else None)
        assert float(case(*given)) == pytest.approx(case.expected(*given), rel=1e-5)


@every_loss
def test_gradient_is_the_slope_of_the_loop(case: Case) -> None:
    scores, *rest = example(4, 5)
    _, gradient = value_and_gradient(case, scores, *rest)
    wanted = slopes(lambda moved: case.expected(moved, *rest), scores)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-5)
    assert np.abs(gradient).max() > 0.01


@every_loss
def test_a_step_against_the_gradient_lowers_the_loss(case: Case) -> None:
    scores, *rest = example()
    before, gradient = value_and_gradient(case, scores, *rest)
    assert float(case(scores - 0.1 * gradient, *rest)) < before


@pytest.mark.parametrize("junk", [np.nan, np.inf, -np.inf, 1e38, -1e38])
@every_loss
def test_masked_scores_change_nothing_and_get_no_gradient_whatever_they_are(case: Case, junk: float) -> None:
    scores, labels, teacher, mask, weight = example()
    expected, wanted = value_and_gradient(case, scores, labels, teacher, mask, weight)
    scores, teacher = np.where(mask, scores, np.float32(junk)), np.where(mask, teacher, np.float32(junk))
    loss, gradient = value_and_gradient(case, scores, labels, teacher, mask, weight)
    assert loss == expected
    np.testing.assert_array_equal(gradient, wanted)
    assert not gradient[~mask].any()
    assert gradient[mask].any()


@every_loss
def test_labels_of_masked_candidates_change_nothing(case: Case) -> None:
    scores, labels, teacher, mask, _ = example()
    assert float(case(scores, np.where(mask, labels, ~labels), teacher, mask)) == float(
        case(scores, labels, teacher, mask)
    )


QUERIES = {  # labels and mask of three candidates
    "no_positive": ([0, 0, 0], [True, True, True]),
    "no_negative": ([1, 1, 1], [True, True, True]),
    "positive_masked": ([1, 0, 0], [False, True, True]),
    "negatives_masked": ([1, 0, 0], [True, False, False]),
    "all_masked": ([1, 0, 0], [False, False, False]),
}


@every_loss
def test_query_that_does_not_count_gives_neither_loss_nor_gradient(case: Case) -> None:
    scores, teacher = np.array([[1.0, -2.0, 3.0]], "float32"), np.array([[0.0, 1.0, 5.0]], "float32")
    for query in QUERIES.values():
        labels, mask = (np.array([values], bool) for values in query)
        loss, gradient = value_and_gradient(case, scores, labels, teacher, mask)
        assert (loss != 0) is bool(case.counts(labels[mask]))
        assert gradient.any() == case.counts(labels[mask])


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
@every_loss
def test_mean_is_over_the_queries_that_count(case: Case, query: tuple) -> None:
    scores, labels, teacher, _, weight = example(4, 3)
    mask = np.ones_like(labels)
    labels[1], mask[1] = query
    given = (scores, labels, teacher, mask, weight)
    assert float(case(*given)) == pytest.approx(case.expected(*given), rel=1e-5)
    if not case.counts(labels[1][mask[1]]):
        others = [np.delete(values, 1, axis=0) for values in given]
        assert float(case(*given)) == pytest.approx(float(case(*others)), rel=1e-6)


def test_which_queries_count() -> None:
    counting = {
        name: {kind for kind, (labels, mask) in QUERIES.items() if case.counts(np.array(labels, bool)[mask])}
        for name, case in CASES.items()
    }
    assert counting.pop("binary_cross_entropy") == set(QUERIES) - {"all_masked"}
    assert counting.pop("kl_distillation") == {"no_positive", "no_negative", "positive_masked"}
    assert not any(counting.values())


@every_loss
def test_query_of_weight_zero_counts_for_nothing_whatever_its_scores(case: Case) -> None:
    scores, labels, teacher, mask, weight = example()
    weight[2] = 0
    expected = float(case(*(np.delete(values, 2, axis=0) for values in (scores, labels, teacher, mask, weight))))
    scores[2], teacher[2] = np.nan, np.inf
    loss, gradient = value_and_gradient(case, scores, labels, teacher, mask, weight)
    assert loss == pytest.approx(expected, rel=1e-6)
    assert not gradient[2].any()
    assert np.isfinite(gradient).all()


@every_loss
def test_scale_of_the_weights_changes_nothing(case: Case) -> None:
    *given, weight = example()
    for scale in (1e-20, 1e-3, 1e6):
        assert float(case(*given, weight * scale)) == pytest.approx(float(case(*given, weight)), rel=1e-5)


@every_loss
def test_weights_that_are_all_zero_give_zero(case: Case) -> None:
    *given, weight = example()
    loss, gradient = value_and_gradient(case, *given, 0 * weight)
    assert loss == 0
    assert not gradient.any()


@every_loss
def test_batch_of_one_is_that_query(case: Case) -> None:
    given = example(1)
    assert float(case(*given)) == pytest.approx(case.expected(*given), rel=1e-5)


@pytest.mark.parametrize("shape", [(0, 5), (0, 0), (3, 0)], ids=str)
@every_loss
def test_no_queries_or_no_candidates_give_zero(case: Case, shape: tuple[int, int]) -> None:
    scores = np.zeros(shape, "float32")
    given = (scores, scores > 0, scores, scores > 0, np.ones(shape[0], "float32"))
    for used in (given, given[:3]):
        loss, gradient = value_and_gradient(case, *used)
        assert loss == 0
        assert gradient.shape == shape


@every_loss
def test_large_scores_stay_finite_and_right(case: Case) -> None:
    _, labels, teacher, mask, weight = example()
    signs = np.random.default_rng(3).choice([-1e4, 0, 1e4], labels.shape).astype("float32")
    for large in (signs, np.where(labels, 1e4, -1e4), np.where(labels, -1e4, 1e4), np.full(labels.shape, 1e4)):
        given = (large.astype("float32"), labels, teacher, mask, weight)
        loss, gradient = value_and_gradient(case, *given)
        assert loss == pytest.approx(case.expected(*given), rel=1e-5, abs=1e-3)  # float32's step at 1e4
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
@every_loss
def test_sums_are_in_float32_whatever_the_scores_are(case: Case, kind: str) -> None:
    scores, labels, teacher, mask, weight = example(64, 40)
    scores, teacher = tf.cast(scores, kind), tf.cast(teacher, kind)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = case(scores, labels, teacher, mask, weight)
    assert loss.dtype == tf.float32
    exact = case.expected(*(tf.cast(values, "float64").numpy() for values in (scores,)), labels, teacher, mask, weight)
    assert float(loss) == pytest.approx(exact, rel=1e-5)
    assert tape.gradient(loss, scores).dtype == scores.dtype


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("static", [False, True], ids=["unknown", "static"])
@every_loss
def test_graph_gives_what_eager_gives(case: Case, static: bool, compiled: bool) -> None:
    given = example(6, 5)
    shape = (6, 5) if static else (None, None)
    kinds = [tf.float32, tf.bool, tf.float32, tf.bool]
    signature = [tf.TensorSpec(shape, kind) for kind in kinds] + [tf.TensorSpec(shape[:1], tf.float32)]

    @tf.function(input_signature=signature, jit_compile=compiled)
    def both(scores: tf.Tensor, *rest: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = case(scores, *rest)
        return loss, tape.gradient(loss, scores)

    loss, gradient = both(*given)
    expected, wanted = value_and_gradient(case, *given)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient, wanted, **COMPARED)


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8", "float32", "float16"])
@every_loss
def test_labels_may_be_of_any_type(case: Case, kind: str) -> None:
    scores, labels, *rest = example()
    assert float(case(scores, labels.astype(kind), *rest)) == float(case(scores, labels, *rest))


@every_loss
def test_order_of_candidates_and_of_queries_changes_nothing(case: Case) -> None:
    scores, labels, teacher, mask, weight = example()
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(len(scores)), rng.permutation(scores.shape[1])
    moved = [values[rows][:, columns] for values in (scores, labels, teacher, mask)]
    assert float(case(*moved, weight[rows])) == pytest.approx(
        float(case(scores, labels, teacher, mask, weight)), rel=1e-5
    )


@pytest.mark.parametrize("name", sorted(set(CASES) - {"kl_distillation", "margin_mse"}))
def test_ranking_with_the_positives_first_has_a_lower_loss_than_its_reverse(name: str) -> None:
    _, labels, teacher, mask, _ = example()
    good = np.where(labels, 0.9, -0.9).astype("float32")
    assert float(CASES[name](good, labels, teacher, mask)) < float(CASES[name](-good, labels, teacher, mask)) - 0.5


@pytest.mark.parametrize("name", ["kl_distillation", "margin_mse"])
def test_teacher_gets_no_gradient_and_is_the_best_student(name: str) -> None:
    scores, labels, teacher, mask, _ = example()
    with tf.GradientTape() as tape:
        watched = tf.Variable(teacher)
        loss = CASES[name](scores, labels, watched, mask)
    assert tape.gradient(loss, watched) is None
    assert float(CASES[name](teacher + 3, labels, teacher, mask)) == pytest.approx(0, abs=1e-5)
    assert float(loss) > 0.1


WRONG = {
    "scores": ((4,), (4,), (4,), None, None),
    "labels": ((4, 3), (4,), (4, 3), None, None),
    "teacher_scores": ((4, 3), (4, 3), (4, 2), None, None),
    "mask": ((4, 3), (4, 3), (4, 3), (3,), None),
    "sample_weight": ((4, 3), (4, 3), (4, 3), None, (4, 1)),
}


@every_loss
def test_shape_that_does_not_fit_is_refused_by_its_name(case: Case) -> None:
    for name in {"scores", "mask", "sample_weight", *case.takes}:
        given = (None if shape is None else np.ones(shape, "float32") for shape in WRONG[name])
        with pytest.raises(ValueError, match=rf"^{name} needs? the shape \(.*\)\. Received the shape"):
            case(*given)


def test_in_batch_softmax_is_the_same_loss_over_the_rows_of_the_batch() -> None:
    rng = np.random.default_rng(0)
    query, item = rng.normal(size=(2, 12, 4)).astype("float32")
    ids, log_probability = rng.integers(0, 8, 12), np.log(rng.uniform(0.01, 0.1, 12)).astype("float32")
    weight = rng.uniform(0, 2, 12).astype("float32")
    mask = (ids[:, None] != ids) | np.eye(12, dtype=bool)
    loss = sampled_softmax(query @ item.T, mark_positives(np.arange(12), 12), mask, weight, log_probability)
    assert float(loss) == pytest.approx(float(in_batch_softmax(query, item, ids, log_probability, weight)), rel=1e-5)
