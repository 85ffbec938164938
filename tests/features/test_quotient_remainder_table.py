import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.features import QuotientRemainderTable


def composed(table: QuotientRemainderTable, buckets: int, ids: range) -> np.ndarray:
    """Each id's row, by a loop over the paper's formula."""
    weight = table.embeddings.numpy()
    remainders, quotients = weight[:buckets], weight[buckets:]
    join = {"multiply": np.multiply, "add": np.add, "concat": lambda a, b: np.concatenate([a, b])}[table.operation]
    return np.array([join(remainders[i % buckets], quotients[i // buckets]) for i in ids])


@pytest.mark.parametrize("operation", ["multiply", "add", "concat"])
@pytest.mark.parametrize(("buckets", "used"), [(None, 11), (1, 1), (7, 7), (103, 103)])
def test_row_is_composed_of_the_rows_of_remainder_and_quotient(operation: str, buckets: int | None, used: int) -> None:
    table = QuotientRemainderTable(103, 6, num_buckets=buckets, operation=operation)
    found = table(tf.range(103))
    np.testing.assert_allclose(found, composed(table, used, range(103)), rtol=1e-6)


@pytest.mark.parametrize("operation", ["multiply", "add", "concat"])
@pytest.mark.parametrize("initializer", ["uniform", keras.initializers.RandomNormal(seed=3)])
def test_no_two_ids_share_a_row(operation: str, initializer: object) -> None:
    table = QuotientRemainderTable(1_000, 6, operation=operation, initializer=initializer)
    rows = table(tf.range(1_000)).numpy()
    assert len(np.unique(rows, axis=0)) == 1_000


@pytest.mark.parametrize(("cardinality", "rows"), [(1, 2), (2, 3), (100, 20), (101, 21), (1_000_000, 2_000)])
def test_weight_has_about_twice_the_square_root_of_the_ids(cardinality: int, rows: int) -> None:
    table = QuotientRemainderTable(cardinality, 4)
    table.build()
    assert tuple(table.embeddings.shape) == (rows, 4)


def test_products_start_near_the_rows_of_their_remainders() -> None:
    table = QuotientRemainderTable(100, 4)
    found = table(tf.range(100)).numpy()
    np.testing.assert_allclose(found, np.tile(table.embeddings.numpy()[:10], (10, 1)), rtol=0.051)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_buckets": 0}, "num_buckets is in 1 .. cardinality, 10. Received 0"),
        ({"num_buckets": 11}, "num_buckets is in 1 .. cardinality, 10. Received 11"),
        ({"operation": "xor"}, "operation is one of .*Received 'xor'"),
        ({"operation": "concat", "dim": 5}, "dim must be even. Received 5"),
        ({"dim": 0}, "QuotientRemainderTable needs cardinality >= 1 and dim >= 1. Received 10 and 0"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QuotientRemainderTable(**{"cardinality": 10, "dim": 4, **arguments})
