"""A frozen model that follows the weights of another."""

import functools
import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from tfdual._variable_hash import add_variables
from tfdual.models.graph.propagated_model import PropagatedModel


class FrozenUntilChanged:
    """The embeddings of all nodes by the weights of now: kept until a hash of these tells that they changed.

    It isn't a part of the model's state: Keras doesn't look into it.

    Args:
        freeze: makes a frozen model.
        refresh: puts the embeddings of now into one, so that what was traced for it is used again.
    """

    def __init__(self, freeze: Callable[[], PropagatedModel], refresh: Callable[[PropagatedModel], None]) -> None:
        self._freeze, self._refresh = freeze, refresh
        self._digest = b""
        self._frozen: PropagatedModel | None = None

    def of(self, variables: Iterable[Any]) -> PropagatedModel:
        """The frozen model.

        Args:
            variables: TensorFlow's, all that the embeddings hang on.
        """
        digest = hashlib.sha256()
        add_variables(digest, variables)
        now = digest.digest()
        if self._frozen is None:
            self._frozen = self._freeze()
        elif now != self._digest:
            self._refresh(self._frozen)
        self._digest = now
        return self._frozen


def on_first_call(make: Callable[[], Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """A function that is made when it is first called: Keras reads every attribute of a model that it saves."""
    made = functools.cache(make)
    return lambda inputs: made()(inputs)
