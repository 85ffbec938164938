"""docs/merlin.md holds every name of Merlin's pages, the truth about those that are here, and tests that exist."""

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from tfdual import Block, DualEncoderBlock, EmbeddingOptions, FeatureEncoder, InputBlock, ParallelBlock, TwoTowerBlock
from tfdual.blocks import SequentialBlock
from tfdual.fusion import as_fusion

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = (REPOSITORY / "docs" / "merlin.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
CODE = re.compile(r"`([^`]+)`")


def words(text: str) -> list[str]:
    return text.split()


# The public members of Merlin Models 23.12's TwoTowerBlock and of what it derives from, without those of Keras.
MEMBERS = words(
    """
    add_branch aggregation apply_to_all apply_to_branch as_tabular build
    calculate_batch_size_from_input_shapes call call_outputs check_schema compute_call_output_shape
    compute_output_shape connect connect_branch connect_debug_block connect_with_residual
    connect_with_shortcut context copy first from_config from_features from_layer from_schema get_config
    get_item_ids_from_inputs get_padding_mask_from_item_id has_schema is_input is_tabular item_block layers
    parallel_dict parallel_values parse parse_block parse_config post post_call pre pre_call prepare
    query_block register_features registry repeat repeat_in_parallel repr_add repr_extra repr_ignore schema
    select_by_name select_by_names select_by_tag set_aggregation set_post set_pre set_schema super
    """
)
OPTIONS = words(
    """
    combiner embedding_dim_default embedding_dims embeddings_initializers embeddings_l2_reg
    infer_embedding_sizes infer_embedding_sizes_multiplier infer_embeddings_ensure_dim_multiple_of_8
    """
)
AGGREGATIONS = words(
    """
    concat stack sum sum-residual add-left element-wise-sum element-wise-sum-item-multi cosine
    cosine-similarity elementwise-multiply
    """
)
TRANSFORMS = words(
    """
    BroadcastToSequence CategoryEncoding ContinuousPowers ExpandDims HashedCross LogitsTemperatureScaler
    PopularityLogitsCorrection PrepareFeatures PrepareListFeatures RemovePad3D Rename SequenceMaskLast
    SequenceMaskRandom SequencePredictLast SequencePredictNext SequencePredictRandom SequenceTargetAsInput
    StochasticSwapNoise ToDense ToOneHot ToSparse ToTarget
    """
)
ARGUMENTS = words(
    """
    schema query_tower item_tower query_tower_tag item_tower_tag embedding_options post
    """
)


def named(section: str) -> dict[str, str]:
    """The names in the first column of a section's table, each with what the second column says."""
    text = PAGE.split(f"## {section}")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]
    return {name.strip('"'): row[1] for row in rows[1:] for name in CODE.findall(row[0])}


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("Blocks", [name for name in MEMBERS if name not in named("TwoTowerBlock, DualEncoderBlock")]),
        ("TwoTowerBlock, DualEncoderBlock", ARGUMENTS),
        ("EmbeddingOptions and InputBlock", OPTIONS),
        ("Aggregations", AGGREGATIONS),
        ("Transforms", TRANSFORMS),
    ],
)
def test_every_name_of_merlin_stands_on_the_page(section: str, names: list[str]) -> None:
    assert [name for name in names if name not in named(section)] == []


def test_names_of_the_page_are_members_here() -> None:
    here = [Block, ParallelBlock, SequentialBlock, DualEncoderBlock]
    members = {name for cls in here for name in (*dir(cls), *inspect.signature(cls).parameters)}
    same = [name for name, there in named("Blocks").items() if there.startswith("the same")]
    assert len(same) > 30
    assert [name for name in same if name not in members] == []
    left_out = [name for name, there in named("Blocks").items() if there.startswith("left out")]
    assert [name for name in left_out if hasattr(Block, name) and name != "super"] == []
    assert set(ARGUMENTS) <= set(inspect.signature(TwoTowerBlock).parameters)
    assert list(inspect.signature(TwoTowerBlock).parameters)[: len(ARGUMENTS)] == ARGUMENTS
    assert InputBlock is FeatureEncoder


def test_options_are_fields_here() -> None:
    assert set(OPTIONS) == {field.name for field in fields(EmbeddingOptions)}


def test_aggregations_are_made_by_their_names_or_left_out() -> None:
    for name in AGGREGATIONS:
        if named("Aggregations")[name].startswith("left out"):
            with pytest.raises(ValueError, match="No aggregation is called"):
                as_fusion(name)
        else:
            assert as_fusion(name) is not None


def test_tests_of_the_page_exist() -> None:
    found = [name for row in ROWS for cell in row for name in CODE.findall(cell) if name.startswith("tests/")]
    assert len(found) > 40
    for name in found:
        path, _, function = name.partition("::")
        tree = ast.parse((REPOSITORY / path).read_text())
        assert not function or function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name
