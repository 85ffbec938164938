"""A served graph as a SavedModel."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfdual._optional import require
from tfdual._typing import Tensor
from tfdual.serving.served_graph import ServedGraph

INPUT_NAME = re.compile(r"[A-Za-z0-9.]([\w.\\/>-]*[\w.\\>-])?", re.ASCII)  # as TensorFlow lets a node be called
Functions = Mapping[str, Callable[..., dict[str, Tensor]]]


def save_graph(graph: ServedGraph, folder: Path) -> None:
    """Write the graph with its signatures, and what each input is that a request leaves out.

    Raises:
        ValueError: a column has a name that no input of a signature can have.
    """
    _require_input_names(graph)
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(graph, str(folder), signatures=dict(graph.functions), options=options)
    file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta_graph in saved.meta_graphs:
        for signature, defaults in graph.defaults.items():
            for name, value in defaults.items():
                meta_graph.signature_def[signature].defaults[name].CopyFrom(tf.make_tensor_proto(value))
    file.write_bytes(saved.SerializeToString())


def _require_input_names(graph: ServedGraph) -> None:
    towers = [*graph.towers.values(), *([graph.items.tower] if graph.items.tower else [])]
    names = {name for tower in towers for name in tower.schema.column_names}
    if bad := sorted(name for name in names if not INPUT_NAME.fullmatch(name) or name == "self"):
        raise ValueError(
            f"The inputs of a SavedModel are called by letters of ASCII, digits, `_`, `.`, `-` and `/`, beginning with "
            f"a letter or digit, and not `self`. Rename the columns {bad}."
        )


def load_functions(folder: Path, index: dict[str, Any]) -> tuple[Any, Functions]:
    """The loaded SavedModel, which must be kept, and its signatures by name.

    Args:
        folder: of the SavedModel.
        index: what the index in it says of itself.

    Raises:
        ValueError: it is damaged.
        ImportError: the index is ScaNN's, and scann is not installed.
    """
    if _needs_scann(index):
        require("scann", advice="This model's index needs ScaNN's TensorFlow op: `pip install scann` on Linux.")
    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, ValueError, LookupError, tf.errors.OpError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"The model {folder} is damaged and can't be loaded: {first}. Export it again.") from error
    return loaded, dict(loaded.signatures)


def _needs_scann(index: dict[str, Any]) -> bool:
    """Whether an index, or one inside it, searches by ScaNN's op."""
    inside = [part for part in index.values() if isinstance(part, dict)]
    return (index.get("kind") == "ScaNN" and not index.get("exact")) or any(map(_needs_scann, inside))
