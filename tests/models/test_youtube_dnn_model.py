"""YouTubeDNNModel: against NumPy from its tables; what it learns, refuses, saves and serves."""

from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tests.models.fresh_process import require_equal_answers
from tests.models.trained_alike import dtype_policy, require_equal_training, saved_and_loaded
from tests.sample_columns import domain
from tfdual import ColumnSchema, EmbeddingOptions, InputBlock, L2Norm, LazyAdam, MLPBlock, Schema, Tags
from tfdual.models import YouTubeDNNModel

USERS, ITEMS, TEMPERATURE = 9, 12, 0.5
SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], domain("user_id", USERS)),
        ColumnSchema("history", [Tags.USER], domain("item_id", ITEMS) | {"weights": "stars"}, is_list=True),
        ColumnSchema("stars", [Tags.WEIGHT], dtype="float32", is_list=True),
        ColumnSchema("hour", [Tags.CONTEXT], dtype="float32"),
        ColumnSchema("item_id", [Tags.ITEM_ID], domain("item_id", ITEMS)),
        ColumnSchema("genre", [Tags.ITEM], domain("genre", 5)),
        ColumnSchema("item_id_log_probability", [Tags.LOG_PROBABILITY], dtype="float32"),
        ColumnSchema("clicked", [Tags.USER, Tags.TARGET], dtype="float32"),
        ColumnSchema("shown", properties=domain("item_id", ITEMS), is_list=True),
    ]
)
OPTIONS = EmbeddingOptions(embedding_dim_default=3, embeddings_initializers="normal")
LISTS = [[3, 7], [], [5, 7, 2], [9], [4]]


def model(**options) -> YouTubeDNNModel:
    keras.utils.set_random_seed(5)
    tower = MLPBlock([4], no_activation_last_layer=True)
    made = YouTubeDNNModel(SCHEMA, tower, OPTIONS, **{"temperature": TEMPERATURE} | options)
    made.build()
    rng = np.random.default_rng(1)
    for weight in made.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    return made


def batch() -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(0)
    history = tf.ragged.constant(LISTS, dtype=tf.int64)
    return {
        "user_id": tf.constant([1, 2, 3, 2, 6], tf.int64),
        "history": history,
        "stars": history.with_flat_values(tf.constant(rng.uniform(1, 5, 7), tf.float32)),
        "hour": tf.constant(rng.normal(size=5), tf.float32),
        "item_id": tf.constant([7, 3, 5, 7, 9], tf.int64),
        "item_id_log_probability": tf.constant(np.log([0.3, 0.1, 0.2, 0.3, 0.05]), tf.float32),
    }


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def queries_by_hand(made: YouTubeDNNModel, inputs: dict) -> np.ndarray:
    tables = {name: table.embeddings.numpy() for name, table in made.query.tables.items()}
    kernel, bias = (weight.numpy() for weight in made.query.block.layers[-1].weights)
    rows = []
    for row, ids in enumerate(inputs["history"].to_list()):
        stars = np.array(inputs["stars"].to_list()[row])
        history = (stars[:, None] * tables["item_id"][ids]).sum(axis=0) / stars.sum() if ids else np.zeros(3)
        user = tables["user_id"][int(inputs["user_id"][row])]
        rows.append(np.concatenate([history, [float(inputs["hour"][row])], user]) @ kernel + bias)
    return np.array(rows)


