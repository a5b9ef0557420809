"""Rates whose times no calendar has are reckoned with as the nearest."""

from __future__ import annotations

from datetime import timedelta

from flowledger.engine.domain.limits.demand import RateLimit
from flowledger.engine.domain.limits.rate_limit import FIRST, LAST, Rates, allowed_at, next_expected
from support.builders import NOON

LONG = RateLimit("k", timedelta(days=3660), 2**31 - 1)


def test_a_burst_of_more_than_all_time_may_go_since_ever() -> None:
    assert allowed_at(LONG, NOON) == FIRST
    assert allowed_at(LONG._replace(burst=1000), NOON) == FIRST


def test_what_is_expected_after_all_time_is_expected_at_its_end() -> None:
    assert next_expected(LONG, LAST, NOON) == LAST


def test_a_step_goes_whatever_is_expected() -> None:
    rates = Rates({"k": LAST})

    assert rates.blocked_until([LONG], NOON) is None
    rates.spend([LONG], NOON)

    assert rates.drain()["k"].new == LAST
