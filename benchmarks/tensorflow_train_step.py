"""The limit to compare with: one `tf.function` without Keras, with fixed shapes, written for this model alone.

Sparse Adam on the rows of the batch, the loss in blocks with its gradient in the same pass. "Distinct items" also
encodes and scores each item of a batch once, times how often it is there; that is the same loss where an item's columns
and tower depend on the item alone.
"""

from itertools import pairwise

import synthetic
import tensorflow as tf
from worker import Worker

BLOCK = 256
RATE, BETA_1, BETA_2, EPSILON = 0.001, 0.9, 0.999, 1e-7


def blocked_softmax(query: tf.Tensor, item: tf.Tensor, ids: tf.Tensor, offset: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Mean loss, and its gradients for `query` and `item`."""
    batch = query.shape[0]
    block = min(BLOCK, batch)
    places = tf.cast(tf.unique(ids)[1], tf.float32)
    losses, query_gradients, item_gradients = [], [], []
    for start in range(0, batch, block):
        part = query[start : start + block]
        scores = tf.matmul(part, item, transpose_b=True) - offset
        own = tf.reduce_sum(part * item[start : start + block], axis=1) - offset[start : start + block]
        hits = tf.equal(places[start : start + block, None], places)
        scores = tf.where(hits, -float("inf"), scores)
        largest = tf.maximum(tf.reduce_max(scores, axis=1), own)
        exponents, own_exponent = tf.exp(scores - largest[:, None]), tf.exp(own - largest)
        total = tf.reduce_sum(exponents, axis=1) + own_exponent
        losses.append(tf.reduce_sum(tf.math.log(total) + largest - own))
        scale = 1 / (total * batch)
        surplus = (own_exponent * scale - 1 / batch)[:, None]
        query_gradients.append(tf.matmul(exponents, item) * scale[:, None] + surplus * item[start : start + block])
        shares = part * scale[:, None]
        item_gradients.append((tf.matmul(exponents, shares, transpose_a=True), surplus * part))
    item_gradient = tf.add_n([whole for whole, _ in item_gradients]) + tf.concat([own for _, own in item_gradients], 0)
    return tf.add_n(losses) / batch, tf.concat(query_gradients, 0), item_gradient


def distinct_softmax(
    query: tf.Tensor, item: tf.Tensor, places: tf.Tensor, offset: tf.Tensor, own_offset: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """The same from distinct items: `item[places]` is what `blocked_softmax` takes; `offset` has their counts in it."""
    batch = query.shape[0]
    block = min(BLOCK, batch)
    positive = tf.gather(item, places)
    own = tf.reduce_sum(query * positive, axis=1) - own_offset
    queries = tf.concat([query, tf.ones((batch, 1))], axis=1)
    items = tf.concat([item, -offset[:, None]], axis=1)
    losses, query_gradients, item_gradients = [], [], []
    for start in range(0, batch, block):
        scores = tf.matmul(queries[start : start + block], items, transpose_b=True)  # (block, distinct)
        columns = places[start : start + block]
        target = tf.stack([tf.range(columns.shape[0]), columns], axis=1)
        scores = tf.tensor_scatter_nd_update(scores, target, own[start : start + block])
        shares = tf.nn.softmax(scores)
        total = tf.reduce_max(scores, axis=1) - tf.math.log(tf.reduce_max(shares, axis=1))
        losses.append(tf.reduce_sum(total - own[start : start + block]))
        query_gradients.append(tf.matmul(shares, item))
        item_gradients.append(tf.matmul(shares, query[start : start + block], transpose_a=True))
    positives = tf.math.unsorted_segment_sum(query, places, tf.shape(item)[0])
    query_gradient = tf.concat(query_gradients, axis=0) - positive
    return tf.add_n(losses) / batch, query_gradient / batch, (tf.add_n(item_gradients) - positives) / batch


class Table:
    """An embedding table and its moments."""

    def __init__(self, size: int) -> None:
        self.value = tf.Variable(tf.random.uniform((size, synthetic.DIM), -0.05, 0.05))
        self.first = tf.Variable(tf.zeros((size, synthetic.DIM)))
        self.second = tf.Variable(tf.zeros((size, synthetic.DIM)))

    def update(self, ids: tf.Tensor, gradient: tf.Tensor, rate: tf.Tensor) -> None:
        """Adam on the rows of `ids`."""
        rows, places = tf.unique(ids)
        gradient = tf.math.unsorted_segment_sum(gradient, places, tf.size(rows))
        first = BETA_1 * tf.gather(self.first, rows) + (1 - BETA_1) * gradient
        second = BETA_2 * tf.gather(self.second, rows) + (1 - BETA_2) * tf.square(gradient)
        self.first.scatter_update(tf.IndexedSlices(first, rows))
        self.second.scatter_update(tf.IndexedSlices(second, rows))
        self.value.scatter_sub(tf.IndexedSlices(rate * first / (tf.sqrt(second) + EPSILON), rows))


class Dense:
    """A ReLU layer whose kernel's last row is the bias, with its moments."""

    def __init__(self, width: int, units: int) -> None:
        limit = (6 / (width + units)) ** 0.5
        kernel = tf.concat([tf.random.uniform((width, units), -limit, limit), tf.zeros((1, units))], axis=0)
        self.value, self.first, self.second = (tf.Variable(x) for x in (kernel, 0 * kernel, 0 * kernel))

    def update(self, gradient: tf.Tensor, rate: tf.Tensor) -> None:
        """Adam on the whole kernel."""
        first = self.first.assign(BETA_1 * self.first + (1 - BETA_1) * gradient)
        second = self.second.assign(BETA_2 * self.second + (1 - BETA_2) * tf.square(gradient))
        self.value.assign_sub(rate * first / (tf.sqrt(second) + EPSILON))


class TwoTower(tf.Module):
    """The model of the other variants."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = {name: Table(size) for name, size in synthetic.SIZES.items()}
        self.dense = {}
        for side in (synthetic.USER_COLUMNS, synthetic.ITEM_COLUMNS):
            width = sum(synthetic.DIM if name in self.tables else 1 for name in side)
            widths = (width, *synthetic.UNITS)
            self.dense[side] = [Dense(*pair) for pair in pairwise(widths)]
        self.step = tf.Variable(0.0)

    def tower(self, side: tuple[str, ...], rows: dict[str, tf.Tensor], batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Embeddings `(batch, dim)` of one side from its looked-up rows."""
        vectors = tf.concat([rows[name] if name in rows else batch[name][:, None] for name in side], axis=1)
        for layer in self.dense[side]:
            vectors = tf.nn.relu(tf.nn.bias_add(tf.matmul(vectors, layer.value[:-1]), layer.value[-1]))
        return vectors

    @tf.function
    def train(self, batch: dict[str, tf.Tensor], distinct: bool) -> tf.Tensor:
        """One step; gives the loss."""
        self.step.assign_add(1.0)
        rate = RATE * tf.sqrt(1 - BETA_2**self.step) / (1 - BETA_1**self.step)
        offset = own_offset = batch[synthetic.LOG_PROBABILITY]
        if distinct:
            _, places, counts = tf.unique_with_counts(batch["item_id"])
            first = tf.math.unsorted_segment_min(tf.range(places.shape[0]), places, tf.size(counts))
            batch = batch | {name: tf.gather(batch[name], first) for name in synthetic.ITEM_COLUMNS}
            offset = tf.gather(offset, first) - tf.math.log(tf.cast(counts, tf.float32))
        rows = {name: tf.gather(table.value, batch[name]) for name, table in self.tables.items()}
        with tf.GradientTape() as tape:
            tape.watch(rows)
            query = self.tower(synthetic.USER_COLUMNS, rows, batch) / synthetic.TEMPERATURE
            item = self.tower(synthetic.ITEM_COLUMNS, rows, batch)
        if distinct:
            loss, *upstream = distinct_softmax(query, item, places, offset, own_offset)
        else:
            loss, *upstream = blocked_softmax(query, item, batch["item_id"], offset)
        layers = [layer for side in self.dense.values() for layer in side]
        gradients = tape.gradient([query, item], [rows, [layer.value for layer in layers]], upstream)
        for name, table in self.tables.items():
            table.update(batch[name], gradients[0][name], rate)
        for layer, gradient in zip(layers, gradients[1], strict=True):
            layer.update(gradient, rate)
        return loss


def main() -> None:
    """Train as the worker says."""
    worker = Worker()
    worker.versions("tensorflow")
    tf.random.set_seed(0)
    train = tf.data.Dataset.from_tensor_slices(synthetic.batches(worker.path, worker.batch)).repeat().prefetch(2)
    distinct = worker.variant.endswith("distinct items")
    model, batches = TwoTower(), iter(train)
    for place in range(worker.rounds):
        worker.start(place)
        losses = [model.train(next(batches), distinct) for _ in range(worker.settings["steps"])]
        worker.finish(loss=tf.reduce_mean(losses))


main()
