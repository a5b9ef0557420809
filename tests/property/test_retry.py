"""Retry delays for every policy, every number of failures, every random."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.retry import Retry

POLICIES = st.builds(
    Retry,
    max_attempts=st.integers(0, 100),
    backoff=st.sampled_from(["none", "fixed", "linear", "exponential", "fibonacci"]),
    base_seconds=st.floats(0, 1e6),
    factor=st.floats(1, 1e3),
    cap_seconds=st.floats(0, 1e6),
    jitter=st.sampled_from(["none", "equal", "full"]),
)
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
