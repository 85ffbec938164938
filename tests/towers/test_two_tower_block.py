from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch, domain
from tfdual import (
    ColumnSchema,
    EmbeddingOptions,
    InputBlock,
    L2Norm,
    MLPBlock,
    PoolingFusion,
    Schema,
    SequentialBlock,
    Tags,
    Tower,
    TwoTowerModel,
)
from tfdual import TwoTowerBlock as Block
from tfdual.blocks import MixtureOfExpertsBlock
from tfdual.features import OneHotEncoder
from tfdual.schema import Kind

USER_COLUMNS, ITEM_COLUMNS = ["user_id", "age", "likes"], ["item_id", "genres", "picture"]


def block(**kwargs) -> Block:
    return Block(SCHEMA, **({"query_tower": MLPBlock([8, 4]), "embedding_options": OPTIONS} | kwargs))


def body_of(tower: Tower) -> list[keras.layers.Layer]:
    return tower.block.layers[1:]


def test_each_tower_reads_the_columns_of_its_tag() -> None:
    towers = block()
    assert towers.query.schema.column_names == USER_COLUMNS
    assert towers.item.schema.column_names == ITEM_COLUMNS
    inputs = batch()
    outputs = towers(inputs)
    np.testing.assert_array_equal(outputs["query"], towers.query({name: inputs[name] for name in USER_COLUMNS}))
    np.testing.assert_array_equal(outputs["item"], towers.item({name: inputs[name] for name in ITEM_COLUMNS}))


def test_tags_can_be_others() -> None:
    towers = block(query_tower_tag=Tags.ITEM, item_tower_tag=Tags.USER)
    assert towers.query.schema.column_names == ITEM_COLUMNS
    assert towers.item.schema.column_names == USER_COLUMNS
    own = Schema([ColumnSchema("a", ["left"], dtype="float32"), ColumnSchema("b", ["right"], dtype="float32")])
    towers = Block(own, MLPBlock([2]), query_tower_tag="left", item_tower_tag="right")
    assert (towers.query.schema.column_names, towers.item.schema.column_names) == (["a"], ["b"])


def test_item_tower_is_a_copy_of_the_structure_with_weights_of_its_own() -> None:
    body = SequentialBlock([MLPBlock([8, 4], activation="tanh"), keras.layers.Dense(3)])
    towers = block(query_tower=body)
    towers(batch())
    mine, other = body_of(towers.query), body_of(towers.item)
    assert mine == body.layers
    assert [layer.name for layer in other] == [layer.name for layer in body.layers]
    assert other[0].dimensions == [8, 4]
    assert other[0].activation == "tanh"
    assert towers.item.schema.column_names == ITEM_COLUMNS
    weights = [{id(weight) for layer in body for weight in layer.weights} for body in (mine, other)]
    assert [len(each) for each in weights] == [6, 6]
    assert not weights[0] & weights[1]
    assert not np.array_equal(mine[1].kernel, other[1].kernel)


def test_copy_is_made_of_a_tower_that_is_built_already() -> None:
    body = MLPBlock([8, 4])
    body.build((None, 9))
    towers = block(query_tower=body)
    assert {name: vectors.shape for name, vectors in towers(batch()).items()} == {"query": (6, 4), "item": (6, 4)}


def test_item_tower_can_be_another() -> None:
    body = MLPBlock([4])
    assert body_of(block(item_tower=body).item) == [body]


@pytest.mark.parametrize("post", ["l2-norm", L2Norm()], ids=["name", "layer"])
def test_l2_norm_belongs_to_both_towers_called_alone(post: object) -> None:
    towers = block(query_tower=keras.layers.Dense(4), post=post)
    for vectors in (towers.query(batch()), towers.item(batch()), *towers(batch()).values()):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_without_post_the_embedding_is_what_the_body_gives() -> None:
    lengths = np.linalg.norm(block(query_tower=keras.layers.Dense(4))(batch())["query"], axis=1)
    assert np.abs(lengths - 1).min() > 1e-3


def test_fusion_is_copied_for_each_side() -> None:
    one_width = Schema([SCHEMA["user_id"], SCHEMA["likes"], SCHEMA["item_id"]])
    towers = Block(one_width, keras.layers.Dense(4), fusion=PoolingFusion("max"))
    towers(batch())
    query, item = (tower.block.layers[0].aggregation for tower in (towers.query, towers.item))
    assert query.mode == item.mode == "max"
    assert query is not item
    assert body_of(towers.query)[0].kernel.shape == (64, 4)


