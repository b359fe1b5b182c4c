"""How even the load is, in numbers that can be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skymoe.evaluation.routing.balance import balance


def test_an_even_load_is_one() -> None:
    even = np.full(4, 10.0)
    one = balance(even, 2 * even, even, surest=10.0, entropy=80.0)
    assert one.tokens == 40
    assert one.loss == pytest.approx(1)
    assert one.effective == pytest.approx(4)
    assert one.busiest == pytest.approx(1)
    assert (one.idle, one.surest, one.doubt) == (0, 0.25, 1.0)


def test_one_expert_with_everything_is_the_worst() -> None:
    all_of_it = np.array([40.0, 0, 0, 0])
    one = balance(all_of_it, all_of_it, all_of_it, surest=40.0, entropy=0.0)
    assert one.loss == pytest.approx(4)
    assert one.effective == pytest.approx(1)
    assert one.busiest == pytest.approx(4)
    assert (one.idle, one.surest, one.doubt) == (3, 1.0, 0.0)


def test_the_loss_is_that_of_the_paper() -> None:
    first, chosen, p = np.array([3.0, 1]), np.array([4.0, 4]), np.array([2.4, 1.6])
    one = balance(first, chosen, p, surest=2.4, entropy=3.9)
    assert one.loss == pytest.approx(2 * (0.75 * 0.6 + 0.25 * 0.4))
    assert one.load == (0.5, 0.5)
    assert one.first == (0.75, 0.25)
