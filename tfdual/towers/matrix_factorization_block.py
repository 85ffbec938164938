"""Matrix factorisation: two towers of one id each."""

from collections.abc import Mapping
from typing import Any

import keras

from tfdual.blocks.block import LayerLike
from tfdual.features import EmbeddingOptions, FeatureEncoder
from tfdual.schema import Schema, Tags
from tfdual.towers.dual_encoder_block import DualEncoderBlock


def MatrixFactorizationBlock(
    schema: Schema,
    dim: int,
    query_id_tag: str = Tags.USER_ID,
    item_id_tag: str = Tags.ITEM_ID,
    embeddings_initializers: str | keras.initializers.Initializer | Mapping[str, Any] | None = None,
    embeddings_l2_reg: float = 0.0,
    post: LayerLike | None = None,
    aggregation: str | keras.layers.Layer | None = None,
    **kwargs: Any,
) -> DualEncoderBlock:
    """A row of a table for the query's id, and one for the item's.

    Args:
        schema: Schema. Model-ready columns, one of them with each tag.
        dim: int. Width of the rows.
        query_id_tag: tag of the query's id. Defaults to `Tags.USER_ID`.
        item_id_tag: tag of the item's id. Defaults to `Tags.ITEM_ID`.
        embeddings_initializers: as in `EmbeddingOptions`. Defaults to `None`: `"uniform"`.
        embeddings_l2_reg: float. As in `EmbeddingOptions`. Defaults to 0.
        post: `"l2-norm"`, a Keras layer, or None; the last step of both towers. Defaults to `None`.
        aggregation: a fusion of the two rows, or its name, such as `"cosine"`. Defaults to `None`: both are the output,
            as training wants them.
        kwargs: of the `DualEncoderBlock`.

    Returns:
        `DualEncoderBlock`, from a dict of column name -> int ids `(batch,)` to `{"query": (batch, dim), "item": (batch,
        dim)}`, or to what the aggregation gives.

    Raises:
        ValueError: not exactly one column has one of the tags.

    Reference: Koren et al., 2009, "Matrix factorization techniques for recommender systems"; NVIDIA Merlin Models,
        `MatrixFactorizationBlock`
    """
    options = EmbeddingOptions(
        embedding_dim_default=dim,
        embeddings_initializers=embeddings_initializers or "uniform",
        embeddings_l2_reg=embeddings_l2_reg,
    )

    def side(tag: str) -> FeatureEncoder:
        columns = schema.select_by_tag(tag)
        if len(columns) != 1:
            raise ValueError(f"Wanted one column tagged '{tag}'. Received {columns.column_names}.")
        return FeatureEncoder(columns, options, aggregation="concat", dtype=kwargs.get("dtype"))

    return DualEncoderBlock(
        side(query_id_tag), side(item_id_tag), post=post, aggregation=aggregation, schema=schema, **kwargs
    )
