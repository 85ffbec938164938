"""One batch on one device, and on two replicas. A script, since devices are set before TensorFlow runs.

Batches have an odd number of rows, of which the first replica gets one more.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual import ColumnSchema, LazyAdam, MLPBlock, Schema, Tags, TwoTowerBlock, TwoTowerModel
from tfdual.features import TextEncoder
from tfdual.features.text import TextTransformer, WordPieceTokenizer
from tfdual.losses import bpr, pairwise_logistic
from tfdual.models import CrossEncoder, LateInteractionModel, MatrixFactorizationModel
from tfdual.negatives import ColumnNegatives, InBatch, MinedNegatives, SumOfNegatives, TextNegatives, Uniform
from tfdual.optimizers import LazyMomentum, MultiOptimizer
from tfdual.tailoring import DeepReranker

# Of a tiny gradient Adam takes the sign, so it gets a large epsilon.
OPTIMIZERS = {"sgd": lambda: keras.optimizers.SGD(0.1), "lazy_adam": lambda: LazyAdam(0.05, epsilon=0.1)}
WEIGHTS = np.array([1, 2, 0.5, 1, 3, 1], "float32")
CLIPPED = {
    "clipnorm": lambda: LazyMomentum(0.1, clipnorm=0.3),
    "global_clipnorm": lambda: LazyMomentum(0.1, global_clipnorm=0.3),
    "clipvalue": lambda: LazyMomentum(0.1, clipvalue=0.2),
    "global_clipnorm of parts": lambda: MultiOptimizer(
        {"*embeddings": LazyMomentum(0.1)}, keras.optimizers.SGD(0.1), global_clipnorm=0.3
    ),
}


def inputs() -> dict[str, tf.Tensor]:
    """Each row's user knows items of the other half of the batch."""
    known = tf.ragged.constant([[1, 5], [2], [1, 2], [5, 1], [2, 5, 1], [1]], dtype=tf.int64)
    ids = {"item_id": [1, 2, 1, 5, 2, 1], "user_id": [3, 4, 3, 3, 4, 5]}
    ids = {name: tf.constant(values, tf.int64) for name, values in ids.items()}
    return batch() | ids | {"known": known, "padded": known.to_tensor()}


def sampled(strategy: tf.distribute.Strategy) -> SumOfNegatives:
    """The items of the batch, and four of the catalogue: each replica draws the same."""
    columns = ("item_id", "genres", "picture", "item_id_log_probability")
    with strategy.scope():
        return InBatch() + Uniform(4, seed=1).adapt([{name: batch()[name] for name in columns}])


def model(strategy: tf.distribute.Strategy, optimizer: str = "sgd", **options) -> TwoTowerModel:
    with strategy.scope():
        keras.utils.set_random_seed(0)
        towers = TwoTowerBlock(SCHEMA, MLPBlock([8, 4]), embedding_options=OPTIONS, post="l2-norm")
        made = TwoTowerModel(towers, temperature=0.2, distinct_items=False, **options)
        made.build()
        made.compile(OPTIMIZERS[optimizer]())
    return made


def weights_after_two_steps(strategy: tf.distribute.Strategy, optimizer: str, **options) -> list[np.ndarray]:
    """The weights, and the last loss."""
    made, columns = model(strategy, optimizer, **options), inputs()
    if "distinct_queries" in options:
        columns |= {name: tf.gather(columns[name], [0, 1, 0, 0, 1, 5]) for name in made.query_side.columns}
    data = tf.data.Dataset.from_tensor_slices(columns).batch(5, drop_remainder=True).repeat(2)
    history = made.fit(data, verbose=0).history
    return [*made.get_weights(), np.array(history["loss"][-1])]


