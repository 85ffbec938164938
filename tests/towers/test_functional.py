import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual import InputBlock, MLPBlock, ParallelBlock, Tags, Tower, TwoTowerBlock, as_functional
from tfdual.features import GRUEncoder


def sides(inputs: dict) -> dict:
    return {name: values for name, values in inputs.items() if name != "item_id_log_probability"}


def test_functional_model_has_the_layers_of_the_towers_and_gives_what_they_give() -> None:
    towers = TwoTowerBlock(SCHEMA, MLPBlock([8, 4], name="body"), embedding_options=OPTIONS, post="l2-norm")
    wanted = towers(batch())
    model = as_functional(towers)
    found = model(sides(batch()))
    for side in ("query", "item"):
        np.testing.assert_array_equal(found[side], wanted[side])
    assert {id(weight) for weight in model.weights} == {id(weight) for weight in towers.weights}
    query = [layer.name for layer in model.get_layer("query").layers]
    assert {"user_id", "age", "likes", "user_id_table", "item_id_table", "body"} <= set(query)


def test_branches_and_sequence_encoders_are_shown() -> None:
    columns = InputBlock(SCHEMA.select_by_tag(Tags.USER), OPTIONS, combiners={"likes": GRUEncoder(3)}, name="columns")
    wide = ParallelBlock({"wide": MLPBlock([2]), "deep": MLPBlock([4, 2])}, aggregation="element-wise-sum")
    tower = Tower(columns.set_aggregation("concat") >> wide)
    model = as_functional(tower)
    np.testing.assert_array_equal(model({n: batch()[n] for n in tower.schema.column_names}), tower(batch()))
    assert any(isinstance(layer, InputBlock) for layer in model.get_layer(tower.name).layers)


def test_a_block_that_reads_no_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="A block that reads columns is wanted, such as a TwoTowerBlock"):
        as_functional(MLPBlock([4]))


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz: apt-get install graphviz")
def test_picture_is_drawn_by_keras(tmp_path: Path) -> None:
    towers = TwoTowerBlock(SCHEMA, MLPBlock([8, 4], name="body"), embedding_options=OPTIONS, post="l2-norm")
    model = as_functional(towers)
    keras.utils.plot_model(model, tmp_path / "towers.png", expand_nested=True, show_shapes=True)
    assert (tmp_path / "towers.png").stat().st_size > 20_000
    drawn = keras.utils.model_to_dot(model, expand_nested=True).to_string()
    assert all(name in drawn for name in ("user_id_table", "item_id_table", "genre_table", "body", "L2Norm"))
