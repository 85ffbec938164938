"""What a compressor learns, keeps and gives; neighbours are counted by NumPy."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.decomposition import TruncatedSVD

from tests.models.trained_alike import dtype_policy
from tests.tailoring.compression.frozen import clustered_parts, frozen_parts, nearest, shared, side_by_side, unit
from tfdual.fusion import AttentionFusion, ConcatFusion
from tfdual.losses import neighbour_distillation, similarity_distillation
from tfdual.tailoring.compression import (
    AutoEncoder,
    EmbeddingCompressor,
    linear_encoder,
    mlp_encoder,
    normalized_encoder,
)
from tfdual.tailoring.compression.searched_items import SearchedItems

PARTS = frozen_parts()
WHOLE = side_by_side(PARTS)
BEST = nearest(WHOLE, WHOLE, 11)


def recall(vectors: np.ndarray) -> float:
    return shared(nearest(vectors, vectors, 11), BEST)


def trained(
    compressor: EmbeddingCompressor, epochs: int, rate: float = 0.01, parts: dict[str, np.ndarray] = PARTS
) -> EmbeddingCompressor:
    keras.utils.set_random_seed(0)
    compressor.compile(keras.optimizers.Adam(rate))
    compressor.fit(parts, epochs=epochs, verbose=0)
    return compressor


def test_start_is_the_truncated_singular_value_decomposition() -> None:
    compressor = EmbeddingCompressor(8, widths=[4, 8]).start_from_pca(PARTS)
    expected = TruncatedSVD(8, algorithm="arpack").fit_transform(WHOLE)
    for width in (4, 8):
        found = compressor.encode(PARTS, width).astype(np.float64)
        cosines = unit(expected[:, :width]) @ unit(expected[:, :width]).T
        np.testing.assert_allclose(found @ found.T, cosines, atol=1e-4)


def test_similarity_distillation_keeps_more_neighbours_at_each_width_than_the_start() -> None:
    compressor = EmbeddingCompressor(8, widths=[2, 4, 8], base_loss=similarity_distillation).start_from_pca(PARTS)
    before = {width: recall(compressor.encode(PARTS, width)) for width in (2, 4, 8)}
    trained(compressor, 60)
    after = {width: recall(compressor.encode(PARTS, width)) for width in (2, 4, 8)}
    assert all(after[width] > before[width] for width in (2, 4)), (before, after)
    assert after[8] >= before[8] - 0.005


def test_neighbours_of_clustered_rows_are_kept_better_than_by_the_start_and_by_similarity_distillation() -> None:
    parts = clustered_parts()
    whole = side_by_side(parts)
    best = nearest(whole, whole, 11)

    def kept(compressor: EmbeddingCompressor) -> np.ndarray:
        cut = [compressor.encode(parts, width) for width in (4, 8)]
        return np.array([shared(nearest(vectors, vectors, 11), best) for vectors in cut])

    start = EmbeddingCompressor(8, widths=[4, 8]).start_from_pca(parts)
    default, other = (
        EmbeddingCompressor(8, widths=[4, 8], base_loss=loss).start_from_pca(parts)
        for loss in (None, similarity_distillation)
    )
    for compressor in (default, other):
        trained(compressor, 60, parts=parts)
    assert (kept(default) > kept(start) + 0.02).all(), (kept(default), kept(start))
    assert (kept(default) > kept(other) + 0.02).all(), (kept(default), kept(other))


def test_queries_that_are_known_beforehand_find_their_items_better() -> None:
    """Queries from a corner of the space: what tells the items apart there is kept."""
    parts = clustered_parts()
    rng = np.random.default_rng(1)
    corner = {name: part[:1] + 0.5 * rng.normal(size=(400, part.shape[1])) * part.std() for name, part in parts.items()}
    known, asked = ({name: rows[half] for name, rows in corner.items()} for half in (slice(200), slice(200, None)))
    best = nearest(side_by_side(asked), side_by_side(parts), 11)

    def kept(queries: dict | None) -> float:
        compressor = EmbeddingCompressor(8, widths=[4, 8]).start_from_pca(parts)
        keras.utils.set_random_seed(0)
        compressor.compile(keras.optimizers.Adam(0.01))
        compressor.fit(parts, queries=queries, epochs=60, batch_size=100, verbose=0)
        return shared(nearest(compressor.encode(asked), compressor.encode(parts), 11), best)

    assert kept(known) > kept(None) + 0.05


def test_a_step_with_queries_is_the_loss_of_its_rows_before_all_items() -> None:
    rng = np.random.default_rng(0)
    queries = {name: rng.normal(size=(50, part.shape[1])).astype("float32") for name, part in PARTS.items()}
    compressor = EmbeddingCompressor(8, widths=[8]).start_from_pca(PARTS)
    compressor.compile(keras.optimizers.SGD(0.0))
    (loss,) = compressor.fit(PARTS, queries=queries, batch_size=250, verbose=0).history["loss"]
    rows = {name: np.concatenate([part, queries[name], part]) for name, part in PARTS.items()}
    wanted = neighbour_distillation(compressor.encode(rows), side_by_side(rows), asking=250)
    assert loss == pytest.approx(float(wanted), rel=1e-4)
    (alone,) = compressor.fit(PARTS, batch_size=200, verbose=0).history["loss"]  # what was traced is not used again
    wanted = neighbour_distillation(compressor.encode(PARTS), side_by_side(PARTS))
    assert alone == pytest.approx(float(wanted), rel=1e-4)


def test_queries_are_not_kept_for_validation() -> None:
    compressor = EmbeddingCompressor(8, widths=[8])
    compressor.compile("adam")
    with pytest.raises(ValueError, match=r"validation_split=0.2 would keep .* the queries.* Pass validation_data"):
        compressor.fit(PARTS, queries=PARTS, validation_split=0.2, verbose=0)
    history = compressor.fit(PARTS, queries=PARTS, validation_data=PARTS, verbose=0).history
    assert history.keys() == {"loss", "val_loss"}


def test_of_many_items_some_are_drawn_for_each_step() -> None:
    items = SearchedItems({"a": np.arange(1000.0)[:, None], "b": -np.arange(1000.0)[:, None]}, at_once=50)
    first, second = (items.of_a_step() for _ in range(2))
    np.testing.assert_array_equal(first["a"], -first["b"])
    assert first["a"].shape == (50, 1)
    assert set(np.ravel(first["a"])) != set(np.ravel(second["a"]))
    assert SearchedItems({"a": np.ones((50, 1))}, at_once=50).of_a_step()["a"].shape == (50, 1)


@pytest.mark.parametrize(
    ("encoder", "fusion"),
    [
        (linear_encoder(8), None),
        (mlp_encoder([20, 8]), None),
        (mlp_encoder([30, 20, 8]), None),
        (normalized_encoder(8), None),
        (None, ConcatFusion(keras.layers.Dense(12, "tanh"))),
    ],
    ids=["linear", "one hidden", "two hidden", "normalised", "transformed"],
)
def test_every_encoder_learns_the_neighbours(encoder: keras.layers.Layer, fusion: keras.layers.Layer) -> None:
    compressor = EmbeddingCompressor(8, encoder, fusion, widths=[4, 8])
    untrained = recall(compressor.encode(PARTS))
    assert recall(trained(compressor, 60).encode(PARTS)) > untrained + 0.1


def test_attention_over_the_parts_learns_too() -> None:
    parts = {"body": PARTS["body"], "title": np.pad(PARTS["title"], [[0, 0], [0, 8]])}
    compressor = EmbeddingCompressor(8, fusion=AttentionFusion(2, pooling="concat"), widths=[4, 8])
    before = recall(compressor.encode(parts))
    compressor.compile(keras.optimizers.Adam(0.01))
    compressor.fit(parts, epochs=60, verbose=0)
    assert recall(compressor.encode(parts)) > before + 0.1


def test_vectors_have_length_one_at_each_width_and_do_not_depend_on_the_lengths_of_the_parts() -> None:
    compressor = EmbeddingCompressor(16, widths=[8, 16])
    longer = {name: 5 * part for name, part in PARTS.items()}
    for width in (8, 16):
        found = compressor.encode(PARTS, width)
        assert found.shape == (200, width)
        assert found.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.ones(200), rtol=1e-5)
        np.testing.assert_allclose(compressor.encode(longer, width), found, atol=1e-5)


@pytest.mark.parametrize("times", [1e-30, 1e-9, 1e20, 1e36])
def test_a_part_counts_the_same_however_short_or_long_its_vectors_are(times: float) -> None:
    compressor = EmbeddingCompressor(16, widths=[16]).start_from_pca(PARTS)
    scaled = PARTS | {"title": (PARTS["title"].astype("float64") * times).astype("float32")}
    np.testing.assert_allclose(compressor.teacher_vectors(scaled), WHOLE, atol=1e-5)
    np.testing.assert_allclose(compressor.encode(scaled), unit(compressor.encoder(WHOLE).numpy()), atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_parts_get_their_length_before_they_get_less_exact(policy: str) -> None:
    kernel = np.eye(3, dtype="f4")
    with dtype_policy(policy):
        compressor = EmbeddingCompressor(3, encoder=linear_encoder(3))
        model = AutoEncoder(compressor)
        model.build({"part": (None, 3)})
    compressor.encoder.set_weights([kernel])
    rows = np.array([[3e5, 4e5, 0], [3e-9, 0, 4e-9]], "f4")
    for found in (compressor({"part": rows}), model({"part": rows})["vectors"]):
        np.testing.assert_allclose(ops.cast(found, "float32"), [[0.6, 0.8, 0], [0.6, 0, 0.8]], rtol=0.01)


def test_weights_of_the_parts_are_their_lengths_in_start_and_teacher() -> None:
    compressor = EmbeddingCompressor(12, widths=[4, 12], part_weights={"title": 3.0, "body": 0.5}).start_from_pca(PARTS)
    whole = np.concatenate([0.5 * WHOLE[:, :24], 3.0 * WHOLE[:, 24:]], axis=1)
    np.testing.assert_allclose(compressor.teacher_vectors(PARTS), whole, atol=1e-5)
    expected = unit(TruncatedSVD(12, algorithm="arpack").fit_transform(whole))
    found = compressor.encode(PARTS).astype(np.float64)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-4)
    with pytest.raises(ValueError, match="Parts weigh more than 0. Received {'body': 0.0}"):
        EmbeddingCompressor(8, part_weights={"body": 0.0})
    with pytest.raises(ValueError, match=r"Each of the parts \['body', 'title'\] has a weight. Received {'body': 1.0}"):
        EmbeddingCompressor(8, part_weights={"body": 1.0}).encode(PARTS)


def test_order_of_the_parts_does_not_matter_and_their_names_do() -> None:
    compressor = EmbeddingCompressor(8, widths=[8])
    found = compressor.encode(PARTS)
    np.testing.assert_array_equal(compressor.encode(dict(reversed(PARTS.items()))), found)
    with pytest.raises(ValueError, match="Received {'abstract': 16, 'body': 24}"):
        compressor.encode({"body": PARTS["body"], "abstract": PARTS["title"]})


@pytest.mark.parametrize("encoder", [linear_encoder, normalized_encoder])
def test_saved_and_loaded_compressor_gives_the_same_vectors_and_space(encoder: Callable, tmp_path: Path) -> None:
    compressor = trained(EmbeddingCompressor(8, encoder(8), widths=[4, 8]), 2)
    compressor.save(tmp_path / "compressor.keras")
    loaded = keras.saving.load_model(tmp_path / "compressor.keras")
    np.testing.assert_allclose(loaded.encode(PARTS, 4), compressor.encode(PARTS, 4), rtol=1e-6)
    assert loaded.embedding_space(4) == compressor.embedding_space(4)


def test_space_tells_compressors_widths_and_spaces_of_the_parts_apart() -> None:
    compressor = EmbeddingCompressor(8, widths=[4, 8]).start_from_pca(PARTS)
    same = EmbeddingCompressor(8, widths=[4, 8]).start_from_pca(PARTS)
    spaces = [compressor.embedding_space(), compressor.embedding_space(4), compressor.embedding_space(8, {"body": "a"})]
    spaces.append(compressor.embedding_space(8, {"title": "a"}))
    assert same.embedding_space() == spaces[0]
    spaces.append(trained(same, 1).embedding_space())
    assert len(set(spaces)) == 5
    with pytest.raises(ValueError, match=r"spaces of \['abstract'\]. The parts are \['body', 'title'\]"):
        compressor.embedding_space(8, {"abstract": "a"})
    with pytest.raises(ValueError, match="without weights has no space yet"):
        EmbeddingCompressor(8).embedding_space()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 8, "widths": [4, 6]}, r"last of the nested widths is dim=8. Received \[4, 6\]"),
        ({"dim": 8, "widths": [8, 4]}, "Nested widths rise"),
        ({"dim": 8, "widths": [4, 16]}, "to 8 at most"),
        ({"dim": 8, "widths": [4, 8], "width_weights": [1.0]}, "needs a weight of at least 0"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmbeddingCompressor(**arguments)


def test_space_tells_settings_apart_and_not_names() -> None:
    def space(encoder: keras.layers.Layer, fusion: keras.layers.Layer | None = None) -> str:
        compressor = EmbeddingCompressor(8, encoder, fusion, widths=[8])
        compressor.checked(PARTS)
        for weight in compressor.weights:
            weight.assign(np.full(weight.shape, 0.1))
        return compressor.embedding_space()

    assert space(mlp_encoder([10, 8], "gelu")) != space(mlp_encoder([10, 8], "tanh"))
    fusions = (ConcatFusion(keras.layers.Dense(12, activation)) for activation in ("tanh", "relu"))
    assert len({space(linear_encoder(8), fusion) for fusion in fusions}) == 2
    frozen = normalized_encoder(8)
    frozen.trainable = False
    assert space(frozen) == space(normalized_encoder(8))
    assert space(keras.layers.Dense(8, name="one")) == space(keras.layers.Dense(8, name="other"))


def test_what_does_not_fit_together_is_refused_before_training() -> None:
    for compressor, message in (
        (EmbeddingCompressor(41), "parts are 40 wide together, and are made no wider. Received dim=41"),
        (EmbeddingCompressor(8, linear_encoder(6)), "gives vectors of width 6, where dim=8"),
        (EmbeddingCompressor(8, fusion=AttentionFusion()), "inputs of one width"),
        (AutoEncoder(EmbeddingCompressor(8), keras.layers.Dense(30)), "40 wide together. The decoder gives 30"),
    ):
        compressor.compile("adam")
        with pytest.raises(ValueError, match=message):
            compressor.fit(PARTS, verbose=0)
    with pytest.raises(TypeError, match="trains an EmbeddingCompressor. Received Dense"):
        AutoEncoder(keras.layers.Dense(3))
    with pytest.raises(ValueError, match="counts 0 or more. Received weight=-1"):
        AutoEncoder(EmbeddingCompressor(8), weight=-1)


def test_only_a_linear_compressor_starts_from_pca() -> None:
    for compressor in (
        EmbeddingCompressor(8, mlp_encoder([10, 8])),
        EmbeddingCompressor(8, normalized_encoder(8)),
        EmbeddingCompressor(8, fusion=ConcatFusion(keras.layers.Dense(12))),
    ):
        with pytest.raises(ValueError, match="starts from PCA. Train others"):
            compressor.start_from_pca(PARTS)


def test_labels_weights_other_losses_and_bad_vectors_are_refused() -> None:
    compressor = EmbeddingCompressor(8, widths=[8])
    compressor.compile("adam")
    bad = {name: part.copy() for name, part in PARTS.items()}
    bad["title"][3, 1] = np.nan
    with pytest.raises(ValueError, match="Row 3 of the part 'title'"):
        compressor.fit(bad, verbose=0)
    with pytest.raises(ValueError, match="Row 3 of the part 'title'"):
        compressor.fit(PARTS, validation_data=bad, verbose=0)
    with pytest.raises(TypeError, match="learns from vectors alone"):
        compressor.fit(PARTS, np.ones(200))
    with pytest.raises(TypeError, match="learns from vectors alone"):
        compressor.fit(PARTS, y=np.ones(200))
    with pytest.raises(TypeError, match="learns from vectors alone"):
        compressor.fit(PARTS, class_weight={0: 1.0})
    with pytest.raises(TypeError, match="learns from vectors alone"):
        AutoEncoder(compressor).fit(PARTS, sample_weight=np.ones(200))
    with pytest.raises(ValueError, match="The queries have parts of the widths"):
        compressor.fit(PARTS, queries={"body": PARTS["body"]})
    own = EmbeddingCompressor(8, widths=[8], base_loss=lambda vectors, teacher_vectors: 0.0)
    own.compile("adam")
    with pytest.raises(TypeError, match="base_loss takes `asking`"):
        own.fit(PARTS, queries=PARTS)
    compressor.compile("adam", loss="mse")
    with pytest.raises(ValueError, match="learns from vectors alone"):
        compressor.fit(PARTS, verbose=0)
