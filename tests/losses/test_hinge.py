"""The margin over every negative."""

import numpy as np
import pytest

from tests.losses.loops import CASES, example
from tfdual.losses import hinge


def test_two_positives_by_hand() -> None:
    # 2 leads 1.5 by 0.5 and 0 by 2; 1 leads them by -0.5 and 1
    assert float(hinge([[2.0, 1.0, 1.5, 0.0]], [[1, 1, 0, 0]])) == pytest.approx((0.5 + 0 + 1.5 + 0) / 4)


@pytest.mark.parametrize("margin", [0.0, 0.2, 3.0])
def test_margin_is_that_of_the_loop(margin: float) -> None:
    given = example()
    expected = CASES["hinge"].expected(*given, margin=margin)
    assert float(CASES["hinge"](*given, margin=margin)) == pytest.approx(expected, rel=1e-5)


def test_lead_of_the_margin_leaves_nothing_to_learn() -> None:
    assert float(hinge([[1.0, 0.0, -5.0]], [[1, 0, 0]])) == 0
    assert float(hinge([[0.9, 0.0, -5.0]], [[1, 0, 0]])) == pytest.approx(0.05, rel=1e-5)
    assert np.isfinite(float(hinge([[1e4, -1e4]], [[0, 1]])))
