"""Tasks over shards and shards over processes: everything has a place, and only one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flowledger.engine.domain.deterministic_ids import uuid7
from flowledger.engine.domain.shard_assignment import Members, ShardLease, assign_shards, shard_of

PATIENCE = 1.0
IDS = st.builds(uuid7, st.integers(0, 2**48 - 1), st.integers(0, 2**74 - 1))
PROCESSES = [UUID(int=n) for n in range(1, 8)]
GONE = UUID(int=99)


@st.composite
def attendances(draw: st.DrawFn) -> Members:
    """Any shards, led by anybody, dead ones too, with leases of any length."""
    live = draw(st.sets(st.sampled_from(PROCESSES), min_size=1))
    leader = st.none() | st.sampled_from([*sorted(live), GONE])
    leases = draw(st.lists(st.tuples(leader, st.floats(-5, 3)), min_size=1, max_size=12))
    return Members(live, [ShardLease(n, *lease) for n, lease in enumerate(leases)])


@given(IDS, st.integers(1, 1024))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_has_the_same_rule_as_the_engine(
    connection: psycopg.Connection, task: UUID, shards: int
) -> None:
    row = connection.execute("select flowledger.shard_of(%s, %s)", (task, shards)).fetchone()

    assert row == (shard_of(task, shards),)
    assert 0 <= shard_of(task, shards) < shards


@pytest.mark.parametrize("shards", [1, 2, 3, 4, 7, 16])
def test_tasks_of_one_moment_are_spread_evenly(shards: int) -> None:
    random = Random(shards)  # noqa: S311 - to spread, not to hide
    found = Counter(shard_of(uuid7(7, random.getrandbits(74)), shards) for _ in range(200 * shards))

    assert len(found) == shards
    assert 140 < min(found.values()) <= max(found.values()) < 260


@given(attendances())
def test_nobody_is_told_to_lead_what_another_holds(attendance: Members) -> None:
    for process in attendance.live:
        share = assign_shards(process, attendance, PATIENCE)

        assert not share.lead & share.resign
        held = {x.shard for x in attendance.leases if not x.free and x.leader != process}
        assert not held & (share.lead | share.resign)
        mine = {x.shard for x in attendance.leases if x.leader == process}
        assert mine <= share.lead | share.resign


@given(attendances())
def test_every_free_shard_is_somebodys_to_ask_for_or_becomes_it_with_time(
    attendance: Members,
) -> None:
    free = {x.shard for x in attendance.leases if x.free and x.leader not in attendance.live}
    later = Members(
        attendance.live,
        [ShardLease(x.shard, x.leader, -2 * PATIENCE) if x.free else x for x in attendance.leases],
    )

    asked = {s for p in attendance.live for s in assign_shards(p, later, PATIENCE).lead}

    assert free <= asked


@given(st.integers(1, 12), st.sets(st.sampled_from(PROCESSES), min_size=1), st.data())
def test_looking_one_after_another_they_come_to_fair_shares_and_stay_there(
    shards: int, live: set[UUID], data: st.DataObject
) -> None:
    leader = st.none() | st.sampled_from([*sorted(live), GONE])
    leases = [ShardLease(n, data.draw(leader), 1.0) for n in range(shards)]
    leases = [ShardLease(x.shard, x.leader, -9.0) if x.leader == GONE else x for x in leases]
    random = data.draw(st.randoms(use_true_random=True))

    for _ in range(shards + 1):
        for process in random.sample(sorted(live), len(live)):
            leases = looked(process, live, leases)

    led = Counter(lease.leader for lease in leases)
    assert set(led) <= live
    assert max(led.values()) <= -(-shards // len(live))
    assert all(led[process] >= shards // len(live) for process in live)
    assert all(not assign_shards(p, Members(live, leases), PATIENCE).resign for p in live)


@given(attendances())
def test_all_who_look_at_once_give_up_no_more_than_others_lack(attendance: Members) -> None:
    assume(not any(x.leader in attendance.live and x.free for x in attendance.leases))
    led = Counter(x.leader for x in attendance.leases if not x.free)
    least, rest = divmod(len(attendance.leases), len(attendance.live))
    lacking = sum(max(0, least + bool(rest) - led[process]) for process in attendance.live)
    shares = {process: assign_shards(process, attendance, PATIENCE) for process in attendance.live}

    assert sum(len(share.resign) for share in shares.values()) <= lacking
    assert all(led[p] - len(share.resign) >= least for p, share in shares.items() if share.resign)


def looked(process: UUID, live: set[UUID], leases: Sequence[ShardLease]) -> list[ShardLease]:
    """The leases after one process looked and did what it shall."""
    share = assign_shards(process, Members(live, leases), PATIENCE)
    return [
        ShardLease(x.shard, process, 1.0)
        if x.shard in share.lead
        else ShardLease(x.shard, None, 0.0)
        if x.shard in share.resign
        else x
        for x in leases
    ]
