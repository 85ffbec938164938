import numpy as np
import pytest
import tensorflow as tf

from tfdual.features import HashedTable

PRIME = 2147483647


def splitmix(seed: int, count: int) -> list[int]:
    """Vigna's reference implementation, with NumPy's wrapping integers."""
    found = []
    with np.errstate(over="ignore"):
        x = np.uint64(seed)
        for _ in range(count):
            x += np.uint64(0x9E3779B97F4A7C15)
            z = x
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            found.append(int(z ^ (z >> np.uint64(31))))
    return found


def looked_up(table: HashedTable, i: int) -> np.ndarray:
    """The row of an id by Python's integers, which don't overflow."""
    numbers = [1 + number % (PRIME - 1) for number in splitmix(table.seed, 2 * (table.num_hashes + 1))]
    hashes = [
        0 if i == 0 else 1 + (a * i + b) % PRIME % (table.num_rows - 1)
        for a, b in zip(numbers[::2], numbers[1::2], strict=True)
    ]
    importance, rows = table.importance.numpy()[hashes[0]], table.embeddings.numpy()[hashes[1:]]
    return sum(weight * row for weight, row in zip(importance, rows, strict=True))


def test_reference_generator_gives_its_published_numbers() -> None:
    assert splitmix(1234567, 2) == [6457827717110365317, 3203168211198807973]


@pytest.mark.parametrize(("num_hashes", "seed"), [(1, 0), (2, 0), (3, 5)])
@pytest.mark.parametrize("kind", [tf.int32, tf.int64])
def test_row_is_the_weighted_sum_of_the_hashed_rows(num_hashes: int, seed: int, kind: tf.DType) -> None:
    table = HashedTable(2**31 - 2, 4, 11, num_hashes, seed=seed)
    table.build()
    table.importance.assign(np.random.default_rng(0).normal(size=table.importance.shape))
    ids = [0, 1, 2, 3, 999_999, 2**31 - 3]
    wanted = [looked_up(table, i) for i in ids]
    np.testing.assert_allclose(table(tf.constant(ids, kind)), wanted, rtol=1e-5)
    np.testing.assert_allclose(tf.function(table)(tf.constant(ids, kind)), wanted, rtol=1e-5)


def test_ids_of_a_large_table_have_rows_of_their_own() -> None:
    table = HashedTable(20_000, 8, num_rows=500)
    table.build()
    table.importance.assign(np.random.default_rng(0).normal(size=table.importance.shape))
    rows = table(tf.range(20_000)).numpy()
    assert len(np.unique(rows, axis=0)) > 0.999 * 20_000


def test_hashes_spread_over_all_rows_but_the_unknown_one() -> None:
    table = HashedTable(100_000, 1, num_rows=101, num_hashes=1)
    table.build()
    table.embeddings.assign(np.arange(101.0)[:, None])
    found = table(tf.range(1, 100_000)).numpy()[:, 0].astype(int)
    counts = np.bincount(found, minlength=101)
    assert counts[0] == 0
    assert counts[1:].min() > 800
    assert counts.max() < 1_200


def test_no_known_id_touches_the_row_of_the_unknown_one() -> None:
    table = HashedTable(5_000, 3, num_rows=20)
    table.build()
    table.embeddings.assign(np.r_[[[np.nan] * 3], np.ones((19, 3))])
    table.importance.assign(np.r_[[[np.nan] * 2], np.ones((19, 2))])
    assert np.isfinite(table(tf.range(1, 5_000))).all()
    assert np.isnan(table(tf.constant([0, 5_000, -3]))).all()


def test_memory_does_not_grow_with_the_ids() -> None:
    table = HashedTable(1_000_000_000, 8, num_rows=50, num_hashes=3)
    table.build()
    assert sum(int(np.prod(weight.shape)) for weight in table.weights) == 50 * (8 + 3)


def test_another_seed_is_another_hash() -> None:
    one, other = HashedTable(1_000, 4, 50), HashedTable(1_000, 4, 50, seed=1)
    for table in (one, other):
        table.build()
    other.set_weights(one.get_weights())
    assert not np.allclose(one(tf.range(1, 100)), other(tf.range(1, 100)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_rows": 1}, "num_rows >= 2 and num_hashes >= 1. Received 1, 2"),
        ({"num_hashes": 0}, "num_rows >= 2 and num_hashes >= 1. Received 5, 0"),
        ({"cardinality": 2**31 - 1}, "fewer than 2147483647 ids"),
        ({"l2": -1.0}, "l2 is 0 or more"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HashedTable(**{"cardinality": 10, "dim": 4, "num_rows": 5, **arguments})
