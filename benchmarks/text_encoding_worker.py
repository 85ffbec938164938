"""SciFact's documents to vectors, by tfdual, by KerasHub, or the products of the model alone."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras_hub
import numpy as np
import tensorflow as tf
from text_data import TOKENS
from worker import Worker

from tfdual.features import TextEncoder
from tfdual.features.text.text_encoder import TOKENS_AT_ONCE

Encode = Callable[[list[str]], np.ndarray]


def tfdual(model: Path, dtype: str = "float32") -> Encode:
    """Raw texts in one call."""
    encoder = TextEncoder.from_directory(model, dtype=dtype)
    encode = tf.function(lambda texts: tf.cast(encoder(texts), tf.float32), autograph=False)
    return lambda texts: encode(tf.constant(texts)).numpy()


def keras_hub_backbone(model: Path) -> Encode:
    """KerasHub's BERT on the same tokens, in batches sorted by length."""
    encoder = TextEncoder.from_directory(model)
    backbone = keras_hub.models.BertBackbone.from_preset(str(model))

    @tf.function(reduce_retracing=True)
    def vectors(ids: tf.Tensor) -> tf.Tensor:
        mask = tf.cast(ids > 0, tf.int32)
        inputs = {"token_ids": ids, "segment_ids": tf.zeros_like(ids), "padding_mask": mask}
        weights = tf.cast(mask, tf.float32)[..., None]
        mean = tf.reduce_sum(backbone(inputs)["sequence_output"] * weights, axis=1) / tf.reduce_sum(weights, axis=1)
        return tf.math.l2_normalize(mean, axis=1)

    def encode(texts: list[str]) -> np.ndarray:
        ids = encoder.tokenizer(tf.constant(texts), TOKENS)
        order = np.argsort(ids.row_lengths(), kind="stable")
        found = np.zeros((len(texts), backbone.hidden_dim), np.float32)
        for places in np.array_split(order, -(-len(texts) // 32)):
            found[places] = vectors(tf.gather(ids, places).to_tensor()).numpy()
        return found

    return encode


def products(model: Path) -> Encode:
    """The products of the same groups, and nothing else."""
    encoder = TextEncoder.from_directory(model)
    dim, heads = encoder.dim, encoder.transformer.num_heads

    @tf.function(reduce_retracing=True)
    def work(rows: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        made = []
        for place, layer in enumerate(encoder.transformer.layers):
            narrow, wide = (
                tf.ones([rows * length, kernel.shape[0]]) for kernel in (layer.up_kernel, layer.down_kernel)
            )
            made += [tf.matmul(narrow, one) for one in (layer.attention_kernel, layer.mixed_kernel, layer.up_kernel)]
            made.append(tf.matmul(wide, layer.down_kernel))
            parts = tf.fill([rows, heads, length, dim // heads], float(place))  # else the layers' products are one
            scores = tf.fill([rows, heads, length, length], float(place))
            made += [tf.matmul(parts, parts, transpose_b=True), tf.matmul(scores, parts)]
        return tf.add_n([one[(0,) * len(one.shape)] for one in made])

    def encode(texts: list[str]) -> np.ndarray:
        lengths, first = np.sort(encoder.tokenizer(tf.constant(texts), TOKENS).row_lengths()), 0
        while first < len(lengths):
            padded = lengths[first:] * np.arange(1, len(lengths) - first + 1)
            rows = max(1, int((padded <= TOKENS_AT_ONCE).sum()))
            work(tf.constant(rows), tf.constant(int(lengths[first + rows - 1]))).numpy()
            first += rows
        return np.zeros((len(texts), dim), np.float32)

    return encode


VARIANTS = {
    "tfdual": tfdual,
    "tfdual, mixed_bfloat16": partial(tfdual, dtype="mixed_bfloat16"),
    "KerasHub": keras_hub_backbone,
    "its products alone": products,
}


def main() -> None:
    """Encode as the worker says; the vectors of the last round stay in its folder."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "keras-hub")
    texts = json.loads((worker.path / "texts.json").read_text())
    encode = VARIANTS[worker.variant](Path(worker.settings["model"]))
    for place in range(worker.rounds):
        worker.start(place)
        vectors = encode(texts)
        worker.finish()
    np.save(worker.path / f"{worker.variant}.npy", vectors)


main()
