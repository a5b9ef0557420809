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


SHORT = RateLimit("k", timedelta(seconds=1), 10)


def test_nobody_waits_for_a_time_that_no_steps_can_have_made() -> None:
    rates = Rates({"k": NOON + timedelta(days=400)})

    assert rates.blocked_until([SHORT], NOON) is None
    rates.spend([SHORT], NOON)

    change = rates.drain()["k"]
    assert change.old == NOON + timedelta(days=400)
    assert change.new == NOON + SHORT.interval


def test_one_waits_for_what_a_longer_limit_of_another_version_made() -> None:
    rates = Rates({"k": NOON + timedelta(hours=20)})

    assert rates.blocked_until([SHORT], NOON) == (SHORT, NOON + timedelta(hours=20, seconds=-9))


def test_one_waits_for_a_burst_that_is_longer() -> None:
    slow = RateLimit("k", timedelta(days=30), 12)
    rates = Rates({"k": NOON + 12 * slow.interval})

    assert rates.blocked_until([slow], NOON) == (slow, NOON + slow.interval)
    rates = Rates({"k": NOON + 13 * slow.interval})
    assert rates.blocked_until([slow], NOON) is None
