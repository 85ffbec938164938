"""States of random layers, saved with a model: Keras leaves them out of its files."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

SEEDS = "seeds"


def seed_states(model: keras.Model) -> list[keras.Variable]:
    """The states of the seed generators of all layers, in the order of the layers."""
    layers = model._flatten_layers(recursive=True, include_self=True)
    return [generator.state for layer in layers for generator in layer._seed_generators]


def save_seeds(model: keras.Model, store: Any) -> None:
    """Write them into a store of Keras."""
    if states := seed_states(model):
        store[SEEDS] = np.stack([keras.ops.convert_to_numpy(state) for state in states])


def load_seeds(model: keras.Model, store: Any) -> Mapping[str, Any]:
    """Read what `save_seeds` wrote; a model with more or fewer random layers keeps its own.

    Returns:
        What else the store holds.
    """
    held = {name: store[name] for name in store.keys()}  # noqa: SIM118 (a store of Keras)
    saved, states = held.pop(SEEDS, ()), seed_states(model)
    if len(saved) == len(states):
        for state, value in zip(states, saved, strict=True):
            state.assign(value)
    return held
