"""What Keras leaves out of a model's files: states of random layers, and which of a model's own layers are frozen."""

from typing import Any

import keras
import numpy as np

SEEDS = "seeds"
FROZEN = "frozen_layers"


def seed_states(model: keras.Model) -> list[keras.Variable]:
    """The states of the seed generators of all layers, in the order of the layers."""
    return [generator.state for layer in _layers(model) for generator in layer._seed_generators]


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    return list(model._flatten_layers(recursive=True, include_self=True))


class WholeStateModel(keras.Model):
    """A Keras model whose files hold all that training goes on from.

    Besides what Keras keeps: the states of random layers, and `trainable` of layers that the model makes by itself.
    """

    def get_build_config(self) -> dict | None:
        """Besides Keras's: the places of frozen layers among all."""
        config, layers = super().get_build_config(), _layers(self)
        frozen = [place for place, layer in enumerate(layers) if not layer.trainable]
        return config and config | {FROZEN: [len(layers), *frozen]}

    def build_from_config(self, config: dict) -> None:
        """Make the weights, and freeze what was frozen before; a model with more or fewer layers keeps its own."""
        config = dict(config)
        count, *frozen = config.pop(FROZEN, [0])
        super().build_from_config(config)
        layers = _layers(self)
        for place in frozen if len(layers) == count else ():
            layers[place].trainable = False

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
