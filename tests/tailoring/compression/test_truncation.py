import numpy as np
import pytest

from tfdual.tailoring.compression import Truncation


def test_what_is_left_has_length_one() -> None:
    vectors = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    found = Truncation(3)(vectors).numpy()
    expected = [row[:3] / np.sqrt(row[0] ** 2 + row[1] ** 2 + row[2] ** 2) for row in vectors]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_bad_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1. Received 0"):
        Truncation(0)
    with pytest.raises(ValueError, match="Vectors of width 4 can't be cut to 8"):
        Truncation(8)(np.ones((2, 4), np.float32))
