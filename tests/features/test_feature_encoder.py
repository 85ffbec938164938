import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch, domain
from tfdual import ColumnSchema, EmbeddingOptions, FeatureEncoder, Schema, Tags
from tfdual.features import EmbeddingTable


def genre(name: str = "genre", cardinality: int = 7, shared: str = "genre") -> ColumnSchema:
    return ColumnSchema(name, [Tags.CATEGORICAL], domain(shared, cardinality))


def test_each_kind_of_column_becomes_a_vector_of_its_width() -> None:
    encoder, inputs = FeatureEncoder(SCHEMA, OPTIONS), batch()
    outputs = encoder(inputs)
    widths = {name: vector.shape[-1] for name, vector in outputs.items()}
    wanted = {"user_id": 4, "likes": 4, "item_id": 4, "genres": 3, "age": 1, "picture": 3, "item_id_log_probability": 1}
    assert widths == wanted
    assert {name: shape[-1] for name, shape in encoder.compute_output_shape({}).items()} == wanted
    np.testing.assert_array_equal(outputs["age"][:, 0], inputs["age"])
    np.testing.assert_array_equal(outputs["picture"], inputs["picture"])
    assert not outputs["likes"][1].numpy().any(), "an empty list"


def test_ids_are_looked_up_in_the_table_of_their_domain() -> None:
    encoder, inputs = FeatureEncoder(SCHEMA, OPTIONS), batch()
    outputs = encoder(inputs)
    items = encoder.tables["item_id"].embeddings.numpy()
    np.testing.assert_array_equal(outputs["item_id"], items[inputs["item_id"]])
    first = items[inputs["likes"][0].numpy()].sum(axis=0) / np.sqrt(2)
    np.testing.assert_allclose(outputs["likes"][0], first, rtol=1e-5)


def test_columns_of_one_domain_share_one_table() -> None:
    encoder = FeatureEncoder(SCHEMA, OPTIONS)
    encoder(batch())
    assert sorted(encoder.tables) == ["genre", "item_id", "user_id"]
    assert sorted(tuple(weight.shape) for weight in encoder.weights) == [(7, 3), (20, 4), (30, 4)]


def test_columns_of_no_schema_are_left_out() -> None:
    outputs = FeatureEncoder(Schema([genre()]))({"genre": tf.constant([1]), "other": tf.constant(["text"])})
    assert list(outputs) == ["genre"]


@pytest.mark.parametrize("kind", ["int32", "int64", "float32", "bool"])
def test_dense_columns_of_any_number_become_floats(kind: str) -> None:
    column = ColumnSchema("count", dtype=kind)
    found = FeatureEncoder(Schema([column]))({"count": tf.cast([0, 1], kind)})["count"]
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, [[0], [1]])


def test_initializer_of_the_options_is_used() -> None:
    encoder = FeatureEncoder(Schema([genre()]), EmbeddingOptions(embeddings_initializers="ones"))
    np.testing.assert_array_equal(encoder({"genre": tf.constant([3])})["genre"], np.ones((1, 64)))


def test_shared_tables_are_used_instead_of_its_own() -> None:
    table = EmbeddingTable(7, 64)
    encoder = FeatureEncoder(Schema([genre(), genre("other", 5, "other")]))
    encoder.share_tables({"genre": table, "unused": EmbeddingTable(3, 3)})
    encoder({"genre": tf.constant([3]), "other": tf.constant([3])})
    assert encoder.tables["genre"] is table
    assert encoder.tables["other"].cardinality == 5
    assert len(encoder.weights) == 2


def test_tables_cannot_be_shared_once_there_are_weights() -> None:
    encoder = FeatureEncoder(Schema([genre()]))
    encoder.build()
    with pytest.raises(ValueError, match="has weights already"):
        encoder.share_tables({"genre": EmbeddingTable(7, 64)})


def test_table_of_another_size_is_not_shared() -> None:
    with pytest.raises(ValueError, match="'genre' has 7 x 64 here and 8 x 64 in the table to share"):
        FeatureEncoder(Schema([genre()])).share_tables({"genre": EmbeddingTable(8, 64)})


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ([], None, "at least one column. Received none"),
        ([ColumnSchema("title", [Tags.TEXT], dtype="string")], None, "'title' holds raw strings"),
        ([ColumnSchema("city", [Tags.CATEGORICAL], dtype="string")], None, "'city' holds raw strings"),
        (
            [ColumnSchema("genre", [Tags.CATEGORICAL])],
            None,
            "'genre' is categorical and its number of ids is not known",
        ),
        ([ColumnSchema("likes", is_list=True)], None, "'likes' is id_list and its number of ids is not known"),
        ([ColumnSchema("pixels", dtype="float32", is_list=True)], None, "'pixels' holds vectors of unknown width"),
        ([genre(), genre("other", cardinality=8)], None, "'other' shares the domain 'genre' with a table of 7 x 64"),
        ([genre(), genre("other")], EmbeddingOptions({"other": 5}), "'other' shares the domain 'genre'"),
    ],
)
def test_bad_columns_are_refused(columns: list, options: EmbeddingOptions | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureEncoder(Schema(columns), options)


def test_input_without_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lacks the columns \['other'\] of the schema. It has \['genre'\]"):
        FeatureEncoder(Schema([genre(), genre("other")])).call({"genre": tf.constant([1])})