@pytest.mark.parametrize("item_bias", [False, True])
@pytest.mark.parametrize("post", [None, "l2-norm"])
def test_scores_are_those_of_the_tower_the_output_table_and_the_bias(post: str | None, item_bias: bool) -> None:
    made, inputs = model(post=post, item_bias=item_bias), batch()
    queries = queries_by_hand(made, inputs)
    ids = inputs["item_id"].numpy()
    items = made.item_table.embeddings.numpy()[ids]
    wanted = queries @ items.T if post is None else unit(queries) @ unit(items).T
    if item_bias:
        wanted = wanted + made.biases.embeddings.numpy()[ids, 0]
    found = made(inputs)
    np.testing.assert_allclose(made.score(found["query"], found["item"]), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weighted", [True, False])
def test_loss_is_the_corrected_softmax_of_these_scores(weighted: bool) -> None:
    made, inputs, weight = model(), batch(), np.array([1, 2, 0, 4, 0.5]) if weighted else None
    ids = inputs["item_id"].numpy()
    scores = unit(queries_by_hand(made, inputs)) @ unit(made.item_table.embeddings.numpy()[ids]).T / TEMPERATURE
    scores = scores - inputs["item_id_log_probability"].numpy()
    rows = [[scores[b, b], *scores[b, ids != ids[b]]] for b in range(5)]
    wanted = np.average([np.logaddexp.reduce(row) - row[0] for row in rows], weights=weight)
    found = made.compute_loss(x=inputs, y_pred=made(inputs, training=True), sample_weight=weight)
    assert float(found) == pytest.approx(wanted, rel=1e-4)


def test_rows_of_one_user_are_encoded_once_where_asked() -> None:
    """Rows 1 and 3 are of one user; `once` gives both the embedding of the first."""
    inputs, once, each = batch(), model(distinct_queries="user_id"), model()
    wanted = each(inputs)["query"].numpy()
    assert np.abs(wanted[1] - wanted[3]).max() > 0.1
    np.testing.assert_array_equal(once(inputs)["query"], wanted)  # not in training
    np.testing.assert_allclose(once(inputs, training=True)["query"], wanted[[0, 1, 2, 1, 4]], rtol=1e-5)


@pytest.mark.parametrize("known", [None, "user_id"])
def test_a_user_taken_once_changes_no_gradient_where_the_columns_are_the_users_own(known: str | None) -> None:
    """Encoded once; and where the rows of a user know each other's items, scored once too."""
    own = {name: tf.gather(batch()[name], [0, 1, 2, 1, 4]) for name in ("user_id", "history", "stars", "hour")}
    inputs, gradients = batch() | own, []
    for made in (model(distinct_queries="user_id", known_positives=known), model(known_positives=known)):
        with tf.GradientTape() as tape:
            loss = made.compute_loss(x=inputs, y_pred=made(inputs, training=True), sample_weight=[1, 2, 0.5, 4, 1])
        found = tape.gradient(loss, [weight.value for weight in made.trainable_weights])
        gradients.append([tf.convert_to_tensor(one) for one in found])
    for once, each in zip(*gradients, strict=True):
        np.testing.assert_allclose(once, each, rtol=1e-4, atol=1e-6)


def test_missing_ids_of_queries_are_named() -> None:
    with pytest.raises(ValueError, match=r"lacks the ids of queries, column 'session'. It has \['history'"):
        model(distinct_queries="session")(batch(), training=True)


def test_bias_lets_unit_vectors_rank_by_popularity() -> None:
    """Of items that any query takes as often, the one that is taken most comes first for a query of nothing."""
    made = model(item_bias=True)
    made.item_table.embeddings.assign(np.tile([[1.0, 0, 0, 0]], (ITEMS, 1)))
    made.biases.embeddings.assign(np.arange(ITEMS, dtype="float32")[::-1, None])
    scores = made.score(made.encode_query(batch()), made.encode_item({"item_id": tf.range(ITEMS)}))
    assert (np.argsort(-scores.numpy(), axis=1) == np.arange(ITEMS)).all()


def test_history_is_pooled_by_a_table_of_its_own() -> None:
    made = model()
    assert made.query.tables["item_id"] is not made.item_table
    assert made.item_table.embeddings.shape == (ITEMS, 4)
    assert made.query.tables["item_id"].embeddings.shape == (ITEMS, 3)


def test_query_reads_the_columns_of_the_user_and_the_request_and_nothing_of_the_answer() -> None:
    made = model()
    assert list(made.query_side.columns) == ["user_id", "history", "stars", "hour"]
    made.encode_query({name: batch()[name] for name in made.query_side.columns})
    session = Schema([SCHEMA["item_id"], ColumnSchema("device", [Tags.SESSION], domain("device", 3))])
    assert list(YouTubeDNNModel(session, MLPBlock([4])).query_side.columns) == ["device"]


def test_query_tower_may_read_columns_by_itself() -> None:
    tower = InputBlock(SCHEMA.select_by_name("hour"), aggregation="concat") >> keras.layers.Dense(4)
    made = YouTubeDNNModel(SCHEMA, tower)
    assert list(made.query_side.columns) == ["hour"]
    assert made.encode_query({"hour": tf.ones(3)}).shape == (3, 4)


def test_variables_of_the_query_are_all_that_it_reads() -> None:
    made = model(post=keras.layers.Dense(4))
    with tf.GradientTape() as tape:
        made.encode_query(batch())
    read = {variable.ref() for variable in tape.watched_variables()}
    assert read == {variable.ref() for variable in made.query_side.variables}


def walks(rows: int, seed: int) -> tuple[dict[str, tf.Tensor], np.ndarray]:
    """What was watched last, of a walk round 1, 2, ..., 11, 1, ..., and what comes next."""
    rng = np.random.default_rng(seed)
    last = rng.integers(0, ITEMS - 1, rows)
    lists = [[int(last[i] - 1) % (ITEMS - 1) + 1, int(last[i]) + 1][-(1 + i % 2) :] for i in range(rows)]
    return {"history": tf.ragged.constant(lists, dtype=tf.int64)}, (last + 1) % (ITEMS - 1) + 1


def test_next_item_is_learned_from_the_last_ones() -> None:
    schema = Schema([ColumnSchema("history", [Tags.USER], domain("item_id", ITEMS), is_list=True), SCHEMA["item_id"]])
    options = {"temperature": 0.1, "sampling_correction": False}
    made = YouTubeDNNModel(schema, MLPBlock([32, 16], no_activation_last_layer=True), OPTIONS, **options)
    made.compile(LazyAdam(0.02))
    history, following = walks(64, 0)
    data = tf.data.Dataset.from_tensors(history | {"item_id": following})
    made.fit(data.repeat(150), verbose=0)
    asked, wanted = walks(40, 1)
    items = tf.data.Dataset.from_tensors({"item_id": np.arange(1, ITEMS)})
    queries = tf.data.Dataset.from_tensors(asked | {"item_id": wanted})
    assert tfdual.evaluate(made, queries, items, ks=(1,))["hit_rate@1"] == 1


@pytest.mark.parametrize("post", ["l2-norm", keras.layers.Dense(4, name="last"), None])
def test_loaded_model_gives_the_same_and_trains_on_as_this_one(post: object, tmp_path: Path) -> None:
    made, data = model(post=post, item_bias=True, distinct_queries="user_id"), tf.data.Dataset.from_tensors(batch())
    made.compile(LazyAdam(0.05))
    made.fit(data, verbose=0)
    loaded = saved_and_loaded(made, tmp_path)
    assert loaded.embedding_options == OPTIONS
    for side, vectors in made(batch()).items():
        np.testing.assert_array_equal(loaded(batch())[side], vectors)
    require_equal_training(loaded, made, data)


@pytest.mark.slow
def test_retriever_answers_raw_queries_in_a_fresh_process(tmp_path: Path) -> None:
    item = {"domain": {"name": "item"}}
    schema = Schema(
        [
            ColumnSchema("history", [Tags.USER], item, "string", is_list=True),
            ColumnSchema("hour", [Tags.CONTEXT], dtype="float32"),
            ColumnSchema("item", [Tags.ITEM_ID], item, "string"),
        ]
    )
    names = [f"item {i}" for i in range(ITEMS)]
    histories = [[names[(i + j) % ITEMS] for j in range(i % 3)] for i in range(ITEMS)]
    table = pa.table({"history": histories, "hour": np.linspace(0, 1, ITEMS).astype("float32"), "item": names})
    rows = tfdual.read(table, schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    made = YouTubeDNNModel(prep.schema, MLPBlock([8, 4]), OPTIONS, item_bias=True)
    made.compile(LazyAdam(0.05))
    made.fit(rows.batch(4).map(prep), verbose=0)
    retriever = made.to_retriever(rows.select(schema.select_by_name("item")), tfdual.BruteForce(), prep)
    queries = {"history": [names[2:4], [], ["never seen"]], "hour": [0.5, 0.25, 1.0]}
    wanted = retriever.search(queries, k=ITEMS)
    ready = prep({"history": tf.ragged.constant(queries["history"]), "hour": tf.constant(queries["hour"])})
    scores = made.encode_query(ready).numpy() @ made.encode_item(prep({"item": tf.constant(names)})).numpy().T
    np.testing.assert_allclose(wanted["score"], -np.sort(-scores, axis=1), atol=1e-5)
    require_equal_answers(retriever, tmp_path, queries, ITEMS)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_kept_where_the_model_is_loaded_elsewhere(policy: str) -> None:
    with dtype_policy(policy):
        mixed = model()
    exact, inputs = model(), batch()
    again = YouTubeDNNModel.from_config(mixed.get_config())
    again.build()
    again.set_weights(exact.get_weights())
    for made in (mixed, again):
        for side, vectors in made(inputs).items():
            assert vectors.dtype == policy.removeprefix("mixed_")
            np.testing.assert_allclose(tf.cast(vectors, tf.float32), exact(inputs)[side], atol=0.05)
        assert {str(weight.dtype) for weight in made.trainable_weights} == {"float32"}


def test_graph_of_any_batch_size_gives_equal_outputs() -> None:
    made, inputs = model(), batch()
    lists = {name: tf.RaggedTensorSpec([None, None], inputs[name].dtype) for name in ("history", "stars")}
    specs = {name: tf.TensorSpec([None], inputs[name].dtype) for name in ("user_id", "hour", "item_id")} | lists
    graph = tf.function(made.call, [specs])
    whole = made({name: inputs[name] for name in specs})
    for part in (slice(None), slice(2, 3), slice(0, 0)):
        found = graph({name: inputs[name][part] for name in specs})
        for side, vectors in found.items():
            np.testing.assert_allclose(vectors, whole[side][part], rtol=1e-5, atol=1e-6)


def test_empty_batch_has_nothing_to_learn() -> None:
    made = model()
    made.compile(keras.optimizers.SGD(1.0))
    before = made.get_weights()
    assert made.train_on_batch({name: values[:0] for name, values in batch().items()}) == 0
    for found, wanted in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_item_id_is_the_column_that_is_named() -> None:
    made = YouTubeDNNModel(
        Schema([*SCHEMA, ColumnSchema("sku", [Tags.ITEM], domain("sku", 5))]), MLPBlock([4]), item_id="sku"
    )
    made.build()
    assert (made.item_id, made.item_table.cardinality) == ("sku", 5)
    assert YouTubeDNNModel.from_config(made.get_config()).get_config() == made.get_config()


@pytest.mark.parametrize(
    ("schema", "options", "message"),
    [
        (SCHEMA.excluding_by_name("item_id"), {}, r"one column tagged 'item_id'. The schema has \[\]"),
        (SCHEMA.select_by_tag(Tags.ITEM), {}, "tagged USER, SESSION or CONTEXT"),
        (SCHEMA, {"item_id": "sku"}, "no column 'sku'"),
        (SCHEMA, {"embedding_options": EmbeddingOptions(embedding_dims={"colour": 3})}, "names .'colour'."),
        (
            SCHEMA,
            {"query_tower": InputBlock(SCHEMA.select_by_name(["hour", "item_id"]), aggregation="concat")},
            "it is to find",
        ),
        (SCHEMA, {"temperature": 0.0}, "temperature must be above 0"),
    ],
)
def test_bad_arguments_are_refused(schema: Schema, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        YouTubeDNNModel(schema, **{"query_tower": L2Norm()} | options)


def test_features_of_neither_side_are_named_in_a_warning() -> None:
    others = [
        ColumnSchema("height", dtype="float32"),
        ColumnSchema("price", [Tags.ITEM], dtype="float32"),
        ColumnSchema("length", [Tags.SESSION], dtype="float32"),
    ]
    with pytest.warns(UserWarning, match=r"No tower reads the columns \['height'\]") as told:
        YouTubeDNNModel(Schema([*SCHEMA, *others]), MLPBlock([4]), OPTIONS)
    assert told[0].filename == __file__
