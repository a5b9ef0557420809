"""Retry delays: the table of backoffs, jitter, and the fields that are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flowledger.engine.domain.retry import Retry

FIRST_SIX = {
    "none": [0, 0, 0, 0, 0, 0],
    "fixed": [2, 2, 2, 2, 2, 2],
    "linear": [2, 4, 6, 8, 10, 12],
    "exponential": [2, 6, 18, 20, 20, 20],
    "fibonacci": [2, 2, 4, 6, 10, 16],
}


@pytest.mark.parametrize("backoff", FIRST_SIX)
def test_the_first_delays_of(backoff: str) -> None:
    policy = Retry(backoff=backoff, base_seconds=2, factor=3, cap_seconds=20, jitter="none")
    assert [policy.delay(failures, 0.5) for failures in range(1, 7)] == FIRST_SIX[backoff]


@pytest.mark.parametrize(
    ("jitter", "random", "delay"),
    [("none", 0.25, 8), ("equal", 0, 4), ("equal", 0.5, 6), ("full", 0, 0), ("full", 0.5, 4)],
)
def test_jitter_takes_part_of_the_delay_away(jitter: str, random: float, delay: float) -> None:
    assert Retry(backoff="fixed", base_seconds=8, jitter=jitter).delay(1, random) == delay


def test_a_huge_number_of_failures_does_not_overflow() -> None:
    for backoff in ("linear", "exponential", "fibonacci"):
        policy = Retry(backoff=backoff, base_seconds=0.1, cap_seconds=30, jitter="none")
        assert policy.delay(10**400, 0.0) == 30


def test_a_factor_of_one_never_grows() -> None:
    policy = Retry(backoff="exponential", base_seconds=2, factor=1, jitter="none")
    assert policy.delay(10**400, 0.0) == 2


def test_no_base_is_no_delay_however_often_the_step_failed() -> None:
    for backoff in ("linear", "exponential", "fibonacci"):
        assert Retry(backoff=backoff, base_seconds=0, jitter="none").delay(10**9, 0.0) == 0


def test_failures_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1, got 0"):
        Retry().delay(0, 0.5)


@pytest.mark.parametrize(
    "fields",
    [
        {"max_attempts": -1},
        {"max_attempts": "3"},
        {"max_attempts": True},
        {"max_attempts": 2**31},
        {"base_seconds": -0.1},
        {"base_seconds": float("nan")},
        {"cap_seconds": float("inf")},
        {"factor": 0.5},
        {"backoff": "quadratic"},
        {"jitter": "some"},
        {"attempts": 3},
    ],
    ids=str,
)
def test_a_policy_that_cannot_be_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Retry.model_validate(fields)
