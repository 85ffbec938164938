"""What a model trains on, against loops in NumPy: negatives, known positives, directions, losses, temperatures."""

import functools
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import domain
from tfdual import ColumnSchema, LazyAdam, Schema, Tags, losses
from tfdual.losses import LearnedTemperature
from tfdual.models import MatrixFactorizationModel
from tfdual.negatives import ColumnNegatives, CrossBatchMemory, InBatch, StreamingFrequency, Uniform

ITEMS, USERS, DIM, TEMPERATURE = 12, 9, 4, 0.5
SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], domain("user_id", USERS)),
        ColumnSchema("item_id", [Tags.ITEM_ID], domain("item_id", ITEMS)),
    ]
)
LOG_PROBABILITY = np.log(np.random.default_rng(3).uniform(0.01, 0.3, ITEMS)).astype("float32")


def model(**options) -> MatrixFactorizationModel:
    keras.utils.set_random_seed(5)
    options = {"temperature": TEMPERATURE, "sampling_correction": False} | options
    made = MatrixFactorizationModel(SCHEMA, DIM, initializer=keras.initializers.RandomNormal(seed=1), **options)
    made.build()
    return made


def batch(**columns) -> dict[str, tf.Tensor]:
    """Six rows; user 2 and item 7 stand twice."""
    items = np.array([7, 3, 5, 7, 1, 9])
    return {
        "user_id": tf.constant([1, 2, 3, 4, 2, 6], tf.int64),
        "item_id": tf.constant(items, tf.int64),
        "item_id_log_probability": tf.constant(LOG_PROBABILITY[items]),
        **columns,
    }


def loss_of(made: MatrixFactorizationModel, inputs: dict, weight: np.ndarray | None = None) -> float:
    return float(made.compute_loss(x=inputs, y_pred=made(inputs, training=True), sample_weight=weight))


def rows_of(made: MatrixFactorizationModel) -> tuple[np.ndarray, np.ndarray]:
    return tuple(table.embeddings.numpy().astype("float64") for table in (made.query_table, made.item_table))


def scores_of(made: MatrixFactorizationModel, candidates: np.ndarray, inputs: dict) -> tuple[np.ndarray, np.ndarray]:
    """Scores of each row's own item, and of all candidates, by temperature."""
    queries, items = rows_of(made)
    rows = queries[inputs["user_id"].numpy()]
    own = (rows * items[inputs["item_id"].numpy()]).sum(axis=1)
    return own / TEMPERATURE, rows @ items[candidates].T / TEMPERATURE


