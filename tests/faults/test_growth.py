import random

import pytest
from growth import Tolerance, Trend

pytestmark = pytest.mark.smoke
TOLERANCE = Tolerance(relative=0.03, absolute=2.0)


def test_what_only_fills_at_first_does_not_grow() -> None:
    assert not Trend.of([min(10.0 * number, 100.0) for number in range(40)]).grows(TOLERANCE)


def test_what_goes_up_and_down_does_not_grow() -> None:
    dice = random.Random(1)  # noqa: S311 - of no secret
    assert not Trend.of([100.0 + dice.uniform(-10, 10) for _ in range(200)]).grows(TOLERANCE)


def test_what_leaks_slowly_grows() -> None:
    dice = random.Random(1)  # noqa: S311 - of no secret
    trend = Trend.of([100.0 + number / 10 + dice.uniform(-5, 5) for number in range(200)])
    assert trend.grows(TOLERANCE)
    assert 5 < trend.rise < 15
