"""TwoTowerModel: what it computes, what it learns, what it refuses, and that it outlives its process."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch, domain
from tfdual import (
    ColumnSchema,
    EmbeddingOptions,
    LazyAdam,
    MLPBlock,
    Preprocessor,
    Retriever,
    Schema,
    Tags,
    TwoTowerBlock,
    TwoTowerModel,
    evaluate,
    read,
)
from tfdual.negatives import ColumnNegatives
from tfdual.preprocessing import HashBuckets, Vocabulary

REPOSITORY = Path(__file__).resolve().parents[2]
PAIRS = 24


def sample_model(**kwargs) -> TwoTowerModel:
    """Rows of one item id may differ in their other columns here, so each row is scored by itself."""
    kwargs = {"distinct_items": False} | kwargs
    towers = TwoTowerBlock(SCHEMA, MLPBlock([8, 4], activation="tanh"), embedding_options=OPTIONS, post="l2-norm")
    return TwoTowerModel(towers, **kwargs)


def id_model(**kwargs) -> TwoTowerModel:
    """User and item ids alone; user `n` likes item `n`."""
    columns = [
        ColumnSchema("user_id", [Tags.USER_ID], domain("user_id", PAIRS + 1)),
        ColumnSchema("item_id", [Tags.ITEM_ID], domain("item_id", PAIRS + 1)),
    ]
    options = EmbeddingOptions(embedding_dim_default=8)
    towers = TwoTowerBlock(Schema(columns), keras.layers.Dense(8), embedding_options=options, post="l2-norm")
    return TwoTowerModel(towers, **({"sampling_correction": False} | kwargs))


def pairs() -> dict[str, np.ndarray]:
    return {"user_id": np.arange(1, PAIRS + 1), "item_id": np.arange(1, PAIRS + 1)}


def loss_of(model: TwoTowerModel, inputs: dict, weight: np.ndarray | None = None) -> float:
    return float(model.compute_loss(x=inputs, y_pred=model(inputs), sample_weight=weight))


def loop(model: TwoTowerModel, inputs: dict, temperature: float, weight: np.ndarray | None = None) -> float:
    """The loss as its definition says, by a loop over embeddings that come from the towers."""
    query, item = (
        vectors.numpy().astype("float64") for vectors in (model.encode_query(inputs), model.encode_item(inputs))
    )
    ids, correction = inputs["item_id"].numpy(), inputs["item_id_log_probability"].numpy()
    losses = []
    for row in range(len(query)):
        scores = {
            column: query[row] @ item[column] / temperature - correction[column]
            for column in range(len(item))
            if column == row or ids[column] != ids[row]
        }
        losses.append(np.logaddexp.reduce(list(scores.values())) - scores[row])
    return float(np.average(losses, weights=weight))


def dense(gradient: tf.Tensor | tf.IndexedSlices) -> np.ndarray:
    return tf.convert_to_tensor(gradient).numpy()


def with_repeats() -> dict[str, tf.Tensor]:
    return batch() | {"item_id": tf.constant([1, 2, 1, 5, 2, 1], tf.int64)}


def test_scoring_distinct_items_once_is_exact_where_the_columns_are_the_items_own() -> None:
    inputs = {name: tf.gather(values, [0, 1, 0, 3, 1, 0]) for name, values in with_repeats().items()}
    once, each = sample_model(distinct_items=True), sample_model(distinct_items=False)
    for model in (once, each):
        model.build(None)
    once.set_weights(each.get_weights())
    assert len(set(inputs["item_id"].numpy())) < 6
    assert loss_of(once, inputs) == pytest.approx(loop(each, inputs, 0.05), rel=1e-5)
    gradients = []
    for model in (once, each):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x=inputs, y_pred=model(inputs))
        gradients.append([dense(g) for g in tape.gradient(loss, [v.value for v in model.trainable_variables])])
    for left, right in zip(*gradients, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_loss_is_that_of_its_definition(temperature: float) -> None:
    model, inputs, weight = sample_model(temperature=temperature), with_repeats(), np.linspace(0.5, 2, 6)
    assert loss_of(model, inputs) == pytest.approx(loop(model, inputs, temperature), rel=1e-4)
    assert loss_of(model, inputs, weight) == pytest.approx(loop(model, inputs, temperature, weight), rel=1e-4)


def test_default_temperature_is_the_documented_one() -> None:
    model, inputs = sample_model(), with_repeats()
    assert loss_of(model, inputs) == pytest.approx(loop(model, inputs, 0.05), rel=1e-4)


def test_training_reports_the_loss_of_its_definition() -> None:
    model, inputs, weight = sample_model(temperature=0.2), with_repeats(), np.linspace(0.5, 2, 6).astype("float32")
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    model.build()
    assert model.train_on_batch(inputs) == pytest.approx(loop(model, inputs, 0.2), rel=1e-4)
    data = tf.data.Dataset.from_tensors((inputs, None, weight))
    trained = model.fit(data, verbose=0).history["loss"][0]
    assert trained == pytest.approx(loop(model, inputs, 0.2, weight), rel=1e-4)


def test_validation_scores_are_not_corrected() -> None:
    model, inputs = sample_model(temperature=0.2), with_repeats()
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    plain = inputs | {"item_id_log_probability": tf.zeros(6)}
    assert loop(model, inputs, 0.2) != pytest.approx(loop(model, plain, 0.2), rel=1e-3)
    found = model.evaluate(tf.data.Dataset.from_tensors(inputs), verbose=0)
    assert found == pytest.approx(loop(model, plain, 0.2), rel=1e-4)


def test_dropout_in_a_tower_is_on_in_training_and_off_elsewhere() -> None:
    def model(dropout: float) -> TwoTowerModel:
        keras.utils.set_random_seed(0)
        body = keras.Sequential([keras.layers.Dropout(dropout, seed=1), keras.layers.Dense(4)])
        made = TwoTowerModel(TwoTowerBlock(SCHEMA, body, embedding_options=OPTIONS), distinct_items=False)
        made.build()
        made.compile(keras.optimizers.SGD(0.0))
        return made

    data = tf.data.Dataset.from_tensors(batch())
    without, dropping = model(0.0), model(0.9)
    assert dropping.evaluate(data, verbose=0) == pytest.approx(without.evaluate(data, verbose=0), rel=1e-5)
    losses = [one.fit(data, verbose=0).history["loss"][0] for one in (without, dropping)]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_losses_that_layers_add_are_part_of_it() -> None:
    def loss(penalty: float) -> float:
        keras.utils.set_random_seed(0)
        body = keras.layers.Dense(4, kernel_regularizer=keras.regularizers.L2(penalty))
        model = TwoTowerModel(TwoTowerBlock(SCHEMA, body, embedding_options=OPTIONS))
        found = loss_of(model, batch())
        kernels = [side.block.layers[-1].kernel.numpy() for side in (model.towers.query, model.towers.item)]
        return found - penalty * sum(float((kernel**2).sum()) for kernel in kernels)

    assert loss(0.5) == pytest.approx(loss(0.0), rel=1e-4)


def test_output_is_both_embeddings_and_score_their_inner_products() -> None:
    model, inputs = sample_model(), batch()
    outputs = model(inputs)
    assert {name: tuple(vectors.shape) for name, vectors in outputs.items()} == {"query": (6, 4), "item": (6, 4)}
    np.testing.assert_array_equal(outputs["query"], model.encode_query(inputs))
    np.testing.assert_array_equal(outputs["item"], model.encode_item(inputs))
    for vectors in outputs.values():
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    scores = model.score(outputs["query"][:2], outputs["item"]).numpy()
    wanted = [[np.dot(query, item) for item in outputs["item"].numpy()] for query in outputs["query"].numpy()[:2]]
    np.testing.assert_allclose(scores, wanted, rtol=1e-5)


def test_each_side_is_encoded_without_the_columns_of_the_other() -> None:
    model, inputs = sample_model(), batch()
    assert list(model.query_side.columns) == ["user_id", "age", "likes"]
    model.encode_query({name: inputs[name] for name in model.query_side.columns})
    model.encode_item({name: inputs[name] for name in ("item_id", "genres", "picture")})
    inside = {id(variable) for variable in model.query_side.variables}
    assert inside == {id(variable.value) for variable in model.towers.query.variables}


def test_item_id_is_the_tagged_column_unless_named() -> None:
    assert sample_model().item_id == "item_id"
    assert sample_model(item_id="user_id").item_id == "user_id"


def test_without_correction_the_log_probability_is_not_read() -> None:
    model, inputs = sample_model(sampling_correction=False), batch()
    del inputs["item_id_log_probability"]
    even = loop(model, inputs | {"item_id_log_probability": tf.zeros(6)}, 0.05)
    assert loss_of(model, inputs) == pytest.approx(even, rel=1e-4)


def test_training_lowers_the_loss_and_finds_the_items() -> None:
    model = id_model()
    queries = tf.data.Dataset.from_tensor_slices(pairs()).batch(PAIRS)
    items = tf.data.Dataset.from_tensor_slices({"item_id": pairs()["item_id"]}).batch(PAIRS)
    model.build()
    before = evaluate(model, queries, items, ks=(1,))["recall@1"]
    model.compile(LazyAdam(0.05))
    losses = model.fit(queries.repeat(30), shuffle=False, verbose=0, epochs=2).history["loss"]
    after = evaluate(model, queries, items, ks=(1,))["recall@1"]
    assert losses[-1] < 0.1 * np.log(PAIRS)
    assert before < 0.4
    assert after == 1.0


def test_same_seed_gives_the_same_weights_after_training() -> None:
    def trained(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        model = id_model()
        model.compile(LazyAdam(0.05), run_eagerly=True)
        model.fit(pairs(), batch_size=8, epochs=2, verbose=0)
        return model.get_weights()

    one, same, other = trained(1), trained(1), trained(2)
    assert all(np.array_equal(left, right) for left, right in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])


def test_rows_of_weight_zero_are_not_learned_from() -> None:
    model = id_model()
    model.build()
    model.compile(LazyAdam(0.1), run_eagerly=True)
    before = model.towers.query.tables["user_id"].embeddings.numpy()
    weight = (pairs()["user_id"] % 2).astype("float32")
    model.fit(tf.data.Dataset.from_tensors((pairs(), None, weight)), shuffle=False, verbose=0)
    moved = np.abs(model.towers.query.tables["user_id"].embeddings.numpy() - before).max(axis=1) > 1e-6
    assert np.flatnonzero(moved).tolist() == [user for user in range(1, PAIRS + 1) if user % 2]


def test_validation_data_and_predict_work_as_in_keras() -> None:
    model = id_model()
    model.compile(LazyAdam(0.01), run_eagerly=True)
    history = model.fit(pairs(), batch_size=12, verbose=0, validation_data=(pairs(), None)).history
    assert set(history) == {"loss", "val_loss"}
    assert model.predict(pairs(), batch_size=7, verbose=0)["item"].shape == (PAIRS, 8)


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_temperature_that_is_not_positive_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be above 0"):
        sample_model(temperature=temperature)


def test_towers_that_aggregate_are_refused() -> None:
    with pytest.raises(ValueError, match="scores the two embeddings itself. Give it towers without an aggregation"):
        TwoTowerModel(TwoTowerBlock(SCHEMA, keras.layers.Dense(4), aggregation="cosine"))


@pytest.mark.parametrize("options", [{}, {"query_tower": MLPBlock([4])}])
def test_a_schema_in_place_of_the_towers_is_pointed_to_their_block(options: dict) -> None:
    with pytest.raises(
        TypeError, match=r"TwoTowerModel\(TwoTowerBlock\(schema, query_tower=\.\.\.\)\)\. Received Schema"
    ):
        TwoTowerModel(SCHEMA, **options)


@pytest.mark.parametrize("name", ["query_tower", "logits_temperature"])
def test_arguments_that_there_are_not_are_refused_by_name(name: str) -> None:
    message = rf"TwoTowerModel has no arguments \['{name}'\]. It takes towers, temperature, item_id, .*negatives"
    with pytest.raises(TypeError, match=message):
        sample_model(**{name: 0.1})


def test_schema_without_one_item_id_is_refused_unless_it_is_named() -> None:
    columns = [ColumnSchema("age", [Tags.USER], dtype="float32"), ColumnSchema("price", [Tags.ITEM], dtype="float32")]
    for others in ([], [ColumnSchema(name, [Tags.ITEM_ID], domain(name, 5)) for name in "ab"]):
        towers = TwoTowerBlock(Schema([*columns, *others]), MLPBlock([4]))
        with pytest.raises(ValueError, match=f"has {len(others)} columns tagged ITEM_ID"):
            TwoTowerModel(towers)
        assert TwoTowerModel(towers, item_id="key").item_id == "key"


def test_batch_without_the_item_id_is_refused() -> None:
    inputs, model = batch(), sample_model(item_id="sku")
    with pytest.raises(ValueError, match=r"lacks the item ids, column 'sku'. It has \['age'"):
        loss_of(model, inputs)


def test_batch_without_the_log_probability_is_refused() -> None:
    model, inputs = id_model(sampling_correction=True), {name: tf.constant(ids) for name, ids in pairs().items()}
    message = r"needs the column 'item_id_log_probability'.*has \['item_id', 'user_id'\].*sampling_correction=False"
    with pytest.raises(ValueError, match=message):
        loss_of(model, inputs)


def test_labels_are_refused() -> None:
    model = id_model()
    model.compile(LazyAdam(), run_eagerly=True)
    with pytest.raises(ValueError, match="takes no labels"):
        model.fit(pairs(), np.ones(PAIRS), verbose=0)


def test_loss_of_keras_is_refused() -> None:
    model = id_model()
    with pytest.raises(ValueError, match=r"has a loss of its own. Leave `loss` out of compile"):
        model.compile(LazyAdam(), loss="mse", run_eagerly=True)


def test_metrics_of_keras_are_refused() -> None:
    model = id_model()
    with pytest.raises(ValueError, match=r"Leave metrics out of compile\(\), .*CorpusEvaluation"):
        model.compile(LazyAdam(), metrics=["accuracy"])


@pytest.mark.slow
def test_compiled_model_gives_equal_outputs_in_a_fresh_process(tmp_path: Path) -> None:
    model, inputs = sample_model(temperature=0.2), batch()
    model.compile(LazyAdam(0.05, clipnorm=1.0), run_eagerly=True)
    model.train_on_batch(inputs)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "wanted.npz", loss=loss_of(model, inputs), **model(inputs))
    script = f"""
