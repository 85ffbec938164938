"""Sub-layers of the bodies under names that stay the same, so that the paths of weights can be read."""

from numbers import Real
from typing import Any

import keras

from tfdual._build import fresh_copy
from tfdual.fusion.unshared import unshared

NORMALIZATIONS = {
    "layer": keras.layers.LayerNormalization,
    "batch": keras.layers.BatchNormalization,
    "batch_norm": keras.layers.BatchNormalization,
}


def as_normalization(normalization: str | keras.layers.Layer | None) -> str | keras.layers.Layer | None:
    """The argument, checked; a layer without the weights that it may have.

    Raises:
        ValueError: an unknown name.
    """
    if isinstance(normalization, keras.layers.Layer):
        return fresh_copy(normalization)
    if normalization is not None and normalization not in NORMALIZATIONS:
        raise ValueError(
            "normalization is a Keras layer, 'batch_norm' (the same as 'batch'), None, 'layer' or 'batch'. "
            f"Received {normalization!r}."
        )
    return normalization


def normalization_layers(
    normalization: str | keras.layers.Layer | None, place: int, dtype: Any
) -> list[keras.layers.Layer]:
    """The normalisation of one place, or nothing."""
    if normalization is None:
        return []
    name = f"normalization_{place}"
    if isinstance(normalization, str):
        return [NORMALIZATIONS[normalization](name=name, dtype=dtype)]
    return [fresh_copy(normalization, name)]


def dropout_layers(dropout: float, place: int, dtype: Any) -> list[keras.layers.Layer]:
    """The dropout of one place, or nothing."""
    return [keras.layers.Dropout(dropout, name=f"dropout_{place}", dtype=dtype)] if dropout else []


def dense_layers(
    units: int | None, low_rank_dim: int | None, place: int, use_bias: bool = True, **arguments: Any
) -> list[keras.layers.Layer]:
    """A Dense layer; with `low_rank_dim` two, the first of which is that narrow and has no bias."""
    if low_rank_dim is None:
        return [keras.layers.Dense(units, use_bias=use_bias, name=f"dense_{place}", **_unshared(arguments))]
    kernel_only = {name: value for name, value in arguments.items() if not name.startswith("bias_")}
    return [
        keras.layers.Dense(low_rank_dim, use_bias=False, name=f"dense_{place}_down", **_unshared(kernel_only)),
        keras.layers.Dense(units, use_bias=use_bias, name=f"dense_{place}_up", **_unshared(arguments)),
    ]


def check_dropout(dropout: float) -> float:
    """The share, if it is one.

    Raises:
        ValueError: it is outside [0, 1), or no number.
    """
    if not isinstance(dropout, Real) or not 0 <= dropout < 1:
        raise ValueError(f"dropout is a share in [0, 1). Received {dropout!r}; 0 drops nothing.")
    return dropout


def check_positive(owner: str, **sizes: int | None) -> None:
    """Each size is at least 1, or not given.

    Raises:
        ValueError: one is below 1.
    """
    if wrong := {name: size for name, size in sizes.items() if size is not None and size < 1}:
        raise ValueError(f"{owner} needs sizes of at least 1. Received {wrong}.")


def _unshared(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: unshared(value) for name, value in arguments.items()}
