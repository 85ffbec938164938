import keras
import numpy as np
import pytest
import tensorflow as tf

import tfdual
from tests.sample_columns import OPTIONS, SCHEMA, batch, domain
from tfdual import ColumnSchema, EmbeddingOptions, FeatureEncoder, Schema, SequentialBlock, Tags
from tfdual.blocks import Filter
from tfdual.features import (
    AttentionPooling,
    EmbeddingTable,
    GRUEncoder,
    OneHotEncoder,
    QuotientRemainderTable,
    TransformerEncoder,
)
from tfdual.fusion import AttentionFusion
from tfdual.schema import Kind


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
    with pytest.raises(ValueError, match=r"'genre' has a table here and another.* differ in \['cardinality'\]"):
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


WITH_STARS = Schema(
    [
        ColumnSchema("age", [Tags.CONTINUOUS], dtype="float32"),
        ColumnSchema("hour", [Tags.CONTINUOUS, Tags.CONTEXT], dtype="float32"),
        ColumnSchema("likes", properties=domain("item_id", 30) | {"weights": "stars"}, is_list=True),
        ColumnSchema("seen", properties=domain("item_id", 30), is_list=True),
        ColumnSchema("stars", [Tags.WEIGHT], dtype="float32", is_list=True),
        ColumnSchema("title", [Tags.TEXT], dtype="string"),
    ]
)
INPUTS = {
    "age": tf.constant([1.0, 2.0]),
    "hour": tf.constant([3.0, 4.0]),
    "likes": tf.ragged.constant([[1, 2], []], dtype=tf.int64),
    "seen": tf.ragged.constant([[3], [4, 5]], dtype=tf.int64),
    "stars": tf.ragged.constant([[1.0, 3.0], []]),
    "title": tf.constant(["a", "b"]),
}


def words() -> SequentialBlock:
    return SequentialBlock([keras.layers.Hashing(16), keras.layers.Embedding(16, 3)])


def stars(**kwargs) -> FeatureEncoder:
    encoders = {"title": words()} | kwargs.pop("encoders", {})
    return FeatureEncoder(WITH_STARS, OPTIONS, encoders=encoders, **kwargs)


def test_weights_weigh_the_ids_of_their_list_and_are_no_feature() -> None:
    encoder = stars(combiners={"likes": "mean"})
    outputs = encoder(INPUTS)
    rows = encoder.tables["item_id"].embeddings.numpy()
    assert sorted(outputs) == ["age", "hour", "likes", "seen", "title"]
    np.testing.assert_allclose(outputs["likes"][0], (rows[1] + 3 * rows[2]) / 4, rtol=1e-5)
    np.testing.assert_array_equal(outputs["likes"][1], np.zeros(4))
    with pytest.raises(ValueError, match=r"The input lacks the columns \['stars'\]"):
        encoder({name: values for name, values in INPUTS.items() if name != "stars"})


def test_weights_come_with_the_columns_that_are_selected() -> None:
    columns = Schema([WITH_STARS["age"], WITH_STARS["likes"].with_tags([Tags.USER]), WITH_STARS["stars"]])
    of_user = FeatureEncoder.from_schema(columns, Tags.USER, embedding_options=OPTIONS, combiners={"likes": "mean"})
    by_name, by_tag = stars(combiners={"likes": "mean"}).select_by_name("likes"), of_user.select_by_tag(Tags.USER)
    for encoder in (of_user, by_name, by_tag):
        assert encoder.schema.column_names == ["likes", "stars"]
        found = encoder({"likes": INPUTS["likes"], "stars": INPUTS["stars"]})
        rows = encoder.tables["item_id"].embeddings.numpy()
        np.testing.assert_allclose(found["likes"][0], (rows[1] + 3 * rows[2]) / 4, rtol=1e-5)


def test_a_name_goes_before_a_tag_and_a_tag_before_a_kind() -> None:
    encoder = stars(
        encoders={
            "age": keras.layers.Dense(2),
            Tags.CONTEXT: keras.layers.Dense(3),
            Kind.DENSE: keras.layers.Dense(4),
        }
    )
    assert {name: vector.shape[-1] for name, vector in encoder(INPUTS).items() if name in ("age", "hour")} == {
        "age": 2,
        "hour": 3,
    }
    by_kind = stars(encoders={Kind.DENSE: keras.layers.Dense(4)})
    by_kind(INPUTS)
    assert not {id(w) for w in by_kind.encoders["age"].weights} & {id(w) for w in by_kind.encoders["hour"].weights}
    np.testing.assert_array_equal(stars(encoders={"age": keras.layers.Rescaling(7.0)})(INPUTS)["age"], [[7], [14]])


