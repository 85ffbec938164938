"""MatrixFactorizationModel: against NumPy from its tables; what it learns, refuses, saves and serves."""

import functools
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tests.models.fresh_process import require_equal_answers
from tests.models.trained_alike import require_equal_training, saved_and_loaded
from tests.sample_columns import domain
from tfdual import ColumnSchema, LazyAdam, Schema, Tags, losses
from tfdual.models import MatrixFactorizationModel
from tfdual.negatives import InBatch, Uniform

USERS, ITEMS, DIM = 9, 12, 4
SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], domain("user_id", USERS)),
        ColumnSchema("item_id", [Tags.ITEM_ID], domain("item_id", ITEMS)),
        ColumnSchema("age", [Tags.USER], dtype="float32"),
    ]
)
BPR = functools.partial(losses.bpr, max_positives=1)
CATALOGUE = tf.data.Dataset.from_tensors({"item_id": np.arange(1, ITEMS)})


def model(**options) -> MatrixFactorizationModel:
    keras.utils.set_random_seed(5)
    made = MatrixFactorizationModel(SCHEMA, DIM, **{"sampling_correction": False} | options)
    made.build()
    rng = np.random.default_rng(1)
    for weight in made.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    return made


def batch() -> dict[str, tf.Tensor]:
    """User 2 and item 7 stand twice."""
    return {"user_id": tf.constant([1, 2, 3, 2, 6], tf.int64), "item_id": tf.constant([7, 3, 5, 7, 9], tf.int64)}


def loss_of(made: MatrixFactorizationModel, inputs: dict, weight: np.ndarray | None = None) -> float:
    return float(made.compute_loss(x=inputs, y_pred=made(inputs, training=True), sample_weight=weight))


