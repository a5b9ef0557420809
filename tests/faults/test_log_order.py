"""Position order is commit order: a follower of the log misses nothing, and the lock is why."""

from __future__ import annotations

import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent

from flowledger.engine.store.connection.pool import open_pool
from flowledger.engine.store.log.eventsourcing_recorders import LedgerDatastore, LedgerRecorder
from support.engines import PATIENCE, EngineHarness
from support.logins import logins_on
from support.started_program import StartedProgram, start_program

WRITERS = 4
EVENTS = 5_000

WRITER = """
import sys
from uuid import uuid4
from eventsourcing.persistence import StoredEvent
from flowledger.engine.store.connection.pool import open_pool
from flowledger.engine.store.log.eventsourcing_recorders import LedgerDatastore, LedgerRecorder

url, events, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open_pool(url, min_size=1, max_size=1, timeout_seconds=30) as pool:
    recorder = LedgerRecorder(LedgerDatastore(pool))
    stream = uuid4()
    print("ready", flush=True)
    sys.stdin.readline()
    for first in range(1, events + 1, batch):
        recorder.insert_events(
            [StoredEvent(stream, version, "test", b"{}") for version in range(first, first + batch)]
        )
"""

NO_LOCK = """
create or replace function flowledger.lock_log() returns void language sql volatile as 'select'
"""

Place = tuple[UUID | str, int]


@pytest.fixture
def recorder(harness: EngineHarness) -> Generator[LedgerRecorder]:
    with open_pool(harness.url, min_size=1, max_size=2, timeout_seconds=30) as pool:
        yield LedgerRecorder(LedgerDatastore(pool))


class Follower:
    """Reads the log from where it stands, as the engine's followers do."""

    def __init__(self, recorder: LedgerRecorder) -> None:
        self._recorder = recorder
        self.position = 0
        self.seen: list[Place] = []

    def read(self) -> int:
        found = self._recorder.select_notifications(self.position, 500, inclusive_of_start=False)
        self.seen += [(event.originator_id, event.originator_version) for event in found]
        self.position = found[-1].id if found else self.position
        return len(found)

    def catch_up(self) -> int:
        """Read to the end of the log; how many events were seen in all."""
        while self.read():
            pass
        return len(self.seen)


def whole_log(harness: EngineHarness) -> list[Place]:
    return [
        (stream, version)
        for stream, version in harness.rows(
            "select originator_id, originator_version from flowledger.event"
            " order by notification_id"
        )
    ]


@pytest.mark.parametrize("batch", [1, 50])
def test_of_racing_writers_a_follower_sees_every_event_once_and_in_order(
    harness: EngineHarness, recorder: LedgerRecorder, batch: int, tmp_path: Path
) -> None:
    events = EVENTS if batch > 1 else EVENTS // 10
    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    writers = [start_writer(script, harness.url, events, batch) for _ in range(WRITERS)]
    follower = Follower(recorder)
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.close()
    harness.until(lambda: follower.catch_up() >= WRITERS * events)
    for writer in writers:
        assert writer.wait(PATIENCE) == 0
        writer.stdout.close()

    assert follower.seen == whole_log(harness)
    assert len(set(follower.seen)) == WRITERS * events
    versions: dict[UUID | str, int] = {}
    for stream, version in follower.seen:
        assert version == versions.get(stream, 0) + 1
        versions[stream] = version
    switches = sum(first[0] != second[0] for first, second in pairwise(follower.seen))
    assert switches > WRITERS, "the writers took turns as a whole: nothing was raced"


def start_writer(script: Path, url: str, events: int, batch: int) -> StartedProgram:
    program = (str(script), url, str(events), str(batch))
    writer = start_program(program, script.parent, os.environ, log=False)
    assert writer.stdout.readline() == "ready\n"
    return writer


APPEND = """
select flowledger.append_events(
    array[%s], array[1::bigint], array['test'], array[''::bytea],
    array[null::uuid], array[0::bigint]
)
"""