def softmax_loop(own: np.ndarray, others: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return np.array([np.logaddexp.reduce([s, *row[keep]]) - s for s, row, keep in zip(own, others, kept, strict=True)])


def test_negatives_of_a_column_join_those_of_the_batch() -> None:
    negative = [[2, 0], [3, 4], [0, 0], [8, 0], [0, 0], [7, 10]]
    inputs = batch(shown=tf.constant(negative, tf.int64))
    made = model(negatives=InBatch() + ColumnNegatives("shown"))
    ids = np.array([*inputs["item_id"].numpy(), *np.ravel(negative)])
    own, others = scores_of(made, ids, inputs)
    kept = (ids != inputs["item_id"].numpy()[:, None]) & (ids != 0)
    assert loss_of(made, inputs) == pytest.approx(softmax_loop(own, others, kept).mean(), rel=1e-5)
    alone = model(negatives=ColumnNegatives("shown"))
    wanted = softmax_loop(own, others[:, 6:], kept[:, 6:]).mean()
    assert loss_of(alone, inputs) == pytest.approx(wanted, rel=1e-5)


def test_negatives_by_another_name_of_the_id_are_refused() -> None:
    made = model(negatives=InBatch() + ColumnNegatives("shown", item_id="sku"))
    with pytest.raises(ValueError, match=r"item id is 'item_id', .* columns \['sku'\]. Say item_id='item_id'"):
        loss_of(made, batch(shown=tf.constant([[2]] * 6, tf.int64)))


def test_mixture_is_corrected_by_the_expected_count_of_all_its_sources() -> None:
    inputs = batch()
    corpus = tf.data.Dataset.from_tensors(
        {"item_id": np.arange(1, ITEMS), "item_id_log_probability": LOG_PROBABILITY[1:]}
    )
    uniform = Uniform(4, seed=1).adapt(corpus)
    made = model(negatives=InBatch() + uniform, sampling_correction=True)
    drawn = []
    draw = uniform.draw
    uniform.draw = lambda of: drawn.append(draw(of)) or drawn[-1]
    found = loss_of(made, inputs)
    ids = np.array([*inputs["item_id"].numpy(), *drawn[0].ids.numpy()])
    expected = np.log(6 * np.exp(LOG_PROBABILITY) + 4 / (ITEMS - 1))
    own, others = scores_of(made, ids, inputs)
    own, others = own - expected[inputs["item_id"].numpy()], others - expected[ids]
    kept = ids != inputs["item_id"].numpy()[:, None]
    assert found == pytest.approx(softmax_loop(own, others, kept).mean(), rel=1e-5)


@pytest.mark.parametrize("ragged", [True, False])
def test_known_positives_are_no_negatives(ragged: bool) -> None:
    known = [[3, 9], [], [1, 7, 11], [], [5], [2]]
    column = tf.ragged.constant(known, dtype=tf.int64)
    inputs = batch(liked=column if ragged else column.to_tensor())
    made = model(known_positives="liked")
    own, others = scores_of(made, inputs["item_id"].numpy(), inputs)
    ids = inputs["item_id"].numpy()
    kept = np.array([[j != ids[b] and j not in known[b] for j in ids] for b in range(6)])
    assert loss_of(made, inputs) == pytest.approx(softmax_loop(own, others, kept).mean(), rel=1e-5)


def test_rows_of_one_query_know_each_others_items() -> None:
    inputs = batch()
    made = model(known_positives="user_id")
    own, others = scores_of(made, inputs["item_id"].numpy(), inputs)
    ids, users = inputs["item_id"].numpy(), inputs["user_id"].numpy()
    kept = np.array([[i != ids[b] and i not in ids[users == users[b]] for i in ids] for b in range(6)])
    assert not kept[1, 4]
    assert loss_of(made, inputs) == pytest.approx(softmax_loop(own, others, kept).mean(), rel=1e-5)


@pytest.mark.parametrize("weighted", [True, False])
def test_symmetric_loss_is_the_mean_of_both_directions(weighted: bool) -> None:
    inputs, weight = batch(), np.array([1, 2, 0.5, 1, 0, 3]) if weighted else None
    known = [[3], [], [1], [], [5], [2]]
    inputs["liked"] = tf.ragged.constant(known, dtype=tf.int64)
    made = model(symmetric=True, temperature=(0.5, 0.25), known_positives="liked")
    ids = inputs["item_id"].numpy()
    own, others = scores_of(made, ids, inputs)
    kept = np.array([[j != ids[b] and j not in known[b] for j in ids] for b in range(6)])
    there = softmax_loop(own, others, kept)
    back = softmax_loop(2 * own, 2 * others.T, kept.T)
    wanted = (np.average(there, weights=weight) + np.average(back, weights=weight)) / 2
    assert loss_of(made, inputs, weight) == pytest.approx(wanted, rel=1e-5)


def test_another_loss_gets_scores_labels_and_mask() -> None:
    inputs = batch()
    made = model(loss=functools.partial(losses.bpr, max_positives=1), temperature=None)
    ids = inputs["item_id"].numpy()
    own, others = (TEMPERATURE * scores for scores in scores_of(made, ids, inputs))
    wanted = [np.mean(np.log1p(np.exp(others[b][ids != ids[b]] - own[b]))) for b in range(6)]
    assert loss_of(made, inputs) == pytest.approx(np.mean(wanted), rel=1e-5)


def test_several_positives_are_those_that_are_known() -> None:
    known = [[3, 9], [], [1], [], [], []]
    inputs = batch(liked=tf.ragged.constant(known, dtype=tf.int64))
    made = model(loss=losses.sampled_softmax, known_positives="liked", several_positives=True, temperature=0.5)
    ids = inputs["item_id"].numpy()
    own, others = scores_of(made, ids, inputs)
    wanted = []
    for b in range(6):
        positive = [own[b], *(others[b, j] for j in range(6) if ids[j] != ids[b] and ids[j] in known[b])]
        negative = [others[b, j] for j in range(6) if ids[j] != ids[b] and ids[j] not in known[b]]
        wanted.append(np.mean([np.logaddexp.reduce([p, *negative]) - p for p in positive]))
    assert loss_of(made, inputs) == pytest.approx(np.mean(wanted), rel=1e-5)


def test_negatives_of_a_column_need_their_log_probability_where_sampling_is_corrected() -> None:
    made = model(negatives=InBatch() + ColumnNegatives("shown"), sampling_correction=True)
    with pytest.raises(ValueError, match="needs the log-probability of the items of ColumnNegatives"):
        loss_of(made, batch(shown=tf.constant([[2]] * 6, tf.int64)))


@pytest.mark.parametrize("loss", [None, losses.sampled_softmax])
def test_only_the_hardest_negatives_count(loss: object) -> None:
    inputs = batch(item_id=tf.constant([7, 3, 5, 2, 1, 9], tf.int64))
    made = model(negatives=InBatch(hardest=2), loss=loss)
    ids = inputs["item_id"].numpy()
    own, others = scores_of(made, ids, inputs)
    np.fill_diagonal(others, -np.inf)
    kept = others >= np.sort(others, axis=1)[:, [-2]]
    assert loss_of(made, inputs) == pytest.approx(softmax_loop(own, others, kept).mean(), rel=1e-5)


@pytest.mark.parametrize("loss", [None, losses.sampled_softmax])
def test_the_hardest_of_the_batch_leave_the_negatives_of_other_sources_alone(loss: object) -> None:
    inputs = batch(item_id=tf.constant([7, 3, 5, 2, 1, 9], tf.int64), shown=tf.constant([[4, 6, 8, 10]] * 6, tf.int64))
    made = model(negatives=InBatch(hardest=2) + ColumnNegatives("shown"), loss=loss)
    own, others = scores_of(made, np.array([7, 3, 5, 2, 1, 9] + [4, 6, 8, 10] * 6), inputs)
    np.fill_diagonal(others, -np.inf)
    kept = others >= np.sort(others[:, :6], axis=1)[:, [-2]]
    kept[:, 6:] = True
    assert loss_of(made, inputs) == pytest.approx(softmax_loop(own, others, kept).mean(), rel=1e-5)


def test_memory_brings_the_items_of_the_batch_before() -> None:
    first, second = batch(), batch(item_id=tf.constant([2, 4, 5, 6, 1, 10], tf.int64))
    made = model(negatives=InBatch() + CrossBatchMemory(6))
    loss_of(made, first)
    ids = np.array([*second["item_id"].numpy(), *first["item_id"].numpy()])
    own, others = scores_of(made, ids, second)
    kept = ids != second["item_id"].numpy()[:, None]
    assert loss_of(made, second) == pytest.approx(softmax_loop(own, others, kept).mean(), rel=1e-5)


def test_validation_takes_the_batch_alone_and_keeps_nothing() -> None:
    memory = CrossBatchMemory(6)
    made, inputs = model(negatives=InBatch() + memory), batch()
    ids = inputs["item_id"].numpy()
    own, others = scores_of(made, ids, inputs)
    wanted = softmax_loop(own, others, ids != ids[:, None]).mean()
    for _ in range(2):
        found = made.compute_loss(x=inputs, y_pred=made(inputs), training=False)
        assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_streamed_frequencies_correct_what_comes_after() -> None:
    made, inputs = model(sampling_correction=StreamingFrequency(ITEMS)), batch()
    loss_of(made, inputs)
    log_probability = made.objective.sampling_correction.log_probability(inputs["item_id"]).numpy()
    assert log_probability[0] - log_probability[1] == pytest.approx(np.log(2), rel=1e-4), "item 7 stood twice"
    ids = inputs["item_id"].numpy()
    own, others = scores_of(made, ids, inputs)
    wanted = softmax_loop(own - log_probability, others - log_probability, ids != ids[:, None]).mean()
    assert loss_of(made, inputs) == pytest.approx(wanted, rel=1e-5)


def test_learned_temperature_has_a_finite_gradient_of_scores_in_half() -> None:
    temperature = LearnedTemperature(0.02, dtype="mixed_float16")
    scores = tf.constant([[1.0, -1.0]] * 64, tf.float16)
    with tf.GradientTape() as tape:
        logits = temperature(scores)
        loss = 1024 * 64 * tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits([[0.0, 1.0]] * 64, logits))
    (found,) = tape.gradient(loss, [weight.value for weight in temperature.trainable_weights])
    assert logits.dtype == tf.float32
    assert np.isfinite(found.numpy())
    assert temperature(keras.KerasTensor((None, 2), "float16")).dtype == "float32"


