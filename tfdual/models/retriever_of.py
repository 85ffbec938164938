"""A trained model and its items, joined to a retriever."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.index import BruteForce, Index
from tfdual.models.ready_batches import ReadyBatches
from tfdual.preprocessing import Preprocessor
from tfdual.schema import Tags
from tfdual.serving import Retriever, ServedGraph

if TYPE_CHECKING:
    from tfdual.models.dual_encoder import DualEncoder


def retriever_of(
    model: "DualEncoder",
    items: Rows | tf.data.Dataset,
    index: Index | None,
    preprocessor: Preprocessor | None,
    attributes: Sequence[str],
) -> Retriever:
    """What `DualEncoder.to_retriever` gives."""
    if preprocessor is None:
        raise ValueError("A retriever takes raw queries. Pass preprocessor=..., the one that the model trained with.")
    if "id" in attributes and model.item_id != "id":
        raise ValueError("The attribute name 'id' is taken by the item ids. Rename the column 'id'.")
    if not model.built:
        model.build(None)
    raw = preprocessor.input_schema
    embeddings, ids = [], []
    columns: dict[str, list[np.ndarray]] = {name: [] for name in attributes}
    batches = ReadyBatches(items, preprocessor)
    for batch, embedding in batches.encoded(model.compiled_encode_item):
        embeddings.append(embedding)
        ids.append(batches.raw_ids(batch, model.item_id, preprocessor))
        for name in attributes:
            columns[name].append(_attribute(batch, name))
    served = {"id": np.concatenate(ids)} | {name: np.concatenate(parts) for name, parts in columns.items()}
    if len(np.unique(served["id"])) < len(served["id"]):
        raise ValueError(f"Item ids must differ; the column '{model.item_id}' repeats some. Use `rows.unique(by=...)`.")
    built = (index or BruteForce()).build(np.concatenate(embeddings))
    schema = raw.select_by_name(list(model.query_columns))
    graph = ServedGraph(schema, preprocessor, model.encode_query, model.query_variables, built, served)
    description = {
        "query_schema": schema.to_dict(),
        "item_schema": raw.select_by_tag(Tags.ITEM).to_dict(),
        "item_id": model.item_id,
        "attributes": list(attributes),
        "index": built.describe(),
        "parameters": int(model.count_params()),
    }
    return Retriever.from_graph(graph, description)


def _attribute(batch: dict[str, Tensor], name: str) -> np.ndarray:
    if name not in batch or isinstance(batch[name], tf.RaggedTensor):
        raise ValueError(
            f"The attribute '{name}' must be a single-valued column of the items. They have {sorted(batch)}."
        )
    return batch[name].numpy()
