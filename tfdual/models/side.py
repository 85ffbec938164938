"""One side of a model: what it reads, and what it is made of."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tfdual._build import OF_THE_ORIGINAL, serialized, without

# What a layer is called, how it was made and trained, and where from: none of it moves what it gives.
OF_NO_EFFECT = OF_THE_ORIGINAL | {"name", "trainable", "dtype", "module", "registered_name", "source"}


@dataclass(frozen=True)
class Side:
    """What `encode_query`, or `encode_item`, hangs on.

    Args:
        columns: names of the columns that it reads.
        layers: all that it is made of, built; None for a step that isn't there.
        others: variables beside those of the layers. Defaults to none.
    """

    columns: Sequence[str]
    layers: Sequence[keras.layers.Layer | None]
    others: Sequence[Any] = ()

    @property
    def variables(self) -> list[Any]:
        """The backend's variables, each once."""
        found = [variable.value for layer in self.layers if layer for variable in layer.variables] + list(self.others)
        return list({id(variable): variable for variable in found}.values())

    def describe(self) -> str:
        """What the layers compute, weights left out, as JSON: equal where they do the same."""
        return json.dumps(without(serialized(list(self.layers)), OF_NO_EFFECT), sort_keys=True)
