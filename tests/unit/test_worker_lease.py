"""How long a worker may believe that its steps are its own."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.shard_assignment import WorkerLease
from support.builders import NOON

seconds = st.timedeltas(timedelta(), timedelta(days=1))
LEASE = WorkerLease(asked_at=NOON, ttl=timedelta(seconds=30), margin=timedelta(seconds=3))


def test_trust_ends_a_margin_before_the_lease() -> None:
    assert LEASE.trusted_until == NOON + timedelta(seconds=27)
    assert LEASE.is_trusted(NOON + timedelta(seconds=26, microseconds=999_999))
    assert not LEASE.is_trusted(NOON + timedelta(seconds=27))


def test_a_renewal_is_due_after_a_third_of_what_is_left() -> None:
    assert LEASE.renew_in(NOON) == timedelta(seconds=9)
    assert LEASE.renew_in(NOON + timedelta(seconds=24)) == timedelta(seconds=1)
    assert LEASE.renew_in(NOON + timedelta(hours=1)) == timedelta()


@given(ttl=seconds, margin=seconds, elapsed=seconds)
def test_renewal_is_never_planned_past_the_trust(
    ttl: timedelta, margin: timedelta, elapsed: timedelta
) -> None:
    lease, now = WorkerLease(asked_at=NOON, ttl=ttl, margin=margin), NOON + elapsed

    if lease.is_trusted(now):
        assert now + lease.renew_in(now) < lease.trusted_until
    else:
        assert lease.renew_in(now) == timedelta()


@given(ttl=seconds, margin=seconds, elapsed=seconds)
def test_a_lease_is_never_trusted_after_the_database_gives_it_away(
    ttl: timedelta, margin: timedelta, elapsed: timedelta
) -> None:
    lease = WorkerLease(asked_at=NOON, ttl=ttl, margin=margin)

    assert not lease.is_trusted(NOON + elapsed) or elapsed < ttl
