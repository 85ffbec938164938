import json

import pytest

from tfdual import ColumnSchema, EmbeddingOptions, Tags


def column(name: str = "genre", domain: str = "kind", cardinality: int = 10_000) -> ColumnSchema:
    return ColumnSchema(name, [Tags.CATEGORICAL], {"domain": {"name": domain, "min": 0, "max": cardinality - 1}})


def test_width_is_the_columns_then_the_domains_then_the_default() -> None:
    assert EmbeddingOptions({"genre": 8, "kind": 16}).width(column()) == 8
    assert EmbeddingOptions({"kind": 16}).width(column()) == 16
    assert EmbeddingOptions({"other": 16}, embedding_dim_default=5).width(column()) == 5
    assert EmbeddingOptions().width(column()) == 64


@pytest.mark.parametrize(
    ("cardinality", "multiplier", "width"), [(10_000, 2.0, 20), (10_001, 2.0, 21), (16, 3.0, 6), (1, 2.0, 2)]
)
def test_inferred_width_is_the_fourth_root_times_the_multiplier_rounded_up(
    cardinality: int, multiplier: float, width: int
) -> None:
    options = EmbeddingOptions(infer_embedding_sizes=True, infer_embedding_sizes_multiplier=multiplier)
    assert options.width(column(cardinality=cardinality)) == width


def test_named_width_goes_before_the_inferred_one() -> None:
    assert EmbeddingOptions({"genre": 8}, infer_embedding_sizes=True).width(column()) == 8


def test_json_round_trip() -> None:
    options = EmbeddingOptions({"genre": 8}, 5, True, 3.0, "normal", "sum")
    assert EmbeddingOptions(**json.loads(json.dumps(options.to_dict()))) == options


@pytest.mark.parametrize("arguments", [{"embedding_dim_default": 0}, {"embedding_dims": {"genre": 0}}])
def test_width_below_1_is_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="widths are at least 1"):
        EmbeddingOptions(**arguments)


def test_unknown_combiner_is_refused() -> None:
    with pytest.raises(ValueError, match=r"combiner is one of .*Received 'max'"):
        EmbeddingOptions(combiner="max")