def test_learned_temperature_moves_to_where_the_loss_is_lower_and_stays_in_its_bounds() -> None:
    temperature = LearnedTemperature(0.5, 0.1, 0.9)
    made, inputs = model(temperature=temperature), batch()
    made.query_table.trainable = made.item_table.trainable = False
    queries, items = rows_of(made)
    made.item_table.embeddings.assign(10 * items)
    made.query_table.embeddings.assign(
        np.concatenate([10 * items[[0, 7, 3, 5, 7, 1, 9]], queries[7:]])
    )  # each query finds its own item
    inputs["user_id"] = tf.range(1, 7, dtype=tf.int64)
    made.compile(LazyAdam(0.5))
    data = tf.data.Dataset.from_tensors(inputs).repeat(60)
    assert float(temperature.value()) == pytest.approx(0.5)
    made.fit(data, verbose=0)
    assert 0.1 <= float(temperature.value()) < 0.15


def test_all_settings_survive_saving(tmp_path: Path) -> None:
    memory = CrossBatchMemory(5)
    settings = {
        "negatives": InBatch(hardest=4) + memory,
        "temperature": (LearnedTemperature(0.3), 0.2),
        "symmetric": True,
        "known_positives": "user_id",
        "several_positives": True,
        "loss": functools.partial(losses.hinge, margin=0.7),
        "sampling_correction": StreamingFrequency(ITEMS),
        "distinct_items": False,
        "parts": 2,
    }
    made, inputs = model(**settings), batch()
    made.compile(LazyAdam(0.1))
    made.fit(tf.data.Dataset.from_tensors(inputs).repeat(3), verbose=0)
    made.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == made.get_config()
    assert loaded.objective.loss.keywords == {"margin": 0.7}
    assert loss_of(loaded, inputs) == pytest.approx(loss_of(made, inputs), rel=1e-5)


