"""The graph that a retriever runs and exports."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index import Index
from tfdual.preprocessing import Preprocessor
from tfdual.schema import Schema
from tfdual.serving.examples import parse_examples
from tfdual.serving.raw_input import tensor_spec, to_ragged

DEFAULT_K = 10


class ServedGraph(tf.Module):
    """Raw query columns -> preprocessing -> query tower -> index -> ids, scores and item attributes.

    Args:
        schema: Schema. The raw query columns.
        preprocessor: Preprocessor. Fitted.
        encode: from model-ready query columns to `(batch, dim)`.
        variables: sequence. The variables that `encode` reads.
        index: Index. Built.
        columns: mapping of name -> array `(items,)`: `"id"` and the attributes to return.

    Raises:
        ValueError: a query column is called `k`, or an attribute `score`.
    """

    def __init__(
        self,
        schema: Schema,
        preprocessor: Preprocessor,
        encode: Callable[[dict[str, Tensor]], Tensor],
        variables: Sequence[Any],
        index: Index,
        columns: Mapping[str, np.ndarray],
    ) -> None:
        super().__init__()
        if "k" in schema or "score" in columns:
            raise ValueError(
                "The signature's own input is called 'k' and its own output 'score'. Rename the query column or "
                f"attribute. Received the query columns {schema.column_names} and the outputs {sorted(columns)}."
            )
        specs = {column.name: tensor_spec(column) for column in schema}
        self.columns = {name: tf.Variable(values, trainable=False) for name, values in columns.items()}
        self.resources = [*variables, *preprocessor.tables, *index.resources]

        def embed_query(features: dict[str, Tensor]) -> dict[str, Tensor]:
            return {"embedding": tf.cast(encode(preprocessor(to_ragged(features, schema))), tf.float32)}

        def search(features: dict[str, Tensor], k: Tensor = tf.constant(DEFAULT_K)) -> dict[str, Tensor]:  # noqa: B008
            positions, scores = index.search_positions(embed_query(features)["embedding"], k)
            found = {name: tf.gather(values, positions) for name, values in self.columns.items()}
            return {"score": scores, **found}

        def search_examples(examples: Tensor, k: Tensor = tf.constant(DEFAULT_K)) -> dict[str, Tensor]:  # noqa: B008
            return search(parse_examples(examples, schema), k)

        k_spec = tf.TensorSpec([], tf.int32, name="k")
        self.search = tf.function(search, input_signature=[specs, k_spec])
        self.search_examples = tf.function(
            search_examples, input_signature=[tf.TensorSpec([None], tf.string, name="examples"), k_spec]
        )
        self.embed_query = tf.function(embed_query, input_signature=[specs])

    def signatures(self) -> dict[str, Any]:
        """What TensorFlow Serving offers, by name."""
        return {
            "serving_default": self.search,
            "serving_examples": self.search_examples,
            "embed_query": self.embed_query,
        }
