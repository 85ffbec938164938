"""A step on a batch whose activations don't fit into memory at once."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from tfdual._items import joined_embeddings
from tfdual._typing import Tensor
from tfdual.models.whole_state import seed_states

Gradient: TypeAlias = Any  # Tensor, tf.IndexedSlices or None
Embeddings = dict[str, Tensor]


def gradients_in_parts(
    model: keras.Model,
    inputs: dict[str, Tensor],
    parts: int,
    loss_of: Callable[[Embeddings], Tensor],
    scale: Callable[[Tensor], Tensor],
) -> tuple[Tensor, list[Gradient]]:
    """The loss of a whole batch, and its gradients, with the activations of one part of the batch at a time.

    All parts are encoded, and their activations forgotten. The loss gives its gradient by each embedding. Then part
    after part is encoded again, and that gradient goes on to the weights. Random layers draw the same numbers both
    times, and what layers keep (moving averages) moves once a part. Of fewer rows than parts, all are encoded together.

    Args:
        model: from columns to embeddings, `{"query": (batch, dim), "item": (batch, dim)}`.
        inputs: columns of the batch.
        parts: int. How many parts.
        loss_of: from all embeddings to a scalar.
        scale: what the optimiser makes of a loss before its gradient is taken.

    Returns:
        The loss with what layers add to it, and the scaled gradients by `model.trainable_weights`.

    Reference: Gao et al., 2021, arXiv:2101.06983 (GradCache)
    """
    weights = [weight.value for weight in model.trainable_weights]
    cut, counts = _cut(inputs, parts)
    states = _states(model)
    before = [tf.identity(state.value) for state in states]
    embeddings = _encoded(model, cut, counts)
    with tf.GradientTape() as tape:
        tape.watch(embeddings)
        loss = loss_of(embeddings)
        scaled = scale(loss)
    direct, by_embedding = tape.gradient(scaled, (weights, embeddings))
    after = [tf.identity(state.value) for state in states]
    _assign(states, before)
    found = [[gradient] for gradient in direct]
    first: Tensor | int = 0
    all_rows = tf.cast(tf.maximum(_rows(inputs), 1), tf.float32)
    for part, rows in zip(cut, counts, strict=True):
        with tf.control_dependencies(_tensors(found)):
            share = tf.cast(rows, tf.float32) / all_rows
            gradient = {name: values[first : first + rows] for name, values in by_embedding.items()}
            added, part_gradients = _of_part(model, part, gradient, share, scale)
        loss, first = loss + added, first + rows
        for all_parts, one in zip(found, part_gradients, strict=True):
            all_parts.append(one)
    _assign(states, after)
    return loss, [_sum(all_parts) for all_parts in found]


def _cut(inputs: dict[str, Tensor], parts: int) -> tuple[list[dict[str, Tensor]], list[Tensor]]:
    """The parts, and how many rows of each count.

    No layer gets a part without rows, of which batch normalisation makes NaN: with fewer rows than parts, each part is
    the whole batch, and the rows of the first count.
    """
    rows = _rows(inputs)
    cuts = tf.where(rows < parts, 1, parts)
    bounds = [(rows * (i % cuts) // cuts, rows * (i % cuts + 1) // cuts) for i in range(parts)]
    cut = [{name: values[start:stop] for name, values in inputs.items()} for start, stop in bounds]
    return cut, [tf.where(i < cuts, stop - start, 0) for i, (start, stop) in enumerate(bounds)]


def _rows(inputs: dict[str, Tensor]) -> Tensor:
    first = next(iter(inputs.values()))
    return first.nrows(out_type=tf.int32) if isinstance(first, tf.RaggedTensor) else tf.shape(first)[0]


def _encoded(model: keras.Model, cut: list[dict[str, Tensor]], counts: list[Tensor]) -> Embeddings:
    """The embeddings of all parts, one part after the other, so that one part's activations are alive at a time."""
    outputs: list[Embeddings] = []
    for part, rows in zip(cut, counts, strict=True):
        with tf.control_dependencies(list(outputs[-1].values()) if outputs else []):
            outputs.append({name: values[:rows] for name, values in model(part, training=True).items()})
    return {name: tf.stop_gradient(joined_embeddings([part[name] for part in outputs])) for name in outputs[0]}


def _of_part(
    model: keras.Model, part: dict[str, Tensor], by_embedding: Embeddings, share: Tensor, scale: Callable
) -> tuple[Tensor, list[Gradient]]:
    """What the layers add to the loss, and the gradients of a part."""
    with tf.GradientTape() as tape:
        embeddings = model(part, training=True)
        added = tf.add_n(model.losses) * share if model.losses else tf.constant(0.0)
        product = [_product(embeddings[name], gradient) for name, gradient in by_embedding.items()]
        target = tf.add_n([tf.cast(one, tf.float32) for one in product]) + scale(added)
    return added, tape.gradient(target, [weight.value for weight in model.trainable_weights])


def _product(embeddings: Tensor, gradient: Tensor) -> Tensor:
    """The sum of the products of the rows that count; of several vectors, zeros may have been filled in behind them."""
    embeddings = embeddings[: tf.shape(gradient)[0]]
    if len(embeddings.shape) == 3:
        gradient = gradient[:, : tf.shape(embeddings)[1]]
    return tf.reduce_sum(tf.cast(embeddings, gradient.dtype) * gradient)


def _states(model: keras.Model) -> list[keras.Variable]:
    """What a forward pass changes: states of random layers, and moving averages."""
    layers = model._flatten_layers(recursive=True, include_self=True)
    return [variable for layer in layers for variable in layer._non_trainable_variables] + seed_states(model)


def _assign(states: Sequence[keras.Variable], values: Sequence[Tensor]) -> None:
    for state, value in zip(states, values, strict=True):
        state.assign(value)


def _tensors(found: list[list[Gradient]]) -> list[Any]:
    """The last gradients, to wait for."""
    last = [gradients[-1] for gradients in found if gradients[-1] is not None]
    return [gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient for gradient in last]


def _sum(gradients: list[Gradient]) -> Gradient:
    """The sum; of sparse gradients, all their rows."""
    there = [gradient for gradient in gradients if gradient is not None]
    if not there:
        return None
    if all(isinstance(gradient, tf.IndexedSlices) for gradient in there):
        values = tf.concat([gradient.values for gradient in there], axis=0)
        return tf.IndexedSlices(
            values, tf.concat([gradient.indices for gradient in there], axis=0), there[0].dense_shape
        )
    return tf.add_n([tf.convert_to_tensor(gradient) for gradient in there])
