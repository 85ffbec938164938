"""A compressor trained together with a decoder; what is lost is counted by NumPy."""

import keras
import numpy as np
import pytest

from tests.tailoring.compression.frozen import frozen_parts, nearest, shared, side_by_side
from tfdual.losses import reconstruction
from tfdual.tailoring.compression import AutoEncoder, EmbeddingCompressor

PARTS = frozen_parts()
WHOLE = side_by_side(PARTS)
BEST = nearest(WHOLE, WHOLE, 11)


def recall(vectors: np.ndarray) -> float:
    return shared(nearest(vectors, vectors, 11), BEST)


def test_auto_encoder_reconstructs_better_than_it_did_and_trains_the_compressor() -> None:
    keras.utils.set_random_seed(0)
    compressor = EmbeddingCompressor(8, widths=[4, 8])
    model = AutoEncoder(compressor, weight=2.0)

    def lost() -> float:
        return float(reconstruction(model.predict(PARTS, verbose=0)["reconstruction"], WHOLE))

    model.build({name: (None, part.shape[1]) for name, part in PARTS.items()})
    before, untrained = lost(), recall(compressor.encode(PARTS))
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(PARTS, epochs=60, verbose=0)
    spread = np.square(WHOLE - WHOLE.mean(axis=0)).sum(axis=1).mean()
    assert lost() < 0.5 * spread < before
    assert recall(compressor.encode(PARTS)) > untrained + 0.1


def test_auto_encoder_loss_is_the_sum_of_both() -> None:
    compressor = EmbeddingCompressor(8, widths=[8])
    model = AutoEncoder(compressor, keras.layers.Dense(40), weight=0.5)
    made = model(PARTS)
    lost = np.square(WHOLE - made["reconstruction"].numpy()).sum(axis=1).mean()
    alone = float(compressor.compute_loss(PARTS, None, made["vectors"]))
    assert float(model.compute_loss(PARTS, None, made)) == pytest.approx(alone + 0.5 * lost, rel=1e-4)


def test_auto_encoder_loss_has_the_regularisers_of_both() -> None:
    compressor = EmbeddingCompressor(8, widths=[8])
    decoder = keras.layers.Dense(40, kernel_regularizer=keras.regularizers.L2(100.0))
    model = AutoEncoder(compressor, decoder)
    made = model(PARTS)
    lost = np.square(WHOLE - made["reconstruction"].numpy()).sum(axis=1).mean()
    alone = float(compressor.compute_loss(PARTS, None, made["vectors"]))
    pulled = 100 * np.square(decoder.kernel.numpy()).sum()
    assert float(model.compute_loss(PARTS, None, made)) == pytest.approx(alone + lost + pulled, rel=1e-4)
    compressor = EmbeddingCompressor(8, keras.layers.Dense(8, kernel_regularizer=keras.regularizers.L2(100.0)))
    model = AutoEncoder(compressor, keras.layers.Dense(40))
    made = model(PARTS)
    lost = np.square(WHOLE - made["reconstruction"].numpy()).sum(axis=1).mean()
    alone = float(compressor.compute_loss(PARTS, None, made["vectors"]))
    assert float(model.compute_loss(PARTS, None, made)) == pytest.approx(alone + lost, rel=1e-4)


def test_vectors_to_validate_on_are_checked_as_those_to_learn_from() -> None:
    model = AutoEncoder(EmbeddingCompressor(8, widths=[8]))
    model.compile("adam")
    bad = PARTS | {"title": np.full((200, 16), np.nan)}
    with pytest.raises(ValueError, match="Row 0 of the part 'title' of the vectors holds NaN"):
        model.fit(PARTS, validation_data=bad, verbose=0)
    assert "val_loss" in model.fit(PARTS, validation_data=PARTS, verbose=0).history


def test_queries_and_other_losses_are_refused() -> None:
    model = AutoEncoder(EmbeddingCompressor(8, widths=[8]))
    model.compile("adam")
    with pytest.raises(TypeError, match=r"learns from items alone. Leave `queries` out, or train its compressor"):
        model.fit(PARTS, queries=PARTS, verbose=0)
    model.compile("adam", loss={"vectors": "mse"})
    with pytest.raises(ValueError, match=r"Leave the loss of compile\(\) out"):
        model.fit(PARTS, verbose=0)