def follow_two_writers(
    harness: EngineHarness, recorder: LedgerRecorder
) -> tuple[list[Place], list[Place]]:
    """One writer appends and stays open, the other appends and commits, the follower reads.

    Returns what the follower saw, and the log. Nothing here depends on who is faster: the second
    writer either ends, or waits for the first, before anybody goes on.
    """
    follower = Follower(recorder)
    with harness.connect() as slow, ThreadPoolExecutor(1) as thread:
        slow.execute(APPEND.encode(), (uuid4(),))
        quick = thread.submit(recorder.insert_events, [StoredEvent(uuid4(), 1, "test", b"{}")])
        while not (quick.done() or waits_for_a_lock(harness)):
            follower.read()
        follower.read()
        slow.commit()
        quick.result(PATIENCE)
    follower.read()
    return follower.seen, whole_log(harness)


def waits_for_a_lock(harness: EngineHarness) -> bool:
    return bool(
        harness.value(
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
    )


def test_a_writer_that_is_slow_to_commit_is_waited_for(
    harness: EngineHarness, recorder: LedgerRecorder
) -> None:
    seen, log = follow_two_writers(harness, recorder)

    assert seen == log
    assert len(log) == 2


def test_without_the_lock_the_follower_would_miss_an_event(
    harness: EngineHarness, recorder: LedgerRecorder
) -> None:
    """The check above can fail: it does as soon as the lock does nothing."""
    harness.rows(NO_LOCK)

    seen, log = follow_two_writers(harness, recorder)

    assert len(log) == 2
    assert seen == log[1:]


MODES = ("access share", "row exclusive", "share update exclusive", "exclusive", "access exclusive")


@pytest.mark.parametrize("roles", [(), ("flowledger_reader",)], ids=["nobody", "a reader"])
@pytest.mark.parametrize("lock", ["log_lock", "projection_lock"])
def test_who_may_not_write_cannot_hold_the_lock(
    harness: EngineHarness, lock: str, roles: tuple[str, ...]
) -> None:
    with logins_on(harness.url) as logins, psycopg.connect(logins.new(*roles)) as stranger:
        for mode in MODES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                stranger.execute(f"lock table flowledger.{lock} in {mode} mode".encode())
            stranger.rollback()


def test_a_stranger_who_takes_every_advisory_lock_stops_nobody(harness: EngineHarness) -> None:
    """Such a lock needs no right, and pg_locks tells its key while somebody holds it."""
    with logins_on(harness.url) as logins, psycopg.connect(logins.new()) as stranger:
        with harness.connect() as writer:
            writer.execute(APPEND.encode(), (uuid4(),))
            keys = "select classid::bigint << 32 | objid::bigint from pg_locks"
            found = stranger.execute(f"{keys} where locktype = 'advisory'".encode()).fetchall()
        for (key,) in found:
            stranger.execute("select pg_advisory_lock(%s)", (key,))

        harness.rows("set lock_timeout = '5s'")
        assert harness.rows(APPEND, uuid4())


def test_no_function_takes_an_advisory_lock(harness: EngineHarness) -> None:
    found = harness.rows("select proname from pg_proc where prosrc ~ 'pg_(try_)?advisory'")

    assert [name for (name,) in found if not name.startswith("pg_")] == []


@pytest.mark.parametrize("statement", ["vacuum", "analyze", "vacuum freeze", "vacuum full"])
def test_maintenance_of_the_whole_database_does_not_wait_for_the_lock(
    harness: EngineHarness, statement: str
) -> None:
    harness.rows("set lock_timeout = '5s'")
    with harness.connect() as writer:
        writer.execute("select flowledger.lock_log()")

        harness.rows(statement)


@pytest.mark.parametrize("mode", ["access share", "row exclusive"])
def test_a_dump_is_not_waited_for(
    harness: EngineHarness, recorder: LedgerRecorder, mode: str
) -> None:
    """It holds ACCESS SHARE on every relation for as long as it takes."""
    with harness.connect() as dumping:
        dumping.execute(f"lock table flowledger.log_lock, flowledger.event in {mode} mode".encode())

        assert recorder.insert_events([StoredEvent(uuid4(), 1, "test", b"{}")])