def test_domain_is_one_table_across_the_towers_and_learns_from_both() -> None:
    towers, inputs = block(), batch()
    towers(inputs)
    table = towers.query.tables["item_id"]
    assert towers.item.tables["item_id"] is table
    assert sum(weight.shape == (30, 4) for weight in towers.weights) == 1
    touched = {"query": set(inputs["likes"].flat_values.numpy()), "item": set(inputs["item_id"].numpy())}
    weights = tf.constant(np.random.default_rng(0).normal(size=(6, 4)), tf.float32)
    for body in (towers.query.block.layers[-1], towers.item.block.layers[-1]):
        body.set_weights([np.random.default_rng(1).uniform(0.1, 1, weight.shape) for weight in body.weights])
    for side, rows in touched.items():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(towers(inputs)[side] * weights)
        gradient = tf.convert_to_tensor(tape.gradient(loss, table.embeddings.value)).numpy()
        assert set(np.flatnonzero(gradient.any(axis=1))) <= rows
        assert gradient.any(), side


def test_missing_schema_and_query_tower_give_the_messages_of_merlin() -> None:
    with pytest.raises(ValueError, match=r"^The schema is required by TwoTower$"):
        Block(None, MLPBlock([4]))
    with pytest.raises(ValueError, match=r"^The query_tower is required by TwoTower$"):
        Block(SCHEMA, None)


def test_side_without_columns_is_refused() -> None:
    with pytest.raises(ValueError, match=r"needs columns tagged 'session', and the schema has none. Its tags are"):
        block(query_tower_tag=Tags.SESSION)
    with pytest.raises(ValueError, match=r"needs columns tagged 'item', and the schema has none"):
        Block(SCHEMA.select_by_tag(Tags.USER), MLPBlock([4]))


def test_column_of_both_sides_is_refused() -> None:
    both = ColumnSchema("price", [Tags.USER, Tags.ITEM], dtype="float32")
    with pytest.raises(ValueError, match=r"columns \['price'\] have the tags of both towers"):
        Block(SCHEMA + Schema([both]), MLPBlock([4]))


def test_towers_of_different_widths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"query tower ends in 4, the item tower in 5"):
        block(item_tower=MLPBlock([5])).build()


def test_shared_domain_of_different_widths_is_refused() -> None:
    options = EmbeddingOptions({"likes": 3, "item_id": 4}, embedding_dim_default=4)
    with pytest.raises(ValueError, match=r"The domain 'item_id' has a table here and another.* differ in \['dim'\]"):
        block(embedding_options=options)


def test_shared_domain_of_different_cardinality_is_refused() -> None:
    more = ColumnSchema("seen", [Tags.ITEM], domain("user_id", 99), is_list=True)
    with pytest.raises(ValueError, match=r"The domain 'user_id' has a table here .* differ in \['cardinality'\]"):
        Block(SCHEMA + Schema([more]), MLPBlock([4]), embedding_options=OPTIONS)


def test_input_without_a_column_is_refused() -> None:
    inputs = batch()
    del inputs["genres"]
    with pytest.raises(ValueError, match=r"lacks the columns \['genres'\] of the schema"):
        block()(inputs)


def test_query_tower_that_reads_columns_is_copied_onto_the_columns_of_the_item() -> None:
    columns = InputBlock(SCHEMA.select_by_tag(Tags.USER), OPTIONS, aggregation="concat")
    towers = Block(SCHEMA, columns >> MLPBlock([8, 4]), post="l2-norm")
    outputs = towers(batch())
    assert towers.query.schema.column_names == USER_COLUMNS
    assert towers.item.schema.column_names == ITEM_COLUMNS
    assert {name: vectors.shape for name, vectors in outputs.items()} == {"query": (6, 4), "item": (6, 4)}
    assert towers.tables["genre"].dim == 3, "the options go with the copy"
    assert towers.item.tables["item_id"] is towers.query.tables["item_id"]
    bodies = [body_of(tower)[0] for tower in (towers.query, towers.item)]
    assert not {id(weight) for weight in bodies[0].weights} & {id(weight) for weight in bodies[1].weights}


def test_built_query_tower_that_reads_columns_is_copied_too() -> None:
    query = InputBlock(SCHEMA.select_by_tag(Tags.USER), OPTIONS, aggregation="concat") >> MLPBlock([8, 4])
    query(batch())
    towers = Block(SCHEMA, query)
    assert towers(batch())["item"].shape == (6, 4)
    assert towers.item.schema.column_names == ITEM_COLUMNS


def test_choices_by_tag_and_kind_go_with_the_copy_and_those_by_name_do_not() -> None:
    schema = SCHEMA + Schema([ColumnSchema("price", [Tags.ITEM], dtype="float32")])
    columns = InputBlock(
        schema.select_by_tag(Tags.USER),
        OPTIONS,
        encoders={Kind.DENSE: keras.layers.Dense(5), "user_id": OneHotEncoder(20)},
        aggregation="concat",
    )
    towers = Block(schema, columns >> MLPBlock([4]))
    towers(batch() | {"price": tf.ones(6)})
    widths = {name: shape[-1] for name, shape in towers.item.block.layers[0]._vector_shapes().items()}
    assert widths == {"item_id": 4, "genres": 3, "picture": 3, "price": 5}
    assert body_of(towers.query)[0].weights[0].shape[0] == 20 + 5 + 4


