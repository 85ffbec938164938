import numpy as np
import pytest

from tests.tailoring.compression.frozen import frozen_parts, unit
from tfdual.tailoring.compression import mixed_rows

PARTS = frozen_parts(6)


def test_each_row_is_a_mixture_of_the_same_two_rows_in_each_part() -> None:
    made = mixed_rows(PARTS, 40, seed=1)
    both = np.concatenate([unit(PARTS[name]) for name in ("body", "title")], axis=1)  # (6, 40), of rank 6
    shares = np.linalg.lstsq(both.T, np.concatenate([made["body"], made["title"]], axis=1).T, rcond=None)[0].T
    np.testing.assert_allclose(shares @ both, np.concatenate([made["body"], made["title"]], axis=1), atol=1e-5)
    np.testing.assert_allclose(shares.sum(axis=1), np.ones(40), atol=1e-4)
    assert shares.min() > -1e-4
    assert (shares.max(axis=1) >= 0.5 - 1e-4).all()
    assert ((shares > 1e-4).sum(axis=1) <= 2).all()
    assert ((shares > 1e-3).sum(axis=1) == 2).sum() > 20


def test_seed_decides_and_bad_input_is_refused() -> None:
    one, same, other = (mixed_rows(PARTS, 9, seed)["body"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    with pytest.raises(ValueError, match="Received rows=0"):
        mixed_rows(PARTS, 0)
    with pytest.raises(ValueError, match="at least one part"):
        mixed_rows({}, 3)
