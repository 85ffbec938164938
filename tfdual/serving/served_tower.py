"""A tower as a served graph holds it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.schema import Schema
from tfdual.serving.raw_input import tensor_spec, to_ragged

Columns = dict[str, Tensor]


@dataclass(frozen=True)
class ServedTower:
    """Raw columns -> model-ready columns -> embeddings.

    Args:
        schema: Schema. The raw columns.
        prepare: from raw columns, lists ragged, to model-ready ones.
        encode: from model-ready columns to `(batch, dim)`.
        resources: sequence. The variables and tables that both read, for the SavedModel.
        space: str. The embedding space, as `model.embedding_space(preprocessor)` names it. Defaults to `""`: not known.
        space_now: callable. Names the space of the model as it is now. Defaults to `None`: nothing trains the tower.
    """

    schema: Schema
    prepare: Callable[[Columns], Columns]
    encode: Callable[[Columns], Tensor]
    resources: Sequence[Any]
    space: str = ""
    space_now: Callable[[], str] | None = None

    def ready(self, features: Columns) -> Columns:
        """Dense columns of a request, model-ready."""
        return self.prepare(to_ragged(features, self.schema))

    def embed(self, features: Columns) -> Tensor:
        """Dense columns of a request -> float32 `(batch, dim)`."""
        return self.encoded(features)[0]

    def require_space(self, index: str) -> None:
        """Raise where the embeddings that the tower gives now can't be compared with those of an index.

        Raises:
            ValueError: its space is another; the model was trained since the tower was made, which moved the items.
        """
        require_space(self.space, index)
        if self.space_now is not None and (now := self.space_now()) != index:
            raise ValueError(
                f"The index's embeddings are of the space {index}, and the model's of {now} now: it has been trained, "
                "or its preprocessor adapted, since the retriever was made. Call `to_retriever` again."
            )

    @cached_property
    def encoded(self) -> Callable[[Columns], tuple[Tensor, Columns]]:
        """From dense columns of a request to float32 `(batch, dim)` and model-ready columns.

        A function of TensorFlow, so that the tower is traced once for all signatures that call it.
        """

        def encoded(features: Columns) -> tuple[Tensor, Columns]:
            ready = self.ready(features)
            return tf.cast(self.encode(ready), tf.float32), ready

        specs = {column.name: tensor_spec(column) for column in self.schema}
        return tf.function(encoded, input_signature=[specs], autograph=False)


def pair_schema(query: Schema, item: Schema) -> Schema:
    """The columns of a query and of an item; one that both have stands once."""
    return query + Schema(column for column in item if column.name not in query)


def require_space(tower: str, index: str) -> None:
    """Raise where a tower's embeddings can't be compared with those of an index.

    Raises:
        ValueError: both are known, and differ; or one alone is known.
    """
    if tower != index:
        raise ValueError(
            f"The query tower's embeddings are of the space {tower or 'unknown'}, the index's of {index or 'unknown'}: "
            "their scores would mean nothing. Train the tower against the same frozen item tower, or embed the items "
            "again."
        )
