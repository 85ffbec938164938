"""The batches that a model's `fit` takes."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfdual._optional import is_frame
from tfdual.data import Rows

TEXT_KINDS = ("O", "U", "S", "T")  # of NumPy's types, and of those of pandas


def fit_rows(x: Any, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What `fit` gets, ready for Keras's.

    Of a dataset, the next batch is made ready during a step; it has an order of its own, so `shuffle` is off for it,
    which Keras else warns of.

    Args:
        x: what `fit` got.
        settings: the other named arguments.

    Raises:
        TypeError: rows that aren't batches yet, a frame, or arrays of Python objects, to train on or as
            `validation_data`.
    """
    for name, given in {"x": x, "validation_data": settings.get("validation_data")}.items():
        if isinstance(given, Rows):
            raise TypeError(
                f"A model takes model-ready batches. Received the rows of `tfdual.read` as {name}; with the "
                f"preprocessor that was adapted to them: {name}=rows.batch(1_024).map(preprocessor)."
            )
        _refuse_untyped(name, given[0] if isinstance(given, tuple) and given else given)
    return (_read_ahead(x), {"shuffle": False} | settings) if isinstance(x, tf.data.Dataset) else (x, settings)


def _refuse_untyped(name: str, given: Any) -> None:
    """Refuse a frame, and columns of Python objects, which Keras takes for no tensor."""
    if isinstance(given, pa.Table) or is_frame(given, "pandas") or is_frame(given, "polars"):
        raise TypeError(
            f"A model takes model-ready batches. Received a frame as {name}; with its schema, and the preprocessor "
            f"that was adapted to it: {name}=tfdual.read(frame, schema).batch(1_024).map(preprocessor)."
        )
    for column, values in given.items() if isinstance(given, Mapping) else ():
        dtype = getattr(values, "dtype", None)
        if getattr(dtype, "kind", None) in TEXT_KINDS and not _is_read_by_keras(values):
            raise TypeError(
                f"The column '{column}' of {name} holds Python objects or texts, of dtype {dtype}. Make a tensor of "
                'them: tf.constant(values.tolist()) of texts, "" where there is none; tf.ragged.constant(...) of lists.'
            )


def _is_read_by_keras(values: Any) -> bool:
    """Whether it is a flat array of nothing but texts."""
    return isinstance(values, np.ndarray) and values.dtype == object and all(isinstance(one, str) for one in values)


def with_weights(method: Callable[..., Any], x: Any, arguments: tuple, settings: dict[str, Any]) -> dict[str, Any]:
    """The arguments of Keras's `fit` or `evaluate` by their names, where columns with weights have labels of no width.

    Without labels Keras drops weights that come as arrays, and fails with a dataset of them in a strategy's scope.

    Args:
        method: Keras's `fit` or `evaluate`.
        x: columns, or anything else that it takes.
        arguments: what stands behind them without a name.
        settings: the named arguments.

    Raises:
        ValueError: weights of classes; weights of rows that are not one number a row.
    """
    named = inspect.signature(method).bind(x, *arguments, **settings).arguments
    named |= named.pop("kwargs", {})
    if named.get("class_weight"):
        raise ValueError("A pair has no class. Leave class_weight out, and weigh rows by sample_weight.")
    if isinstance(x, Mapping) and named.get("y") is None and named.get("sample_weight") is not None:
        named["y"], named["sample_weight"] = _beside_no_labels(named["sample_weight"])
    match named.get("validation_data"):
        case (Mapping() as columns, None, weights) if weights is not None:
            named["validation_data"] = (columns, *_beside_no_labels(weights))
    return named | {name: _with_no_labels(named[name]) for name in ("x", "validation_data") if name in named}


def _beside_no_labels(weights: Any) -> tuple[np.ndarray, np.ndarray]:
    """Labels of no width, and the weights, `(rows,)`."""
    array = np.asarray(weights, np.float32)
    if array.shape[1:] == (1,):
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"sample_weight is one number a row, (rows,). Received the shape {array.shape}.")
    return np.zeros((len(array), 0), np.float32), array


def _with_no_labels(given: Any) -> Any:
    """A dataset of `(columns, None, weights)` with labels of no width, or whatever else was given."""
    match given.element_spec if isinstance(given, tf.data.Dataset) else None:
        case (Mapping(), labels, _) if labels == tf.type_spec_from_value(None):
            return given.map(lambda columns, _, weights: (columns, weights[..., tf.newaxis][..., :0], weights))
    return given


def _read_ahead(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same batches, the next one made ready during a step.

    `AUTOTUNE` stands for its first value, as many as there are cores, unless the dataset's options say
    `autotune.enabled`. The thread by which TensorFlow 2.20 tunes sleeps longer and longer, and the end of an epoch may
    wait for it: 5 seconds were seen after 15, and 10 after epochs of a longer training.
    """
    dataset = dataset.prefetch(1)
    if dataset.options().autotune.enabled is not None:
        return dataset
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
