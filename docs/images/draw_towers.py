"""Draw docs/images/towers.png: `python docs/images/draw_towers.py`; needs graphviz and pydot."""

from pathlib import Path

import keras

import tfdual
from tfdual import ColumnSchema, EmbeddingOptions, MLPBlock, Schema, Tags, TwoTowerBlock


def ids(name: str, size: int) -> dict:
    """The properties of a column of `size` ids."""
    return {"domain": {"name": name, "min": 0, "max": size - 1}}


SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], ids("user_id", 1000)),
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("liked", [Tags.USER], ids("item_id", 500), is_list=True),
        ColumnSchema("hour", [Tags.CONTEXT], dtype="float32"),
        ColumnSchema("item_id", [Tags.ITEM_ID], ids("item_id", 500)),
        ColumnSchema("genres", [Tags.ITEM], ids("genre", 20), is_list=True),
        ColumnSchema("price", [Tags.ITEM], dtype="float32"),
        ColumnSchema("picture", [Tags.ITEM], dtype="float32", dims=(None, 8)),
    ]
)

if __name__ == "__main__":
    towers = TwoTowerBlock(
        SCHEMA,
        MLPBlock([64, 32], name="body"),
        embedding_options=EmbeddingOptions(embedding_dim_default=16),
        post="l2-norm",
    )
    picture = Path(__file__).with_name("towers.png")
    keras.utils.plot_model(
        tfdual.as_functional(towers),
        picture,
        expand_nested=True,
        show_shapes=True,
        show_layer_names=True,
        rankdir="TB",
        dpi=70,
    )
