"""StreamingFrequency: simulated streams of known probabilities, a change, rare and unseen ids."""

import numpy as np
import pytest
import tensorflow as tf

from tfdual._build import build_once
from tfdual.negatives import StreamingFrequency


def train(frequency: StreamingFrequency, batches: list[np.ndarray]) -> None:
    """Let it see all batches, in one graph."""
    build_once(frequency)
    lengths = [len(batch) for batch in batches]
    stream = tf.RaggedTensor.from_row_lengths(np.concatenate(batches), lengths)

    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.int64)])
    def run(stream: tf.RaggedTensor) -> None:
        for step in tf.range(stream.nrows()):
            frequency.update(stream[step])

    run(stream)


def probability(frequency: StreamingFrequency, ids: list[int] | np.ndarray) -> np.ndarray:
    return np.exp(frequency.log_probability(tf.constant(ids, tf.int64)).numpy().astype(float))


def poisson(rates: np.ndarray, steps: int, seed: int) -> list[np.ndarray]:
    """Batches where item `i` occurs `Poisson(rates[i])` times, shuffled."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(np.repeat(np.arange(len(rates)), rng.poisson(rates))) for _ in range(steps)]


def noise_of(rates: np.ndarray, steps: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Relative standard deviation of share / gap, and the number of observations in their means.

    Gaps are geometric, occurrences in a step that has any a Poisson number that isn't 0.
    """
    seen = 1 - np.exp(-rates)
    observations = np.minimum(steps * seen, 2 / rate - 1)
    occurrences = rates / seen
    return np.sqrt(((1 - seen) + (1 + rates - occurrences) / occurrences) / observations), observations


@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_items_from_a_hundredth_to_thirty_a_batch_get_their_probability(rate: float) -> None:
    kinds, steps, repeats = np.array([0.01, 0.1, 0.5, 1, 3, 10, 30]), 2500, 20
    rates = np.repeat(kinds, repeats)
    frequency = StreamingFrequency(200, rate)
    train(frequency, poisson(rates, steps, seed=1))
    ratio = (probability(frequency, np.arange(len(rates))) / (rates / rates.sum())).reshape(len(kinds), repeats)
    noise, observations = noise_of(kinds, steps, rate)
    assert (np.abs(np.log(ratio)).max(axis=1) < 5 * noise).all()
    assert (np.abs(ratio.mean(axis=1) - 1) < 1 / observations + 4 * noise / np.sqrt(repeats)).all()


def test_zipf_stream_of_fixed_batches_gets_its_probabilities() -> None:
    likely = 1 / np.arange(1, 501)
    likely /= likely.sum()
    rng = np.random.default_rng(2)
    frequency = StreamingFrequency(500)
    train(frequency, [rng.choice(500, 256, p=likely) for _ in range(2000)])
    found = probability(frequency, np.arange(500))
    expected = 256 * likely  # a batch
    assert expected[0] > 30
    assert np.abs(found[:10] / likely[:10] - 1).max() < 0.1
    assert np.abs(found / likely - 1).max() < 0.5
    assert found.sum() == pytest.approx(1, abs=0.03)


def test_it_follows_a_change_of_popularity() -> None:
    frequency, before, after = StreamingFrequency(3, 0.05), np.array([20, 0.1, 10]), np.array([0.5, 20, 10])
    train(frequency, poisson(before, 1000, seed=3))
    np.testing.assert_allclose(probability(frequency, [0, 1, 2]), before / before.sum(), rtol=0.4)
    train(frequency, poisson(after, 1000, seed=4))
    np.testing.assert_allclose(probability(frequency, [0, 1, 2]), after / after.sum(), rtol=0.4)


def test_a_first_batch_by_hand() -> None:
    frequency = StreamingFrequency(10)
    frequency.update(np.array([4, 4, 4, 5]))
    np.testing.assert_allclose(probability(frequency, [4, 5, 6]), [0.75, 0.25, 0.25], rtol=1e-6)
    frequency.update(np.array([5, 6]))
    # 4 once in two steps, gap 1; 5 shares 1/4 and 1/2 at gaps 1 and 1; 6 a half after two steps
    np.testing.assert_allclose(probability(frequency, [4, 5, 6, 7]), [0.75, 0.375, 0.25, 1 / 6], rtol=1e-6)


def test_an_unseen_id_counts_as_one_occurrence_so_far() -> None:
    frequency = StreamingFrequency(10)
    assert probability(frequency, [3]).tolist() == [1]
    for _ in range(5):
        frequency.update(np.array([1, 2, 1, 2]))
    assert probability(frequency, [3])[0] == pytest.approx(1 / 20)


def test_ids_beyond_the_size_share_a_place() -> None:
    frequency = StreamingFrequency(4)
    frequency.update(np.array([1, 5, 2**40 + 1, 2]))
    np.testing.assert_allclose(probability(frequency, [1, 5, 9, 2]), [0.75, 0.75, 0.75, 0.25], rtol=1e-6)


def test_an_empty_batch_is_no_step() -> None:
    one, other = StreamingFrequency(4), StreamingFrequency(4)
    for batch in ([1, 2], [1]):
        one.update(np.array(batch))
        one.update(np.zeros(0, int))
        other.update(np.array(batch))
    np.testing.assert_array_equal(probability(one, [0, 1, 2]), probability(other, [0, 1, 2]))


def test_probability_has_the_shape_of_the_ids_and_type_float32() -> None:
    found = StreamingFrequency(4).log_probability(tf.zeros((2, 3), tf.int32))
    assert tuple(found.shape) == (2, 3)
    assert found.dtype == tf.float32


def test_ids_that_are_not_in_the_batch_are_left_as_they_are() -> None:
    frequency = StreamingFrequency(6)
    frequency.update(np.array([1, 2, 2]))
    before = [weight.numpy() for weight in frequency.weights[:4]]
    frequency.update(np.array([3]))
    for old, weight in zip(before, frequency.weights[:4], strict=True):
        np.testing.assert_array_equal(np.delete(weight.numpy(), 3), np.delete(old, 3))


@pytest.mark.parametrize("arguments", [(0, 0.1), (5, 0.0), (5, 1.5), (5, float("nan"))])
def test_arguments_out_of_range_are_refused(arguments: tuple) -> None:
    with pytest.raises(ValueError, match="size >= 1 and 0 < rate <= 1. Received"):
        StreamingFrequency(*arguments)