def test_two_towers_that_read_columns_take_no_fusion() -> None:
    sides = [InputBlock(SCHEMA.select_by_tag(tag), OPTIONS, aggregation="concat") for tag in (Tags.USER, Tags.ITEM)]
    query, item = (side >> MLPBlock([4]) for side in sides)
    assert Block(SCHEMA, query, item).query.block.layers[0] is sides[0]
    with pytest.raises(ValueError, match="read columns by themselves, and so fuse them too. Leave `fusion` out"):
        Block(SCHEMA, query, item, fusion="concat")


def test_context_belongs_to_the_query_and_targets_to_neither_side() -> None:
    schema = SCHEMA + Schema(
        [
            ColumnSchema("hour", [Tags.CONTEXT], dtype="float32"),
            ColumnSchema("shelf", [Tags.CONTEXT, Tags.ITEM], dtype="float32"),
            ColumnSchema("rating", [Tags.ITEM, Tags.TARGET], dtype="float32"),
        ]
    )
    towers = Block(schema, MLPBlock([4]), embedding_options=OPTIONS)
    assert towers.query.schema.column_names == [*USER_COLUMNS, "hour"]
    assert towers.item.schema.column_names == [*ITEM_COLUMNS, "shelf"]


def test_weights_of_a_list_come_with_it_and_count() -> None:
    likes = SCHEMA["likes"].with_properties({"weights": "stars"})
    stars = ColumnSchema("stars", [Tags.WEIGHT], dtype="float32", is_list=True)
    others = [column for column in SCHEMA if column.name != "likes"]
    towers = Block(Schema([*others, likes, stars]), keras.layers.Dense(4), embedding_options=OPTIONS)
    inputs = batch()
    given = inputs["likes"].with_flat_values(tf.range(1.0, 11.0))
    found = towers.query(inputs | {"stars": given})
    assert sorted(towers.query.schema.column_names) == sorted([*USER_COLUMNS, "stars"])
    assert np.abs(found - towers.query(inputs | {"stars": given * 0 + 1})).max() > 1e-4
    assert body_of(towers.query)[0].kernel.shape == (4 + 1 + 4, 4), "the weights are no feature of their own"


@pytest.mark.parametrize(
    "options", [{"embedding_dims": {"itemid": 8}}, {"embeddings_initializers": {"itemid": "ones"}}]
)
def test_options_for_what_the_schema_lacks_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=r"names \['itemid'\], which is no column and no domain of the schema. It has"):
        block(embedding_options=EmbeddingOptions(**options))


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Unrecognized keyword arguments passed to .*l2_normalisation"):
        block(l2_normalisation=True)


def test_outputs_have_the_shape_and_the_norms_that_were_asked_for() -> None:
    inputs = {name: tf.gather(column, np.arange(100) % 6) for name, column in batch().items()}
    for post, is_unit in ((None, False), ("l2-norm", True)):
        outputs = block(query_tower=MLPBlock([64, 128]), post=post)(inputs)
        assert sorted(outputs) == ["item", "query"]
        for vectors in outputs.values():
            assert vectors.shape == (100, 128)
            assert bool(np.isclose(np.mean(np.sum(np.square(vectors), axis=-1)), 1)) is is_unit