def weighted_gradients(strategy: tf.distribute.Strategy) -> list[np.ndarray]:
    """The gradients of rows of different weights, unevenly split, added up over the replicas."""
    made = model(strategy)

    def gradients(columns: dict, weight: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = made.compute_loss(x=columns, y_pred=made(columns, training=True), sample_weight=weight)
        return [tf.convert_to_tensor(one) for one in tape.gradient(loss, [w.value for w in made.trainable_weights])]

    replicas = strategy.num_replicas_in_sync
    bounds = [[0, 6]] if replicas == 1 else [[0, 4], [4, 6]]

    def rows(context: Any) -> tuple:
        start, stop = bounds[context.replica_id_in_sync_group]
        return {name: values[start:stop] for name, values in inputs().items()}, tf.constant(WEIGHTS[start:stop])

    values = strategy.experimental_distribute_values_from_function(lambda context: rows(context)[1])
    columns = {
        name: strategy.experimental_distribute_values_from_function(lambda context, name=name: rows(context)[0][name])
        for name in inputs()
    }
    found = strategy.run(tf.function(gradients), (columns, values))
    return [strategy.reduce("SUM", one, axis=None).numpy() for one in found]


def weighted_fit(strategy: tf.distribute.Strategy) -> list[np.ndarray]:
    """Weights and losses after a batch of weighted rows without labels."""
    made = model(strategy)
    rows = tf.data.Dataset.from_tensor_slices((inputs(), WEIGHTS)).batch(6).map(lambda x, weight: (x, None, weight))
    history = made.fit(rows, validation_data=rows, verbose=0).history
    return [*made.get_weights(), *map(np.array, history.values()), np.array(made.evaluate(rows, verbose=0))]


def without_ids(strategy: tf.distribute.Strategy, optimizer: Callable[[], keras.Optimizer]) -> list[np.ndarray]:
    """Weights and loss after two batches, of which the second has lists without an id."""
    ids = {name: {"domain": {"name": name, "max": 9}} for name in ("user", "tag", "item")}
    schema = Schema(
        [ColumnSchema("user", [Tags.USER_ID], ids["user"]), ColumnSchema("item", [Tags.ITEM_ID], ids["item"])]
    )
    schema += Schema([ColumnSchema("tags", [Tags.USER], ids["tag"], is_list=True)])
    with strategy.scope():
        keras.utils.set_random_seed(0)
        made = TwoTowerModel(TwoTowerBlock(schema, MLPBlock([4])), sampling_correction=False)
        made.compile(optimizer())
    tags = tf.ragged.constant([[1], [2, 3], [4], [5], [], []], dtype=tf.int64)
    rows = tf.data.Dataset.from_tensor_slices({"user": np.arange(1, 7), "tags": tags, "item": np.arange(1, 7)})
    loss = made.fit(rows.batch(4), verbose=0).history["loss"][0]
    return [*made.get_weights(), np.array(loss)]


def rankings(strategy: tf.distribute.Strategy, cross: bool) -> list[np.ndarray]:
    """Weights and losses of a re-ranker after a batch of weighted lists, some without a positive."""
    rng = np.random.default_rng(0)
    with strategy.scope():
        keras.utils.set_random_seed(0)
        if cross:
            transformer = TextTransformer(6, num_layers=1, num_heads=2, dim=8, feed_forward_dim=16, dropout=0.0)
            words = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b"])
            made = CrossEncoder(TextEncoder(words, transformer))
            columns = {"query": ["a", "b a", "b"] * 3, "item": [["a", "b", "b b"]] * 9}
        else:
            made = DeepReranker(hidden=(4,), ranking_loss=pairwise_logistic)
            columns = {"query_vector": rng.normal(size=(9, 4)), "vector": rng.normal(size=(9, 3, 4))}
        made.compile(keras.optimizers.SGD(0.5))
    labels, weights = np.eye(3)[np.arange(9) % 3], np.arange(1, 10) / 4
    labels[6:8] = 0
    rows = tf.data.Dataset.from_tensor_slices((columns, labels, weights)).batch(9)
    loss = made.fit(rows, verbose=0).history["loss"][0]
    return [*made.get_weights(), np.array(loss), np.array(made.evaluate(rows, verbose=0))]


def factors(strategy: tf.distribute.Strategy, case: str) -> list[np.ndarray]:
    """Weights and losses of factors, with negatives that rows name, or with queries named by texts."""
    ids = {"domain": {"max": 9}}
    schema = Schema([ColumnSchema("user", [Tags.USER_ID], ids), ColumnSchema("item", [Tags.ITEM_ID], ids)])
    shown = tf.ragged.constant([[2], [], [4, 5], [], []], dtype=tf.int64)
    columns = {"user": [1, 2, 1, 3, 2], "item": [1, 2, 3, 4, 5], "name": ["a", "b", "a", "c", "b"], "shown": shown}
    rows = tf.data.Dataset.from_tensor_slices(columns).batch(5)
    with strategy.scope():
        keras.utils.set_random_seed(0)
        listed = ColumnNegatives("shown", item_id="item", shared=case != "own")
        mined = MinedNegatives(2, ranks=(0, 2)).adapt([{"item": np.arange(4, 8)}], nearest, item_id="item")
        options = {
            "own": {"loss": functools.partial(bpr, max_positives=1), "negatives": listed},
            "listed": {"negatives": InBatch() + listed},
            "mined": {"negatives": mined},
            "by text": {"known_positives": "name", "distinct_queries": "name"},
        }[case]
        start = keras.initializers.RandomNormal(0, 1, seed=3)
        made = MatrixFactorizationModel(schema, dim=4, initializer=start, sampling_correction=False, **options)
        made.compile(keras.optimizers.SGD(1.0))
    made.compiled_encode_item({"item": tf.constant([1])})  # as an evaluation before training
    loss = made.fit(rows, verbose=0).history["loss"][0]
    return [*made.get_weights(), np.array(loss), np.array(made.evaluate(rows, verbose=0))]


def nearest(queries: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Two of four items, of each query the same on any replica."""
    places = tf.cast(queries[:, :1] > 0, tf.int32) + [[0, 2]]
    return places[:, :k], tf.zeros_like(places[:, :k], tf.float32)


def clipped(strategy: tf.distribute.Strategy, optimizer: Callable[[], keras.Optimizer]) -> list[np.ndarray]:
    """A table and a bias after a step whose gradients are clipped; each replica has a part of them."""
    rng = np.random.default_rng(0)
    rows, of_table, of_bias = tf.constant([4, 1, 4, 2, 1]), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    of_table, of_bias = tf.constant(of_table, tf.float32), tf.constant(of_bias, tf.float32)
    with strategy.scope():
        weights = [keras.Variable(np.ones((6, 3)), name="embeddings"), keras.Variable(np.ones(2), name="bias")]
        made = optimizer()
        made.build(weights)
    bounds = [[0, 5]] if strategy.num_replicas_in_sync == 1 else [[0, 3], [3, 5]]

    def step() -> None:
        place = tf.distribute.get_replica_context().replica_id_in_sync_group
        start, stop = tf.unstack(tf.gather(bounds, place))
        gradient = tf.IndexedSlices(of_table[start:stop], rows[start:stop], tf.constant([6, 3]))
        made.apply([gradient, tf.reduce_sum(of_bias[start:stop], axis=0)], weights)

    strategy.run(tf.function(step))
    return [weight.numpy() for weight in weights]


def tokens_of_unlike_lengths(strategy: tf.distribute.Strategy, named: bool) -> list[np.ndarray]:
    """Weights and loss of late interaction, whose replicas hold items of 3 and of 5 words at the most.

    Where texts are named, some are the item of another replica's row.
    """
    schema = Schema(
        [ColumnSchema("asked", [Tags.USER], dtype="string"), ColumnSchema("text", [Tags.ITEM], dtype="string")]
    )
    schema += Schema([ColumnSchema("id", [Tags.ITEM_ID], {"domain": {"max": 9}})])
    with strategy.scope():
        keras.utils.set_random_seed(0)
        words = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"])
        encoder = TextEncoder(
            words, TextTransformer(7, num_layers=1, num_heads=2, dim=8, feed_forward_dim=16, dropout=0.0)
        )
        source = InBatch() + TextNegatives("others", "text", item_id="id") if named else None
        made = LateInteractionModel(schema, encoder, dim=4, query_length=6, negatives=source, sampling_correction=False)
        made.compile(keras.optimizers.SGD(0.5))
        made.build()
    texts = [" ".join(["a", "b", "b"] * 2)[: 2 * count - 1] for count in range(1, 6)]
    rows = {"asked": ["a", "b a", "b", "a a", "a b a"], "text": texts, "id": np.arange(1, 6)}
    rows["others"] = tf.ragged.constant([[texts[4], "b a"], [], [texts[0], ""], [], [texts[1], "b b", texts[4]]])
    loss = made.fit(tf.data.Dataset.from_tensor_slices(rows).batch(6), verbose=0).history["loss"][0]
    return [*made.get_weights(), np.array(loss)]


def require_equal(found: list[np.ndarray], wanted: list[np.ndarray], case: str) -> None:
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6, err_msg=case)
    sys.stdout.write(f"{case}: equal\n")


def main() -> None:
    """Compare, one line a case."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    single, mirrored = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for name, case in (("sgd", {}), ("lazy_adam", {"symmetric": True})):
        found, wanted = (weights_after_two_steps(strategy, name, **case) for strategy in (mirrored, single))
        require_equal(found, wanted, f"{name} {case}")
    found, wanted = (weights_after_two_steps(strategy, "sgd", parts=2) for strategy in (mirrored, single))
    require_equal(found, wanted, "in parts")
    found, wanted = (
        weights_after_two_steps(strategy, "sgd", negatives=sampled(strategy)) for strategy in (mirrored, single)
    )
    require_equal(found, wanted, "sampled negatives")
    known_positives = [{"known_positives": known} for known in ("known", "padded", "user_id")]
    for case in (*known_positives, known_positives[-1] | {"distinct_queries": "user_id"}):
        options = {"symmetric": True} | case
        found, wanted = (weights_after_two_steps(strategy, "sgd", **options) for strategy in (mirrored, single))
        require_equal(found, wanted, f"{case}")
    require_equal(weighted_gradients(mirrored), weighted_gradients(single), "weighted")
    require_equal(weighted_fit(mirrored), weighted_fit(single), "weighted fit")
    for name, cross in (("re-ranker", False), ("cross-encoder", True)):
        require_equal(rankings(mirrored, cross), rankings(single, cross), name)
    for case in ("own", "listed", "mined", "by text"):
        require_equal(factors(mirrored, case), factors(single, case), f"factors {case}")
    for name, optimizer in CLIPPED.items():
        require_equal(clipped(mirrored, optimizer), clipped(single, optimizer), name)
    for name in ("clipnorm", "global_clipnorm of parts"):
        found, wanted = (without_ids(strategy, CLIPPED[name]) for strategy in (mirrored, single))
        require_equal(found, wanted, f"no id, {name}")
    for named in (True, False):
        found, wanted = (tokens_of_unlike_lengths(strategy, named) for strategy in (mirrored, single))
        require_equal(found, wanted, "texts that rows name" if named else "late interaction")


if __name__ == "__main__":
    main()
