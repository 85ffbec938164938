"""Searches in Python as graphs of TensorFlow, each traced once."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found
from tfdual.index.search_arguments import Shape, search_specs


class TracedSearches:
    """A search as one graph for each set of arguments that is given, and for each state of the index.

    Args:
        find: takes arguments of `search_specs` by name, and `changed`.
    """

    def __init__(self, find: Callable[..., Found]) -> None:
        self._find = find
        self._traced: dict[tuple[Any, ...], Any] = {}

    def __call__(self, arguments: dict[str, Tensor], changed: tuple[bool, bool], queries: Shape) -> Found:
        """What `find` gives.

        Args:
            arguments: checked ones, by name.
            changed: whether the index has dead rows, and fresh ones.
            queries: Shape. What the index takes.
        """
        key = *arguments, *changed
        if key not in self._traced:

            @tf.function(autograph=False)
            def find(**given: Tensor) -> Found:  # `changed` is no argument of the graph: each call would lack it
                return self._find(**given, changed=changed)

            self._traced[key] = find.get_concrete_function(**search_specs(arguments, queries))
        return self._traced[key](**arguments)
