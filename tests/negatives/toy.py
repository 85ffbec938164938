"""A model so small that every number of it can be worked out: a table a side, and sources of negatives."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdual import negatives
from tfdual._build import build_once, deserialized, serialized
from tfdual._items import Items

DIM = 4


def table(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, DIM)).astype("float32")


def corpus(size: int, batch: int = 3, **columns: Any) -> tf.data.Dataset:
    """Items of the ids 1 .. size, in batches."""
    return tf.data.Dataset.from_tensor_slices({"item_id": np.arange(1, size + 1), **columns}).batch(batch)


def encoder(embeddings: Any) -> Any:
    """What a model gives as `encode_item`: the row of the id; the log-probability is a column, or is left out."""

    def encode_item(columns: dict) -> Items:
        ids = columns["item_id"]
        return Items(tf.gather(embeddings, ids), ids, columns.get("item_id_log_probability"))

    return encode_item


def batch(ids: Any, log_probability: Any = None, embeddings: Any = None, **columns: Any) -> negatives.Batch:
    """The positives `ids`, each asked for by a query that has its embedding."""
    embeddings = table(100) if embeddings is None else embeddings
    ids = tf.convert_to_tensor(ids, tf.int64)
    rows = tf.gather(embeddings, ids)
    if log_probability is not None:
        log_probability = tf.convert_to_tensor(log_probability, tf.float32)
    return negatives.Batch(columns, rows, Items(rows, ids, log_probability), encoder(embeddings))


@keras.saving.register_keras_serializable("tfdual_tests")
class Toy(keras.Model):
    """Softmax over the batch's items and those of the sources; users and items have ids 1 .. size."""

    def __init__(self, size: int, sources: negatives.Negatives, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.sources = size, sources
        self.user = keras.layers.Embedding(size + 1, DIM)
        self.item = keras.layers.Embedding(size + 1, DIM)

    def build(self, input_shape: Any = None) -> None:
        for layer in (self.user, self.item):
            build_once(layer, (None,))
        build_once(self.sources, (None, DIM))
        self.built = True

    def encode_item(self, columns: dict) -> Items:
        return Items(self.item(columns["item_id"]), columns["item_id"], columns["item_id_log_probability"])

    def call(self, inputs: dict) -> tf.Tensor:
        return self.user(inputs["user_id"])

    def loss_of(self, batch: negatives.Batch) -> tf.Tensor:
        extra, count = self.sources.candidates(batch)
        scores = tf.matmul(batch.query, batch.item.embedding, transpose_b=True) - count
        hit = batch.item.ids[:, None] == batch.item.ids[None] if self.sources.includes_batch else True
        scores = tf.where(tf.logical_and(hit, ~tf.eye(tf.shape(scores)[0], dtype=tf.bool)), -np.inf, scores)
        more = tf.matmul(batch.query, extra.embedding, transpose_b=True) - extra.log_probability
        gone = batch.item.ids[:, None] == extra.ids[None]
        more = tf.where(gone if extra.mask is None else gone | ~extra.mask, -np.inf, more)
        losses = tf.reduce_logsumexp(tf.concat([scores, more], axis=1), axis=1) - tf.linalg.diag_part(scores)
        return tf.reduce_mean(losses)

    def train_step(self, data: dict) -> dict:
        with tf.GradientTape() as tape:
            batch = negatives.Batch(data, self(data), self.encode_item(data), self.encode_item)
            loss = self.loss_of(batch)
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        self.sources.update(batch)
        return {"loss": loss}

    def get_config(self) -> dict:
        return super().get_config() | {"size": self.size, "sources": serialized(self.sources)}

    @classmethod
    def from_config(cls, config: dict) -> "Toy":
        return cls(**deserialized(config))
