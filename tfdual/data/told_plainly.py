"""What Python code raises inside a TensorFlow graph."""

import contextlib
import re
from collections.abc import Iterator

import tensorflow as tf

_RAISED = re.compile(r"\bValueError: (.+?)\nTraceback \(most recent call last\):", re.DOTALL)


@contextlib.contextmanager
def told_plainly() -> Iterator[None]:
    """A `ValueError` of Python code in a graph, such as that of a bad row, as itself, not inside TensorFlow's."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = _RAISED.search(error.message)
        if not found:
            raise
        raise ValueError(found[1]) from error
