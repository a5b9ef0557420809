"""Retry delays for every policy, every number of failures, every random."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.events.step import Category

POLICIES = st.builds(
    Retry,
    max_attempts=st.integers(0, 100),
    backoff=st.sampled_from(["none", "fixed", "linear", "exponential", "fibonacci"]),
    base_seconds=st.floats(0, 1e6),
    factor=st.floats(1, 1e3),
    cap_seconds=st.floats(0, 1e6),
    jitter=st.sampled_from(["none", "equal", "full"]),
    asked_cap_seconds=st.floats(0, 1e6),
)
ASKED = st.none() | st.floats(0, allow_infinity=True, allow_nan=False)
RANDOM = st.floats(0, 1, exclude_max=True)


@given(POLICIES, st.integers(1, 10**30), RANDOM)
def test_a_delay_is_never_negative_and_never_above_the_cap(
    policy: Retry, failures: int, random: float
) -> None:
    assert 0 <= policy.delay(failures, random) <= policy.cap_seconds


@given(POLICIES, RANDOM)
def test_delays_never_shrink_from_failure_to_failure_at_the_same_random(
    policy: Retry, random: float
) -> None:
    delays = [policy.delay(failures, random) for failures in range(1, 40)]
    assert all(earlier <= later for earlier, later in pairwise(delays))


@given(POLICIES, st.integers(1, 10**6), RANDOM)
def test_jitter_only_shortens_and_equal_jitter_by_half_at_most(
    policy: Retry, failures: int, random: float
) -> None:
    steady, equal, full = (
        policy.model_copy(update={"jitter": jitter}).delay(failures, random)
        for jitter in ("none", "equal", "full")
    )
    assert full <= steady
    assert steady / 2 <= equal <= steady


@given(POLICIES, st.integers(1, 10**6), RANDOM, ASKED)
def test_a_service_that_asks_for_time_only_lengthens_a_delay_and_within_its_cap(
    policy: Retry, failures: int, random: float, asked: float | None
) -> None:
    own, delay = policy.delay(failures, random), policy.delay(failures, random, asked)

    assert own <= delay <= max(own, policy.asked_cap_seconds)
    if asked is not None and asked <= policy.asked_cap_seconds:
        assert delay >= asked


@given(POLICIES, st.sampled_from(get_args(Category)))
def test_what_is_not_retryable_is_never_tried_again(policy: Retry, category: Category) -> None:
    listed = policy.model_copy(update={"categories": (category,)})

    assert not listed.retries(category, retryable=False)
    assert listed.retries(category)
