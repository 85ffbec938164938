"""The teacher's margins."""

import numpy as np
import pytest

from tests.losses.loops import CASES, example
from tfdual.losses import margin_mse


def test_by_hand() -> None:
    # margins of the student 1 and 3, of the teacher 2 and 0
    loss = margin_mse([[2.0, 1.0, -1.0]], [[1, 0, 0]], [[5.0, 3.0, 5.0]])
    assert float(loss) == pytest.approx(((1 - 2) ** 2 + (3 - 0) ** 2) / 2, rel=1e-6)


def test_one_pair_gives_the_square_of_its_difference() -> None:
    assert float(margin_mse([[2.0, 1.0]], [[1, 0]], [[7.0, 3.0]])) == pytest.approx(9, rel=1e-6)


def test_moving_the_scores_of_a_query_changes_nothing() -> None:
    scores, labels, teacher, mask, _ = example()
    shift = np.arange(len(scores), dtype="float32")[:, None]
    loss = float(margin_mse(scores, labels, teacher, mask))
    assert float(margin_mse(scores + shift, labels, teacher - 2 * shift, mask)) == pytest.approx(loss, rel=1e-5)


def test_many_positives_and_negatives_are_those_of_the_loop() -> None:
    given = example(3, 60, seed=1)
    assert float(CASES["margin_mse"](*given)) == pytest.approx(CASES["margin_mse"].expected(*given), rel=1e-5)
