"""A served graph as a SavedModel."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import function_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tfdual._typing import Tensor
from tfdual.serving.served_graph import ServedGraph

LOWERED = "_lower_using_switch_merge"
Functions = Mapping[str, Callable[..., dict[str, Tensor]]]


def save_graph(graph: ServedGraph, folder: Path) -> None:
    """Write the graph with its signatures, and what each input is that a request leaves out."""
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(graph, str(folder), signatures=dict(graph.functions), options=options)
    file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta_graph in saved.meta_graphs:
        for signature, defaults in graph.defaults.items():
            for name, value in defaults.items():
                meta_graph.signature_def[signature].defaults[name].CopyFrom(tf.make_tensor_proto(value))
        _keep_branches(meta_graph.graph_def.library)
    file.write_bytes(saved.SerializeToString())


def _keep_branches(library: function_pb2.FunctionDefLibrary) -> None:
    """Let each branch be a function that is optimised and run where it is taken.

    TensorFlow writes branches out into the graph around them otherwise, where each request walks over the nodes of
    those that it doesn't take, and the first one waits until all are optimised.
    """
    for function in library.function:
        for node in function.node_def:
            if node.op in ("If", "StatelessIf"):
                node.attr.pop(LOWERED, None)


def load_functions(folder: Path) -> tuple[Any, Functions]:
    """The loaded SavedModel, which must be kept, and its signatures by name.

    Raises:
        ValueError: it is damaged.
    """
    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, ValueError, LookupError, tf.errors.OpError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"The model {folder} is damaged and can't be loaded: {first}. Export it again.") from error
    return loaded, dict(loaded.signatures)