import keras, numpy as np, tfdual
model = keras.saving.load_model({str(tmp_path / "model.keras")!r})
from tests.sample_columns import batch
inputs = batch()
loss = model.compute_loss(x=inputs, y_pred=model(inputs))
assert type(model.optimizer) is tfdual.LazyAdam and model.optimizer.clipnorm == 1.0
assert int(model.optimizer.iterations) == 1 and model.objective.temperature == 0.2
np.savez({str(tmp_path / "found.npz")!r}, loss=loss, **model(inputs))
"""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wanted, found = np.load(tmp_path / "wanted.npz"), np.load(tmp_path / "found.npz")
    assert set(found) == {"loss", "query", "item"}
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, atol=1e-6)


def test_items_of_ids_that_several_values_share_are_encoded_by_their_own_columns() -> None:
    ids = {"item": ["a", "b", "a", "b", "rare", "other", "third"], "price": [1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 5.0]}
    schema = Schema(
        [ColumnSchema("item", [Tags.ITEM_ID], dtype="string")]
        + [ColumnSchema(name, [side], dtype="float32") for name, side in (("price", Tags.ITEM), ("age", Tags.USER))]
    )
    rows = read(ids | {"age": np.arange(7.0)}, schema)
    hashed_first = [HashBuckets(2), Vocabulary(num_oov_indices=2)]
    for transform in (Vocabulary(min_count=2, num_oov_indices=2), HashBuckets(2), hashed_first):
        prep = Preprocessor(schema, {"item": transform}).adapt(rows)
        model = TwoTowerModel(TwoTowerBlock(prep.schema, MLPBlock([4])), sampling_correction=False)
        inputs = next(iter(rows.batch(7).map(prep)))
        found, wanted = model(inputs, training=True)["item"], model.encode_item(inputs)
        assert len(set(inputs["item"].numpy()[[0, 1, 4, 5, 6]])) < 5
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_unknown_items_are_encoded_by_their_own_columns() -> None:
    inputs = batch() | {"item_id": tf.constant([1, 0, 0, 1, 0, 2], tf.int64)}
    model = sample_model(distinct_items=True, distinct_queries="user_id")
    inputs["user_id"] = tf.constant([0, 0, 3, 0, 3, 0], inputs["user_id"].dtype)
    wanted, found = model(inputs), model(inputs, training=True)
    places = {"item": [0, 1, 2, 0, 4, 5], "query": [0, 1, 2, 3, 2, 5]}
    for side, rows in places.items():
        np.testing.assert_allclose(found[side], wanted[side].numpy()[rows], rtol=1e-5, atol=1e-6)
        assert len(np.unique(wanted[side].numpy().round(4), axis=0)) == 6


def test_items_without_a_column_of_the_item_tower_are_refused_by_name() -> None:
    columns = {"item": [Tags.ITEM_ID], "price": [Tags.ITEM], "visits": [Tags.ITEM], "user": [Tags.USER_ID]}
    schema = Schema(ColumnSchema(name, tags) for name, tags in columns.items())
    rows = read({name: np.arange(6) for name in columns}, schema)
    prep = Preprocessor(schema).adapt(rows)
    model = TwoTowerModel(TwoTowerBlock(prep.schema, MLPBlock([4])))
    items = rows.select(schema.select_by_name(["item", "price"]))
    ready = rows.batch(6).map(prep).map(lambda batch: {name: batch[name] for name in ("item", "price")})
    for given in (items, ready):
        with pytest.raises(ValueError, match=r"items lack the columns \['visits'\], which the item tower reads.*USER"):
            model.to_retriever(given, preprocessor=prep)


def test_negatives_that_lack_columns_of_the_item_tower_are_to_be_adapted() -> None:
    model = sample_model(negatives=ColumnNegatives("shown"), sampling_correction=False)
    model.compile(LazyAdam(0.01))
    inputs = batch() | {"shown": tf.constant([[2]] * 6, tf.int64)}
    with pytest.raises(ValueError, match=r"reads the columns \['genres', 'picture'\].*ColumnNegatives.*adapt\(items\)"):
        model.fit(tf.data.Dataset.from_tensors(inputs), verbose=0)


@keras.saving.register_keras_serializable("test_two_tower_model")
class Scaled(keras.layers.Layer):
    """Numbers of all columns, times one that can be trained."""

    def build(self, input_shape: object = None) -> None:
        self.factor = self.add_weight((), "ones", name="factor")

    def call(self, inputs: dict) -> dict:
        return {name: self.factor * each if each.dtype.is_floating else each for name, each in inputs.items()}

    def compute_output_shape(self, input_shape: dict) -> dict:
        return input_shape


def test_what_is_before_the_towers_is_part_of_both_sides(tmp_path: Path) -> None:
    columns = [
        ColumnSchema("user_id", [Tags.USER_ID]),
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("item_id", [Tags.ITEM_ID]),
        ColumnSchema("price", [Tags.ITEM], dtype="float32"),
    ]
    table = {"user_id": [1, 2, 3], "age": [20.0, 30.0, 60.0], "item_id": [7, 8, 9], "price": [1.0, 5.0, 2.0]}
    rows = read(table, Schema(columns))
    prep = Preprocessor(rows.schema).adapt(rows)
    keras.utils.set_random_seed(1)
    model = TwoTowerModel(TwoTowerBlock(prep.schema, MLPBlock([4], activation="tanh"), pre=Scaled()))
    model(next(iter(rows.batch(3).map(prep))))
    space = model.embedding_space(prep)
    model.towers.pre.factor.assign(3.0)
    assert model.embedding_space(prep) != space
    retriever = model.to_retriever(rows.select(rows.schema.select_by_tag(Tags.ITEM)), preprocessor=prep)
    loaded = Retriever.load(retriever.export(tmp_path / "served"))
    queries = {name: table[name] for name in ("user_id", "age")}
    for name, found in retriever.search(queries, k=3).items():
        np.testing.assert_allclose(loaded.search(queries, k=3)[name], found, rtol=1e-5)
    ready = prep({name: tf.constant(values) for name, values in table.items()})
    np.testing.assert_allclose(loaded.embed_query(queries), model.encode_query(ready), rtol=1e-5)