@pytest.mark.parametrize("side", ["query_block", "item_block"])
def test_each_tower_is_saved_and_loaded_with_equal_weights_and_its_columns(side: str, tmp_path: Path) -> None:
    towers = block(post="l2-norm")
    towers(batch())
    tower = getattr(towers, side)()
    tower.save(tmp_path / "tower.keras")
    loaded = keras.saving.load_model(tmp_path / "tower.keras")
    for one, other in zip(loaded.get_weights(), tower.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(loaded(batch()), tower(batch()))
    assert loaded.schema == tower.schema
    loaded.export(tmp_path / "tower", verbose=False)
    served = tf.saved_model.load(tmp_path / "tower").signatures["serving_default"]
    assert set(served.structured_input_signature[1]) == set(tower.schema.column_names)


def test_each_looked_up_column_adds_one_regularization_loss() -> None:
    without = block()
    without(batch())
    assert without.losses == []
    options = EmbeddingOptions({"genre": 3}, embedding_dim_default=4, embeddings_l2_reg=0.2)
    towers = block(embedding_options=options)
    towers(batch())
    looked_up = [name for name in (*USER_COLUMNS, *ITEM_COLUMNS) if name not in ("age", "picture")]
    assert len(towers.losses) == len(looked_up) == 4
    assert all(float(loss) > 0 for loss in towers.losses)


def test_set_schema_puts_both_towers_on_other_columns() -> None:
    towers = block(post="l2-norm")
    towers(batch())
    smaller = SCHEMA.excluding_by_name(["picture", "age"])
    other = towers.set_schema(smaller)
    assert other.query.schema.column_names == ["user_id", "likes"]
    assert other.item.schema.column_names == ["item_id", "genres"]
    np.testing.assert_allclose(np.linalg.norm(other(batch())["item"], axis=1), 1, rtol=1e-5)
    assert towers.query.schema.column_names == USER_COLUMNS


def test_copy_gives_towers_of_their_own_that_share_their_tables() -> None:
    towers = block()
    before = towers(batch())
    copied = towers.copy(weights=True)
    np.testing.assert_allclose(copied(batch())["item"], before["item"], rtol=1e-6)
    assert not {id(weight) for weight in copied.weights} & {id(weight) for weight in towers.weights}
    assert copied.item.tables["item_id"] is copied.query.tables["item_id"]
    assert len(copied.weights) == len(towers.weights)


def test_its_dtype_is_that_of_what_it_makes_and_is_saved(tmp_path: Path) -> None:
    body = MLPBlock([4], dtype="mixed_bfloat16")
    towers = block(query_tower=body, dtype="mixed_bfloat16")
    made = [towers.query, towers.item, *(tower.block.layers[0] for tower in (towers.query, towers.item))]
    assert {layer.compute_dtype for layer in (*made, *towers.tables.values())} == {"bfloat16"}
    model = TwoTowerModel(towers)
    before = model(batch())
    assert {vectors.dtype for vectors in before.values()} == {tf.bfloat16}
    assert {weight.dtype for weight in towers.trainable_weights} == {"float32"}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.towers.query.compute_dtype == loaded.towers.item.compute_dtype == "bfloat16"
    for side, vectors in loaded(batch()).items():
        assert vectors.dtype == tf.bfloat16
        np.testing.assert_array_equal(tf.cast(vectors, tf.float32), tf.cast(before[side], tf.float32))
    assert towers.set_schema(SCHEMA.excluding_by_name(["age"])).query.compute_dtype == "bfloat16"
    assert towers.set_post("l2-norm").query.compute_dtype == "bfloat16"


def experts(**kwargs) -> SequentialBlock:
    mixture = MixtureOfExpertsBlock(MLPBlock([4]), num_experts=1, num_shared_experts=2, **kwargs)
    return MLPBlock([6]) >> mixture


def test_towers_share_the_experts_of_one_name_and_have_their_own_beside(tmp_path: Path) -> None:
    towers = block(query_tower=experts())
    before = towers(batch())
    query, item = (body_of(tower)[1] for tower in (towers.query, towers.item))
    assert query is not item
    assert [id(one) for one in query.shared_experts] == [id(other) for other in item.shared_experts]
    assert query.experts[0] is not item.experts[0]
    assert query.gate is not item.gate
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(towers(batch())["item"])
    shared = query.shared_experts[0].weights[0].value
    assert np.abs(tf.convert_to_tensor(tape.gradient(loss, shared))).max() > 0
    model = TwoTowerModel(towers)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").towers
    np.testing.assert_allclose(loaded(batch())["query"], before["query"], rtol=1e-6)
    assert len(loaded.weights) == len(towers.weights)
    own = block(query_tower=experts(), item_tower=experts(shared_name="item"))
    own(batch())
    assert len(own.weights) > len(towers.weights)


def test_features_of_neither_side_are_named_in_a_warning() -> None:
    others = [
        ColumnSchema("colour", [Tags.CATEGORICAL], domain("colour", 5)),
        ColumnSchema("height", dtype="float32"),
        ColumnSchema("shown", properties=domain("item_id", 30), is_list=True),
        *(ColumnSchema(tag, [tag], dtype="float32") for tag in (Tags.TIME, Tags.TARGET, Tags.WEIGHT)),
        ColumnSchema("session_id", [Tags.SESSION_ID], domain("session_id", 5)),
    ]
    with pytest.warns(UserWarning, match=r"No tower reads the columns \['colour', 'height'\]") as told:
        Block(Schema([*SCHEMA, *others]), MLPBlock([4]), embedding_options=OPTIONS)
    assert told[0].filename == __file__


def test_no_warning_where_each_feature_has_a_side_or_is_read_by_a_tower(recwarn: pytest.WarningsRecorder) -> None:
    block()
    height = ColumnSchema("height", dtype="float32")
    query = InputBlock(Schema([SCHEMA["age"], height]), aggregation="concat") >> MLPBlock([4])
    Block(Schema([*SCHEMA, height]), query, MLPBlock([4]), embedding_options=OPTIONS)
    assert not recwarn.list
