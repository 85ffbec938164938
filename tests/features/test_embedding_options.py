import json

import keras
import numpy as np
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


@pytest.mark.parametrize(("cardinality", "width"), [(1, 8), (256, 8), (257, 16), (10_000, 24)])
def test_inferred_width_is_rounded_up_to_a_multiple_of_8(cardinality: int, width: int) -> None:
    options = EmbeddingOptions(infer_embedding_sizes=True, infer_embeddings_ensure_dim_multiple_of_8=True)
    assert options.width(column(cardinality=cardinality)) == width


def test_only_inferred_widths_are_rounded() -> None:
    options = EmbeddingOptions({"genre": 3}, 5, infer_embeddings_ensure_dim_multiple_of_8=True)
    assert options.width(column()) == 3
    assert options.width(column("other", "other")) == 5


def test_no_dims_at_all_is_the_default_width() -> None:
    assert EmbeddingOptions(None).width(column()) == 64


def test_initializer_is_the_columns_then_the_domains_then_uniform() -> None:
    by_name = {"genre": "ones", "kind": "zeros"}
    assert EmbeddingOptions(embeddings_initializers=by_name).initializer(column()) == "ones"
    assert EmbeddingOptions(embeddings_initializers=by_name).initializer(column("other")) == "zeros"
    assert EmbeddingOptions(embeddings_initializers=by_name).initializer(column("a", "b")) == "uniform"
    assert EmbeddingOptions(embeddings_initializers="ones").initializer(column()) == "ones"
    assert EmbeddingOptions(embeddings_initializers=None).initializer(column()) == "uniform"


def test_two_tables_of_one_initializer_object_start_from_different_values() -> None:
    options = EmbeddingOptions(embeddings_initializers=keras.initializers.RandomNormal(stddev=0.1))
    one, other = (keras.initializers.get(options.initializer(column()))((4, 4)) for _ in range(2))
    assert not np.allclose(one, other)


@pytest.mark.parametrize(
    "initializers",
    [
        "normal",
        None,
        keras.initializers.RandomNormal(stddev=0.3, seed=5),
        {"genre": "ones", "kind": keras.initializers.Constant(2.0)},
        {"class_name": "ones"},
    ],
)
def test_json_round_trip(initializers: object) -> None:
    options = EmbeddingOptions({"genre": np.int64(8)}, 5, True, 3.0, True, initializers, 0.1, "max")
    written = json.loads(json.dumps(options.to_dict()))
    read = EmbeddingOptions.from_dict(written)
    assert read.to_dict() == written
    assert written == json.loads(json.dumps(options.to_dict())), "from_dict changed the dict that it was given"
    assert read.width(column()) == 8
    for one in (column(), column("other")):
        first, second = (keras.initializers.get(made.initializer(one)) for made in (options, read))
        assert type(first) is type(second)
        assert {**first.get_config(), "seed": 0} == {**second.get_config(), "seed": 0}


def test_json_round_trip_of_the_defaults() -> None:
    assert EmbeddingOptions.from_dict(json.loads(json.dumps(EmbeddingOptions().to_dict()))) == EmbeddingOptions()
    assert EmbeddingOptions.from_dict({"combiner": "sum"}) == EmbeddingOptions(combiner="sum")


@pytest.mark.parametrize("arguments", [{"embedding_dim_default": 0}, {"embedding_dims": {"genre": 0}}])
def test_width_below_1_is_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="widths are at least 1"):
        EmbeddingOptions(**arguments)


def test_unknown_combiner_is_refused() -> None:
    with pytest.raises(ValueError, match=r"combiner is one of .*Received 'median'"):
        EmbeddingOptions(combiner="median")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"embeddings_l2_reg": -0.1}, "embeddings_l2_reg is 0 or more. Received -0.1"),
        ({"embeddings_l2_reg": float("nan")}, "embeddings_l2_reg is 0 or more. Received nan"),
        ({"infer_embedding_sizes_multiplier": 0.0}, "multiplier is above 0. Received 0.0"),
        ({"infer_embedding_sizes_multiplier": float("inf")}, "multiplier is above 0. Received inf"),
        ({"embeddings_initializers": "unifrom"}, "no initializer of the name 'unifrom'"),
        ({"embeddings_initializers": ""}, "no initializer of the name ''"),
        ({"embeddings_initializers": "Constant"}, "no initializer of the name 'Constant'"),
        ({"embeddings_initializers": {"genre": "unifrom"}}, "no initializer of the name 'unifrom'"),
    ],
)
def test_bad_values_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmbeddingOptions(**arguments)


def test_initializer_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match=r"a name or a keras.initializers.Initializer. Received 3"):
        EmbeddingOptions(embeddings_initializers={"genre": 3})
