import numpy as np
import pytest
import tensorflow as tf

from tfdual.features import PiecewiseLinearEncoder

NUMBERS = [-7.0, 0.0, 0.5, 1.0, 2.5, 3.0, 10.0, 99.0]


def encoded(boundaries: list[float], x: float) -> list[float]:
    """Equation 1 of the paper, case by case."""
    bins, out = len(boundaries) - 1, []
    for t in range(1, bins + 1):
        low, high = boundaries[t - 1], boundaries[t]
        if x < low and t > 1:
            out.append(0.0)
        elif x >= high and t < bins:
            out.append(1.0)
        else:
            out.append((x - low) / (high - low))
    return out


@pytest.mark.parametrize("boundaries", [[0, 1], [0, 1, 3], [-1.5, 0, 0.25, 10]])
def test_output_is_the_papers_formula(boundaries: list) -> None:
    found = PiecewiseLinearEncoder(boundaries)(np.array(NUMBERS)[:, None])
    np.testing.assert_allclose(found, [encoded(boundaries, x) for x in NUMBERS], rtol=1e-6)


def test_dim_adds_a_linear_layer() -> None:
    layer = PiecewiseLinearEncoder([0, 1, 3], dim=4)
    found = layer(np.array(NUMBERS)[:, None])
    kernel, bias = (weight.numpy() for weight in layer.weights)
    np.testing.assert_allclose(found, np.array([encoded([0, 1, 3], x) for x in NUMBERS]) @ kernel + bias, atol=1e-4)


def test_large_numbers_keep_their_differences_under_mixed_precision() -> None:
    found = PiecewiseLinearEncoder([1_000_000, 1_000_010, 1_000_020], dtype="mixed_float16")(
        tf.constant([[1_000_005.0], [1_000_015.0]])
    )
    np.testing.assert_array_equal(found, [[0.5, 0], [1, 0.5]])


def test_bins_of_a_sample_hold_as_many_values_each() -> None:
    sample = np.random.default_rng(0).exponential(size=10_000)
    layer = PiecewiseLinearEncoder.from_sample(sample, num_bins=8, dim=3)
    assert layer.dim == 3
    assert layer.boundaries[0] == pytest.approx(sample.min())
    assert layer.boundaries[-1] == pytest.approx(sample.max())
    counts = np.histogram(sample, layer.boundaries[:-1] + [np.inf])[0]
    assert len(counts) == 8
    assert np.abs(counts - 1_250).max() <= 2


def test_repeated_values_give_fewer_bins() -> None:
    assert PiecewiseLinearEncoder.from_sample([0] * 90 + list(range(1, 11)), num_bins=4).boundaries == [0, 10]


@pytest.mark.parametrize(
    ("values", "num_bins", "message"),
    [
        ([1.0, 2.0], 0, "num_bins is at least 1. Received 0"),
        ([1.0, np.nan], 2, "The sample holds NaN or infinity"),
        ([1.0, 1.0], 2, "at least two distinct values"),
        ([1.0, 1.0 + 1e-12], 2, "at least two distinct values"),
        ([], 2, "at least two distinct values"),
    ],
)
def test_bad_samples_are_refused(values: list, num_bins: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PiecewiseLinearEncoder.from_sample(values, num_bins)


@pytest.mark.parametrize(
    "boundaries", [[], [1], [1, 1], [2, 1], [0, np.inf], [0, np.nan], [1.0, 1.0 + 1e-12], [[0, 1]]]
)
def test_bad_boundaries_are_refused(boundaries: list) -> None:
    with pytest.raises(ValueError, match="boundaries are at least two finite numbers that rise"):
        PiecewiseLinearEncoder(boundaries)


def test_dim_below_1_and_wide_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="dim is at least 1, or None. Received 0"):
        PiecewiseLinearEncoder([0, 1], dim=0)
    with pytest.raises(ValueError, match="takes one number a row"):
        PiecewiseLinearEncoder([0, 1])(np.ones((2, 3)))