def test_a_column_of_two_named_tags_wants_a_choice_of_its_own() -> None:
    with pytest.raises(ValueError, match=r"encoders names 'hour' by several tags, .*Name it by its name"):
        stars(encoders={Tags.CONTEXT: keras.layers.Dense(3), Tags.CONTINUOUS: keras.layers.Dense(2)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"encoders": {"agee": keras.layers.Dense(2)}}, r"encoders holds \['agee'\], which is no column, tag or kind"),
        ({"combiners": {"age": "mean"}}, r"combiners holds \['age'\].*it can name are \['likes', 'seen'\]"),
        ({"tables": {"likes": EmbeddingTable(30, 4)}}, r"tables for \['likes'\].*The domains are \['item_id'\]"),
        ({"tables": {"item_id": EmbeddingTable(31, 4)}}, "'likes' shares the domain 'item_id' with a table of 31 x 4"),
        ({"aggregation": "concatenation"}, "No aggregation is called 'concatenation'"),
    ],
)
def test_choices_that_fit_nothing_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stars(**arguments)


def test_combiners_are_chosen_for_each_list_and_share_the_table() -> None:
    encoder = stars(combiners={"likes": "sum", "seen": GRUEncoder(5)})
    outputs = encoder(INPUTS)
    rows = encoder.tables["item_id"].embeddings.numpy()
    np.testing.assert_allclose(outputs["likes"][0], rows[1] + 3 * rows[2], rtol=1e-5)
    assert outputs["seen"].shape == (2, 5)
    padded, mask = rows[[[3, 0], [4, 5]]] * np.array([[[1], [0]], [[1], [1]]]), np.array([[1, 0], [1, 1]], bool)
    np.testing.assert_allclose(outputs["seen"], encoder.combiners["seen"](padded, mask), rtol=1e-5, atol=1e-6)


def test_padded_lists_are_encoded_as_ragged_ones() -> None:
    for combiner in ("mean", "max", "sqrtn", AttentionPooling(), TransformerEncoder(1, 2, max_length=4)):
        encoder = stars(combiners={"seen": combiner})
        padded = INPUTS | {name: INPUTS[name].to_tensor() for name in ("likes", "seen", "stars")}
        for name, vector in encoder(INPUTS).items():
            np.testing.assert_allclose(encoder(padded)[name], vector, rtol=1e-5, atol=1e-6)


def test_a_table_of_another_kind_can_be_given() -> None:
    table = QuotientRemainderTable(30, 6)
    encoder = stars(tables={"item_id": table})
    np.testing.assert_allclose(encoder(INPUTS)["seen"][0], table(tf.constant([3]))[0], rtol=1e-6)
    assert encoder.compute_output_shape({})["likes"] == (None, 6)


def test_attention_leaves_empty_lists_out() -> None:
    encoders = {"title": keras.layers.Hashing(16), Kind.DENSE: keras.layers.Dense(4)}
    encoders["title"] = SequentialBlock([encoders["title"], keras.layers.Embedding(16, 4)])
    encoder = stars(encoders=encoders, aggregation=AttentionFusion(2))
    vectors = encoder.set_aggregation(None)(INPUTS)
    present = {name: tf.constant([True, True]) for name in vectors} | {"likes": tf.constant([True, False])}
    np.testing.assert_allclose(encoder(INPUTS), encoder.aggregation(vectors, mask=present), rtol=1e-5, atol=1e-6)
    assert np.abs(encoder(INPUTS)[1] - encoder.aggregation(vectors)[1]).max() > 1e-3


def test_attention_takes_what_post_leaves() -> None:
    encoder = stars(post=Filter(["likes", "seen"]), aggregation=AttentionFusion(2))
    assert encoder(INPUTS).shape == (2, 4)
    assert stars(post=Filter(["seen"]), aggregation=AttentionFusion(2))(INPUTS).shape == (2, 4)


