"""The two-tower of the benchmarks, built with tfdual."""

from pathlib import Path

import synthetic

import tfdual
from tfdual import ColumnSchema, EmbeddingOptions, LazyAdam, MLPBlock, Preprocessor, Schema, Tags

IDS = {"user_id": Tags.USER_ID, "item_id": Tags.ITEM_ID}


def column(name: str) -> ColumnSchema:
    """The schema of one column, by its name."""
    side = Tags.USER if name.startswith("user") else Tags.ITEM
    if name not in synthetic.SIZES:
        return ColumnSchema(name, [side, Tags.CONTINUOUS], dtype="float32")
    return ColumnSchema(name, [IDS.get(name, side), Tags.CATEGORICAL])


def open_rows(path: Path) -> tuple[tfdual.Rows, Preprocessor]:
    """The rows of `synthetic.write`, and what was learned of them."""
    rows = tfdual.read(path, Schema(column(name) for name in (*synthetic.USER_COLUMNS, *synthetic.ITEM_COLUMNS)))
    return rows, Preprocessor(rows.schema).adapt(rows)


def two_tower(prep: Preprocessor) -> tfdual.TwoTowerModel:
    """The model, compiled."""
    options = EmbeddingOptions(embedding_dim_default=synthetic.DIM)
    towers = tfdual.TwoTowerBlock(prep.schema, MLPBlock(synthetic.UNITS), embedding_options=options)
    model = tfdual.TwoTowerModel(towers, temperature=synthetic.TEMPERATURE)
    model.compile(optimizer=LazyAdam())
    return model