def scores_by_hand(made: MatrixFactorizationModel, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    queries, rows = (table.embeddings.numpy().astype("float64") for table in (made.query_table, made.item_table))
    bias = made.biases.embeddings.numpy()[items, 0] if made.item_bias else 0
    return queries[users] @ rows[items].T + bias


@pytest.mark.parametrize("item_bias", [True, False])
def test_scores_are_products_of_rows_and_the_bias_of_the_item(item_bias: bool) -> None:
    made, inputs = model(item_bias=item_bias), batch()
    found = made.score(made.encode_query(inputs), made.encode_item(inputs))
    wanted = scores_by_hand(made, inputs["user_id"].numpy(), inputs["item_id"].numpy())
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert made(inputs)["query"].shape == made(inputs)["item"].shape == (5, DIM + item_bias)


@pytest.mark.parametrize("item_bias", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_loss_is_the_softmax_of_these_scores_without_a_temperature(item_bias: bool, weighted: bool) -> None:
    made, inputs, weight = model(item_bias=item_bias), batch(), np.array([1, 2, 0, 4, 0.5]) if weighted else None
    ids = inputs["item_id"].numpy()
    scores = scores_by_hand(made, inputs["user_id"].numpy(), ids)
    rows = [[scores[b, b], *scores[b, ids != ids[b]]] for b in range(5)]
    wanted = np.average([np.logaddexp.reduce(row) - row[0] for row in rows], weights=weight)
    assert loss_of(made, inputs, weight) == pytest.approx(wanted, rel=1e-5)
    assert loss_of(model(item_bias=item_bias, temperature=None), inputs, weight) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("sampled", [True, False])
def test_l2_is_the_mean_of_the_squares_of_queries_and_distinct_items(sampled: bool) -> None:
    options = {"negatives": InBatch() + Uniform(6, seed=1).adapt(CATALOGUE)} if sampled else {}
    plain, inputs = loss_of(model(**options), batch()), batch()
    uniform = {"negatives": InBatch() + Uniform(6, seed=1).adapt(CATALOGUE)} if sampled else {}
    made = model(l2=0.3, **uniform)
    queries, items = (table.embeddings.numpy() for table in (made.query_table, made.item_table))
    squares = [np.square(queries[[1, 2, 3, 2, 6]]), np.square(items[[7, 3, 5, 9]])]
    wanted = plain + 0.3 * sum(square.sum(axis=1).mean() for square in squares)
    assert loss_of(made, inputs) == pytest.approx(wanted, rel=1e-5)


def test_l2_in_parts_trains_as_the_whole_batch() -> None:
    def after(parts: int) -> list[np.ndarray]:
        made = model(l2=0.3, parts=parts, distinct_items=False, negatives=Uniform(6, seed=1).adapt(CATALOGUE))
        made.compile(keras.optimizers.SGD(0.1))
        made.fit(tf.data.Dataset.from_tensors(batch()), verbose=0)
        return [weight.numpy() for weight in made.trainable_weights]

    for found, wanted in zip(after(2), after(1), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_model_that_was_not_built_is_built_as_it_trains_or_is_evaluated() -> None:
    data = tf.data.Dataset.from_tensors(batch())
    for parts in (1, 2):
        made = MatrixFactorizationModel(SCHEMA, DIM, parts=parts, sampling_correction=False)
        made.compile(LazyAdam(0.1))
        losses = made.fit(data.repeat(9), epochs=2, verbose=0).history["loss"]
        assert losses[1] < losses[0]
    fresh = MatrixFactorizationModel(SCHEMA, DIM)
    assert tfdual.evaluate(fresh, data, CATALOGUE, ks=(ITEMS,))["recall@12"] == 1


def test_bpr_compares_each_pair_with_sampled_items() -> None:
    uniform = Uniform(6, seed=1).adapt(CATALOGUE)
    made, inputs, drawn, draw = model(loss=BPR, negatives=uniform), batch(), [], uniform.draw
    uniform.draw = lambda of: drawn.append(draw(of)) or drawn[-1]
    found, others, own = loss_of(made, inputs), drawn[0].ids.numpy(), inputs["item_id"].numpy()
    scores = scores_by_hand(made, inputs["user_id"].numpy(), np.concatenate([own, others]))
    wanted = [np.log1p(np.exp(scores[b, 5:] - scores[b, b]))[others != own[b]].mean() for b in range(5)]
    assert found == pytest.approx(np.mean(wanted), rel=1e-5)


def liked() -> dict[str, np.ndarray]:
    """User `u` likes the items `u` and `u + 1`."""
    users = np.repeat(np.arange(1, USERS), 2)
    return {"user_id": users, "item_id": users + np.tile([0, 1], USERS - 1)}


def test_bpr_with_sampled_items_learns_what_each_user_likes() -> None:
    made = model(loss=BPR, negatives=Uniform(8, seed=1).adapt(CATALOGUE), item_bias=True, l2=1e-3)
    made.compile(LazyAdam(0.05))
    queries = tf.data.Dataset.from_tensor_slices(liked()).batch(16)
    before = tfdual.evaluate(made, queries, CATALOGUE, ks=(2,))
    made.fit(queries.repeat(100), verbose=0)
    after = tfdual.evaluate(made, queries, CATALOGUE, ks=(2,))
    assert before["recall@2"] < 0.5
    assert after["recall@2"] == 1


def test_loaded_model_gives_the_same_and_trains_on_as_this_one(tmp_path: Path) -> None:
    made = model(loss=BPR, negatives=Uniform(8, seed=1).adapt(CATALOGUE), item_bias=True, l2=0.1, initializer="normal")
    made.compile(LazyAdam(0.05))
    data = tf.data.Dataset.from_tensor_slices(liked()).batch(8)
    made.fit(data, verbose=0)
    loaded = saved_and_loaded(made, tmp_path)
    assert loaded.query_table.initializer == "normal"
    for side, vectors in made(batch()).items():
        np.testing.assert_array_equal(loaded(batch())[side], vectors)
    require_equal_training(loaded, made, data)


@pytest.mark.slow
def test_retriever_answers_raw_ids_in_a_fresh_process(tmp_path: Path) -> None:
    schema = Schema(
        [ColumnSchema("user", [Tags.USER_ID], dtype="string"), ColumnSchema("item", [Tags.ITEM_ID], dtype="int64")]
    )
    rows = tfdual.read(pa.table({"user": [f"u{i % 5}" for i in range(20)], "item": np.arange(20) + 2**53}), schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    made = MatrixFactorizationModel(prep.schema, DIM, item_bias=True)
    made.compile(LazyAdam(0.1))
    made.fit(rows.batch(8).map(prep), epochs=3, verbose=0)
    items = rows.select(schema.select_by_name("item"))
    retriever = made.to_retriever(items, tfdual.BruteForce(), prep)
    queries = {"user": ["u3", "never seen"]}
    wanted = retriever.search(queries, k=20)
    (corpus,) = items.batch(20)
    scores = (
        made.encode_query(prep({"user": tf.constant(queries["user"])})).numpy()
        @ made.encode_item(prep(corpus)).numpy().T
    )
    np.testing.assert_allclose(wanted["score"], -np.sort(-scores, axis=1), atol=1e-5)
    require_equal_answers(retriever, tmp_path, queries, 20)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_that_of_the_model(policy: str) -> None:
    exact, mixed, inputs = model(item_bias=True), model(item_bias=True, dtype=policy), batch()
    assert {vectors.dtype.name for vectors in mixed(inputs).values()} == {policy.removeprefix("mixed_")}
    assert {str(weight.dtype) for weight in mixed.weights} == {"float32"}
    assert loss_of(mixed, inputs) == pytest.approx(loss_of(exact, inputs), rel=0.05)
    assert MatrixFactorizationModel.from_config(mixed.get_config()).item_table.dtype_policy.name == policy


def test_graph_of_any_batch_size_gives_equal_scores() -> None:
    made, inputs = model(item_bias=True), batch()
    specs = [{name: tf.TensorSpec([None], tf.int64) for name in inputs}]
    graph = tf.function(lambda inputs: made.score(made.encode_query(inputs), made.encode_item(inputs)), specs)
    whole = graph(inputs)
    np.testing.assert_allclose(whole, made.score(*made(inputs).values()), rtol=1e-5)
    np.testing.assert_allclose(graph({n: ids[2:3] for n, ids in inputs.items()}), whole[2:3, 2:3], rtol=1e-5)
    assert graph({name: ids[:0] for name, ids in inputs.items()}).shape == (0, 0)


@pytest.mark.parametrize("loss", [None, BPR])
def test_empty_batch_has_nothing_to_learn(loss: object) -> None:
    made = model(loss=loss, l2=0.1)
    made.compile(keras.optimizers.SGD(1.0))
    before = made.get_weights()
    assert made.train_on_batch({name: ids[:0] for name, ids in batch().items()}) == 0
    for found, wanted in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_query_reads_its_own_table_alone() -> None:
    made = model(item_bias=True)
    assert list(made.query_side.columns) == ["user_id"]
    assert [variable.ref() for variable in made.query_side.variables] == [made.query_table.embeddings.value.ref()]


def test_item_id_is_the_column_that_is_named() -> None:
    sku = ColumnSchema("sku", properties=domain("sku", 5))
    made = MatrixFactorizationModel(Schema([*SCHEMA, sku]), DIM, item_id="sku")
    assert (made.item_id, made.item_table.cardinality) == ("sku", 5)
    assert MatrixFactorizationModel.from_config(made.get_config()).get_config() == made.get_config()


@pytest.mark.parametrize(
    ("schema", "options", "message"),
    [
        (SCHEMA.select_by_name("item_id"), {}, r"one column tagged 'user_id'. The schema has \[\]"),
        (SCHEMA.select_by_name("user_id"), {}, r"one column tagged 'item_id'. The schema has \[\]"),
        (SCHEMA, {"item_id": "sku"}, r"no column 'sku'. It has \['user_id', 'item_id', 'age'\]"),
        (SCHEMA, {"item_id": "age"}, "'age' have no known largest value"),
        (SCHEMA, {"dim": 0}, "dim >= 1"),
        (SCHEMA, {"l2": -1.0}, "l2 is 0 or more"),
        (SCHEMA, {"initializer": "zebra"}, "zebra"),
        (SCHEMA, {"parts": 0}, "parts is 1 or more"),
    ],
)
def test_bad_arguments_are_refused(schema: Schema, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MatrixFactorizationModel(schema, **options)


def test_arguments_that_there_are_not_are_refused_by_name() -> None:
    with pytest.raises(
        TypeError, match=r"MatrixFactorizationModel has no arguments \['factors'\]. It takes schema, dim, .*negatives"
    ):
        MatrixFactorizationModel(SCHEMA, factors=8)
