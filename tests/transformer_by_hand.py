"""Pre-norm transformer layers in NumPy, from the weights of a layer of Keras by their names."""

import math

import keras
import numpy as np

Weights = dict[str, np.ndarray]


def named_weights(layer: keras.layers.Layer) -> Weights:
    """The weights by their paths inside the layer."""
    return {weight.path.removeprefix(f"{layer.name}/"): weight.numpy() for weight in layer.weights}


def transformed(weights: Weights, rows: np.ndarray, num_layers: int, causal: bool = False) -> np.ndarray:
    """The rows of one sequence, `(length, dim)`, after all layers and the last normalisation."""
    x = rows.astype("float64")
    for place in range(num_layers):
        layer = {path.removeprefix(f"layer_{place}/"): weight for path, weight in weights.items()}
        x = x + attention(layer, normal(layer, "attention_normalization", x), causal)
        hidden = normal(layer, "feed_forward_normalization", x) @ layer["widened/kernel"] + layer["widened/bias"]
        x = x + gelu(hidden) @ layer["narrowed/kernel"] + layer["narrowed/bias"]
    return normal(weights, "normalization", x)


def attention(weights: Weights, x: np.ndarray, causal: bool) -> np.ndarray:
    """Multi-head attention without biases, by loops over heads and rows."""
    query_kernel, key_kernel, value_kernel = (weights[f"attention/{part}/kernel"] for part in ("query", "key", "value"))
    found = np.zeros(x.shape)
    for head in range(query_kernel.shape[1]):
        query, key, value = (x @ kernel[:, head] for kernel in (query_kernel, key_kernel, value_kernel))
        for i in range(len(x)):
            seen = i + 1 if causal else len(x)
            shares = np.exp(key[:seen] @ query[i] / np.sqrt(query.shape[1]))
            found[i] += shares / shares.sum() @ value[:seen] @ weights["attention/attention_output/kernel"][head]
    return found


def normal(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """Layer normalisation, epsilon 1e-6."""
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6) * weights[f"{name}/gamma"] + weights[f"{name}/beta"]


def gelu(x: np.ndarray) -> np.ndarray:
    """The exact one, by the error function."""
    return x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))) / 2
