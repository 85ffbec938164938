"""LightGCN as its authors have it."""

from typing import Any

import keras

from tfdual.features.initializers import Initializer
from tfdual.graph import Graph, LightGCN
from tfdual.models.graph.graph_model import GraphModel
from tfdual.schema import Schema


def LightGCNModel(
    graph: Graph, schema: Schema, dim: int = 64, layers: int = 3, initializer: Initializer | None = None, **options: Any
) -> GraphModel:
    """A row for each user and each item, propagated along what users did: matrix factorisation that sees the graph.

    As in the paper: `LightGCNModel(graph, schema, l2=5e-5, sampling_correction=False,
    loss=functools.partial(tfdual.losses.bpr, max_positives=1), negatives=tfdual.negatives.Uniform(64).adapt(items))`.
    The softmax over many negatives, which is the default, learns in a hundredth of the steps.

    Args:
        graph: Graph. Of users and items, such as `Graph.from_rows(batches, schema)`.
        schema: Schema. Model-ready columns, one tagged `USER_ID` and one tagged `ITEM_ID`.
        dim: int. Width of a row. Defaults to 64.
        layers: int. Defaults to 3.
        initializer: a Keras initialiser of the rows, by name or object. Defaults to `None`: normal, with a standard
            deviation of 0.1.
        options: `post`, `item_bias`, `neighbours`, `l2` and others of `GraphModel`, and how it trains.

    Returns:
        `GraphModel`.

    Raises:
        ValueError: as `GraphModel` does.

    Reference: He et al., 2020, arXiv:2002.02126
    """
    rows = keras.initializers.RandomNormal(stddev=0.1) if initializer is None else initializer
    return GraphModel(graph, schema, LightGCN(layers), dim=dim, initializer=rows, **options)
