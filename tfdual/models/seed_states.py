"""States of random layers, saved with a model: Keras leaves them out of its files."""

from typing import Any

import keras
import numpy as np

SEEDS = "seeds"


def seed_states(model: keras.Model) -> list[keras.Variable]:
    """The states of the seed generators of all layers, in the order of the layers."""
    layers = model._flatten_layers(recursive=True, include_self=True)
    return [generator.state for layer in layers for generator in layer._seed_generators]


class SeededModel(keras.Model):
    """A Keras model whose files hold the states of its random layers, so that training goes on as it would have."""

    def save_own_variables(self, store: Any) -> None:
        """Besides Keras's: the states of random layers."""
        super().save_own_variables(store)
        if states := seed_states(self):
            store[SEEDS] = np.stack([keras.ops.convert_to_numpy(state) for state in states])

    def load_own_variables(self, store: Any) -> None:
        """What `save_own_variables` wrote; a model with more or fewer random layers keeps its own states."""
        held = {name: store[name] for name in store.keys()}  # noqa: SIM118 (a store of Keras)
        saved, states = held.pop(SEEDS, ()), seed_states(self)
        super().load_own_variables(held)
        if len(saved) == len(states):
            for state, value in zip(states, saved, strict=True):
                state.assign(value)
