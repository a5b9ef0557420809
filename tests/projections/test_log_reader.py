"""The log as projections read it: whoever reads, from wherever, sees all that is theirs."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowledger.engine.errors import StatementRefused
from flowledger.engine.events.base import Unreadable
from flowledger.engine.store.connection.pool import open_pool
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.log.eventsourcing_recorders import LedgerDatastore, LedgerRecorder
from flowledger.projections.host.log_reader import EACH_STEP, LogReader
from support.sql_calls import Connection, Row, append, new_id

OTHERS = ("task.created", "task.started", "task.completed", "step.attempt_failed")
TOPICS = (*sorted(EACH_STEP), *OTHERS)
EVENTS = 80
WANTED = st.one_of(
    st.frozensets(st.sampled_from(TOPICS), min_size=1),
    st.frozensets(st.sampled_from(OTHERS)).map(EACH_STEP.union),
)


@dataclass
class Reader:
    """Someone who goes through the log."""

    topics: frozenset[str]
    position: int = 0
    seen: list[int] = field(default_factory=list[int])

    def read(self, log: LogReader, limit: int, until: int) -> None:
        entries, reached = log.after(self.position, limit, self.topics, max(until, self.position))
        assert len(entries) <= limit
        assert reached >= self.position
        assert all(isinstance(entry.read, Unreadable) for entry in entries)
        self.seen += [entry.position for entry in entries]
        self.position = reached

    def prepare(self, log: LogReader, limit: int, until: int) -> None:
        log.prepare(self.position, limit, self.topics, max(until, self.position))


@pytest.fixture
def recorder(database: str) -> Generator[LedgerRecorder]:
    with open_pool(database, min_size=1, max_size=1, timeout_seconds=10) as pool:
        yield LedgerRecorder(LedgerDatastore(pool))


def fill(connection: Connection, topics: Sequence[str]) -> list[int]:
    return append(connection, *(Row(new_id(), topic=topic) for topic in topics))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_everybody_sees_each_of_their_events_once_and_in_order(
    recorder: LedgerRecorder, connection: Connection, data: st.DataObject
) -> None:
    before = recorder.max_notification_id() or 0
    topics = data.draw(st.lists(st.sampled_from(TOPICS), min_size=30, max_size=EVENTS))
    positions = fill(connection, topics)
    log = LogReader(recorder, EventMapper(), data.draw(st.integers(1, 20)))
    places = st.integers(0, len(positions) - 1)
    starts = [before, *data.draw(st.lists(places.map(positions.__getitem__), max_size=3))]
    readers = [Reader(data.draw(WANTED), position) for position in starts]

    while waiting := [reader for reader in readers if reader.position < positions[-1]]:
        reader = waiting[data.draw(st.integers(0, len(waiting) - 1))]
        until = positions[max(data.draw(places), data.draw(places))]
        reader.read(log, data.draw(st.integers(1, 30)), until)
        if data.draw(st.booleans()):
            reader.prepare(log, data.draw(st.integers(1, 30)), until)
        if until <= reader.position < positions[-1]:
            reader.read(log, 1, positions[-1])

    for reader, start in zip(readers, starts, strict=True):
        assert reader.seen == [
            position
            for position, topic in zip(positions, topics, strict=True)
            if position > start and topic in reader.topics
        ]


def test_those_that_are_far_behind_and_want_every_step_read_an_event_once(
    recorder: LedgerRecorder, connection: Connection
) -> None:
    positions = fill(connection, sorted(EACH_STEP) * 20)
    log = LogReader(recorder, EventMapper(), kept=10)

    first, _ = log.after(0, 6, EACH_STEP, positions[-1])
    second, _ = log.after(0, 6, EACH_STEP | {"task.created"}, positions[-1])

    assert [entry.position for entry in first] == positions[:6]
    assert all(one is other for one, other in zip(first, second, strict=True))


def test_who_wants_little_does_not_read_what_it_does_not_want(
    recorder: LedgerRecorder, connection: Connection
) -> None:
    positions = fill(
        connection, ["step.started"] * 30 + ["step.attempt_failed"] + ["step.started"] * 30
    )
    log = LogReader(recorder, EventMapper(), kept=10)

    entries, reached = log.after(0, 5, {"step.attempt_failed"}, positions[-1])

    assert ([entry.position for entry in entries], reached) == ([positions[30]], positions[-1])


class Counting(EventMapper):
    """It counts the events that it decodes."""

    decoded = 0

    def event(self, *columns: Any) -> Any:
        self.decoded += 1
        return super().event(*columns)


@pytest.mark.parametrize("kept", [10, 100], ids=["far behind", "at the end"])
def test_what_is_prepared_is_decoded_once_and_before_it_is_wanted(
    recorder: LedgerRecorder, connection: Connection, kept: int
) -> None:
    positions = fill(connection, sorted(EACH_STEP) * 20)
    mapper = Counting()
    log = LogReader(recorder, mapper, kept)
    for position in (0, positions[5]):
        log.after(position, 6, EACH_STEP, positions[-1])

    for topics in (EACH_STEP, EACH_STEP | {"task.created"}):
        log.prepare(positions[11], 6, topics, positions[-1])
    before = mapper.decoded
    entries, _ = log.after(positions[11], 6, EACH_STEP, positions[-1])

    assert [entry.read.position for entry in entries] == positions[12:18]
    assert (before, mapper.decoded) == (6, 6)


def test_what_others_would_throw_away_is_not_prepared(
    recorder: LedgerRecorder, connection: Connection
) -> None:
    positions = fill(connection, sorted(EACH_STEP) * 40)
    mapper = Counting()
    log = LogReader(recorder, mapper, kept=10)

    for start in (0, 6, 12, 18):
        for position in (positions[start], positions[start + 60]):
            found, reached = log.after(position, 6, EACH_STEP, positions[-1])
            assert [entry.read.position for entry in found][-1] == reached
            log.prepare(reached, 6, EACH_STEP, positions[-1])

    assert mapper.decoded == 4 * 2 * 6


def test_nothing_is_prepared_for_which_one_would_have_to_wait(
    database: str, connection: Connection
) -> None:
    positions = fill(connection, sorted(EACH_STEP) * 20)
    mapper = Counting()
    with open_pool(database, min_size=1, max_size=1, timeout_seconds=3600) as pool:
        log = LogReader(LedgerRecorder(LedgerDatastore(pool)), mapper, kept=10)
        for position in (0, positions[5]):
            log.after(position, 6, EACH_STEP, positions[-1])

        with pool.connection():  # the only one that there is
            log.prepare(positions[11], 6, EACH_STEP, positions[-1])

    assert mapper.decoded == 0


def test_what_goes_wrong_while_it_is_prepared_is_told_by_who_wants_it(
    recorder: LedgerRecorder, connection: Connection
) -> None:
    positions = fill(connection, sorted(EACH_STEP) * 20)
    log = LogReader(recorder, EventMapper(), kept=10)
    for position in (0, positions[5]):
        log.after(position, 6, EACH_STEP, positions[-1])
    connection.execute("alter table flowledger.event rename to lost")

    log.prepare(positions[11], 6, EACH_STEP, positions[-1])

    with pytest.raises(StatementRefused):
        log.after(positions[11], 6, EACH_STEP, positions[-1])
