"""What every retrieval model is."""

import functools
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.index import BruteForce, Index
from tfdual.models.item_batches import encode_batches, raw_ids
from tfdual.preprocessing import Preprocessor
from tfdual.schema import Tags
from tfdual.serving import Retriever, ServedGraph


class DualEncoder(keras.Model):
    """Two encoders and a score; architectures differ in these alone."""

    item_id: str

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Keras's `fit`. Of a dataset, the next batch is made ready during a step; it has an order of its own, so
        `shuffle` is off for it, which Keras else warns of.
        """
        if isinstance(x, tf.data.Dataset):
            x = x.prefetch(1)
            kwargs.setdefault("shuffle", False)
        return super().fit(x, *args, **kwargs)

    @abstractmethod
    def encode_query(self, inputs: dict[str, Tensor]) -> Tensor:
        """Model-ready query columns -> `(batch, dim)`."""

    @abstractmethod
    def encode_item(self, inputs: dict[str, Tensor]) -> Tensor:
        """Model-ready item columns -> `(batch, dim)`."""

    @property
    @abstractmethod
    def query_columns(self) -> Sequence[str]:
        """Names of the columns that `encode_query` reads."""

    @property
    @abstractmethod
    def query_variables(self) -> list:
        """The variables that `encode_query` reads."""

    @functools.cached_property
    def compiled_encode_query(self) -> Callable[[dict[str, Tensor]], Tensor]:
        """`encode_query` as one TensorFlow graph, traced once."""
        return tf.function(self.encode_query, reduce_retracing=True)

    @functools.cached_property
    def compiled_encode_item(self) -> Callable[[dict[str, Tensor]], Tensor]:
        """`encode_item` as one TensorFlow graph, traced once."""
        return tf.function(self.encode_item, reduce_retracing=True)

    def score(self, query: Tensor, item: Tensor) -> Tensor:
        """Inner products of all pairs: `(queries, dim)`, `(items, dim)` -> `(queries, items)`."""
        return ops.matmul(query, ops.transpose(item))

    def to_retriever(
        self,
        items: Rows | tf.data.Dataset,
        index: Index | None = None,
        preprocessor: Preprocessor | None = None,
        attributes: Sequence[str] = (),
    ) -> Retriever:
        """Embed the items, index them, and join preprocessing, query tower and index.

        Args:
            items: the corpus, one row an item: raw rows of `tfdual.read`, or a dataset of model-ready batches.
            index: Index, not built yet. Defaults to `None`: `BruteForce()`.
            preprocessor: Preprocessor that the model was trained with.
            attributes: names of raw item columns to return with the ids. Defaults to none.

        Returns:
            `Retriever`.

        Raises:
            ValueError: no preprocessor; an attribute is no single-valued column or is called `id`; an id stands twice.
        """
        if preprocessor is None:
            raise ValueError(
                "A retriever takes raw queries. Pass preprocessor=..., the one that the model trained with."
            )
        if "id" in attributes and self.item_id != "id":
            raise ValueError("The attribute name 'id' is taken by the item ids. Rename the column 'id'.")
        if not self.built:
            self.build(None)
        raw = preprocessor.input_schema
        embeddings, ids = [], []
        columns: dict[str, list[np.ndarray]] = {name: [] for name in attributes}
        for batch, embedding in encode_batches(self.compiled_encode_item, items, preprocessor):
            embeddings.append(embedding)
            ids.append(raw_ids(batch, self.item_id, items, preprocessor))
            for name in attributes:
                columns[name].append(_attribute(batch, name))
        served = {"id": np.concatenate(ids)} | {name: np.concatenate(parts) for name, parts in columns.items()}
        if len(np.unique(served["id"])) < len(served["id"]):
            raise ValueError(
                f"Item ids must differ; the column '{self.item_id}' repeats some. Use `rows.unique(by=...)`."
            )
        built = (index or BruteForce()).build(np.concatenate(embeddings))
        schema = raw.select_by_name(list(self.query_columns))
        graph = ServedGraph(schema, preprocessor, self.encode_query, self.query_variables, built, served)
        description = {
            "query_schema": schema.to_dict(),
            "item_schema": raw.select_by_tag(Tags.ITEM).to_dict(),
            "item_id": self.item_id,
            "attributes": list(attributes),
            "index": built.describe(),
            "parameters": int(self.count_params()),
        }
        return Retriever.from_graph(graph, description)


def _attribute(batch: dict[str, Tensor], name: str) -> np.ndarray:
    if name not in batch or isinstance(batch[name], tf.RaggedTensor):
        raise ValueError(
            f"The attribute '{name}' must be a single-valued column of the items. They have {sorted(batch)}."
        )
    return batch[name].numpy()