def test_loss_of_ones_own_is_saved_once_it_is_registered(tmp_path: Path) -> None:
    def mine(scores: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor, sample_weight: tf.Tensor) -> tf.Tensor:
        return losses.bpr(2 * scores, labels, mask, sample_weight)

    made, inputs = model(loss=mine), batch()
    assert loss_of(made, inputs) > 0
    with pytest.raises(ValueError, match="Put `@keras.saving.register_keras_serializable"):
        made.save(tmp_path / "model.keras")
    keras.saving.register_keras_serializable("tests")(mine)
    made.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").objective.loss is mine


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature must be above 0. Received 0.0"),
        ({"temperature": (0.1, 0.2)}, "pair of temperatures is for symmetric=True"),
        ({"symmetric": True, "negatives": ColumnNegatives("shown")}, "add `InBatch"),
        ({"several_positives": True}, "needs known_positives=..., the column"),
        ({"several_positives": True, "known_positives": "liked"}, "a loss that takes several"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "bpr"}, "loss=tfdual.losses.bpr. Received 'bpr'"),
        ({"negatives": "uniform"}, r"InBatch\(\) \+ Uniform\(100\). Received 'uniform'"),
        ({"temperature": "learned"}, r"LearnedTemperature\(\). Received 'learned'"),
    ],
)
def test_names_in_place_of_objects_are_refused(options: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        model(**options)


def test_unknown_setting_is_refused() -> None:
    with pytest.raises((TypeError, ValueError), match="temprature"):
        model(temprature=0.1)


def test_batch_without_the_known_positives_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lacks the known positives, column 'liked'. It has \['item_id'"):
        loss_of(model(known_positives="liked"), batch())


@pytest.mark.parametrize("loss", [None, losses.bpr])
def test_batch_of_one_row_has_nothing_to_learn(loss: object) -> None:
    made = model(loss=loss)
    one = {name: values[:1] for name, values in batch().items()}
    made.compile(keras.optimizers.SGD(1.0))
    before = made.get_weights()
    assert made.fit(tf.data.Dataset.from_tensors(one), verbose=0).history["loss"][0] == pytest.approx(0, abs=1e-6)
    for found, wanted in zip(made.get_weights(), before, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)