def test_order_of_the_columns_does_not_change_the_result() -> None:
    encoder = stars(aggregation="concat")
    wanted = encoder(INPUTS)
    turned = Schema(reversed(list(WITH_STARS)))
    other = FeatureEncoder(
        turned, OPTIONS, encoder.encoders, tables=encoder.tables, combiners=encoder.combiners, aggregation="concat"
    )
    np.testing.assert_array_equal(other(dict(reversed(INPUTS.items()))), wanted)


def test_selected_columns_share_the_layers() -> None:
    encoder = stars()
    outputs = encoder(INPUTS)
    for part, names in (
        (encoder.select_by_name("seen"), ["seen"]),
        (encoder.select_by_name(["age", "seen"]), ["age", "seen"]),
        (encoder.select_by_tag(Tags.CONTEXT), ["hour"]),
    ):
        found = part(INPUTS)
        assert sorted(found) == names
        for name in names:
            np.testing.assert_array_equal(found[name], outputs[name])
    assert encoder.select_by_name("nothing") is None
    assert encoder.select_by_tag(Tags.SESSION) is None


def test_post_and_aggregation_can_be_replaced_and_the_encoder_stays() -> None:
    encoder = stars()
    outputs = encoder(INPUTS)
    config = encoder.get_config()
    joined = encoder.set_post("l2-norm").set_aggregation("concat")(INPUTS)
    unit = [outputs[name] / np.maximum(np.linalg.norm(outputs[name], axis=1, keepdims=True), 1e-6) for name in outputs]
    np.testing.assert_allclose(joined, np.concatenate([unit[i] for i in np.argsort(list(outputs))], axis=1), rtol=1e-4)
    assert encoder.get_config() == config


def test_ids_outside_a_table_are_named_in_debug_mode_and_unknown_otherwise() -> None:
    encoder = FeatureEncoder(Schema([genre()]))
    ids = tf.constant([3, 7], tf.int64)
    np.testing.assert_array_equal(encoder({"genre": ids})["genre"][1], encoder.tables["genre"].embeddings[0])
    tfdual.set_debug(True)
    try:
        with pytest.raises(ValueError, match=r"'genre'.*\[7\]"):
            encoder({"genre": ids})
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="genre.* holds ids outside its table of 7 rows"
        ) as caught:
            tf.function(encoder)({"genre": ids})
        assert "[7]" in str(caught.value)
    finally:
        tfdual.set_debug(False)


def test_attention_takes_an_unknown_id_of_a_padded_list_for_an_entry_as_the_table_does() -> None:
    encoder = stars(post=Filter(["likes", "seen"]), aggregation=AttentionFusion(2))
    padded = INPUTS | {
        "likes": tf.constant([[1, 2], [-7, 0]], tf.int64),
        "stars": tf.constant([[1.0, 3.0], [1.0, 0.0]]),
    }
    vectors = encoder.set_aggregation(None)(padded)
    np.testing.assert_allclose(encoder(padded), encoder.aggregation(vectors), rtol=1e-5, atol=1e-6)


def test_a_choice_for_a_column_is_not_one_for_what_is_tagged_by_the_same_word() -> None:
    user = ColumnSchema("user", [Tags.CATEGORICAL], domain("user", 10))
    schema = Schema([user, ColumnSchema("age", [Tags.USER], dtype="float32")])
    encoder = FeatureEncoder(schema, encoders={"user": OneHotEncoder(10)})
    for each in (encoder, encoder.set_aggregation(None)):
        outputs = each({"user": tf.constant([3]), "age": tf.constant([7.0])})
        np.testing.assert_array_equal(outputs["user"], np.eye(10)[[3]])
        np.testing.assert_array_equal(outputs["age"], [[7]])


def test_a_choice_for_a_column_is_not_one_for_a_kind() -> None:
    columns = [ColumnSchema("dense", dtype="float32"), ColumnSchema("age", dtype="float32")]
    outputs = FeatureEncoder(Schema(columns), encoders={"dense": keras.layers.Rescaling(2.0)})(
        {"dense": tf.constant([3.0]), "age": tf.constant([7.0])}
    )
    assert [outputs[name].numpy().tolist() for name in ("dense", "age")] == [[[6]], [[7]]]
