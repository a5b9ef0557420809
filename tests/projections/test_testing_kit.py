"""The kit for authors of projections: it passes what keeps its promises, and names what breaks."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import psycopg
import pytest

from flowledger.engine.events import StepCompleted
from flowledger.engine.events.base import Recorded
from flowledger.projections import Cursor, Projection, on, on_batch
from flowledger.projections.testing import Case, recorded
from support.builders import event

TABLES = "create table {schema}.seen (number int primary key, what text)"
EVENTS = [event(StepCompleted, n, step=f"s{n}", result=n) for n in range(1, 10)]


class StoredCircuit(Projection):
    name, version, tables = "kept", 1, TABLES

    @on(StepCompleted)
    def completed(self, event: StepCompleted, cursor: Cursor) -> None:
        cursor.execute("insert into seen values (%s, %s)", (event.result, event.step))


class CountsItsCalls(Projection):
    """Remembers in the process what only the rows may know."""

    name, version, tables = "counts_its_calls", 1, TABLES
    calls = 0

    @on(StepCompleted)
    def completed(self, event: StepCompleted, cursor: Cursor) -> None:
        self.calls += 1
        cursor.execute("insert into seen values (%s, %s)", (self.calls, event.step))


class CountsBatches(Projection):
    name, version, tables = "counts_batches", 1, TABLES

    @on_batch(StepCompleted)
    def completed(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        cursor.execute("insert into seen select count(*), 'batch' from seen", ())


class StartsAfresh(Projection):
    """Right where nothing is killed: it begins to count when it sees the first event."""

    name, version, tables = "starts_afresh", 1, TABLES
    calls = 0

    @on(StepCompleted)
    def completed(self, event: StepCompleted, cursor: Cursor) -> None:
        self.calls = 1 if event.result == 1 else self.calls + 1
        cursor.execute("insert into seen values (%s, %s)", (self.calls, event.step))


class ForgetsWhatIsRolledBack(Projection):
    """Does not write again what it has written, whether or not that was kept."""

    name, version, tables = "forgets", 1, TABLES
    written: int = 0

    @on(StepCompleted)
    def completed(self, event: StepCompleted, cursor: Cursor) -> None:
        again, self.written = event.result == self.written, int(str(event.result))
        if not again:
            cursor.execute("insert into seen values (%s, %s)", (event.result, event.step))


class RemembersTheFirst(Projection):
    """Right as long as one process applies everything."""

    name, version, tables = "remembers", 1, TABLES
    first: str | None = None

    @on(StepCompleted)
    def completed(self, event: StepCompleted, cursor: Cursor) -> None:
        self.first = self.first or event.step
        cursor.execute("insert into seen values (%s, %s)", (event.result, self.first))


class ForgetsNothing(Projection):
    name, version = "forgets_nothing", 1
    tables = "create table {schema}.seen (task_id uuid)"

    @on(StepCompleted)
    def completed(self, event: StepCompleted, cursor: Cursor) -> None:
        cursor.execute("insert into seen values (%s)", (event.task_id,))

    def forget(self, tasks: Sequence[UUID], cursor: Cursor) -> None:
        pass


class Leaves(Projection):
    name, version, tables = "leaves", 1, TABLES

    @on(StepCompleted)
    def completed(self, event: StepCompleted, cursor: Cursor) -> None:
        cursor.execute("create table public.loot (cents bigint)")


def test_given_events_make_the_expected_rows(database: str) -> None:
    rows = [(n, f"s{n}") for n in range(1, 10)]

    assert Case(StoredCircuit, database).given(EVENTS).expect("seen", rows).rows("seen") == rows


def test_other_rows_than_expected_are_told(database: str) -> None:
    outcome = Case(StoredCircuit, database).given(EVENTS[:1])

    with pytest.raises(AssertionError, match=r"seen has \[\(1, 's1'\)\], and not \[\(2, 's2'\)\]"):
        outcome.expect("seen", [(2, "s2")])


def test_a_table_that_is_not_there_is_told(database: str) -> None:
    with pytest.raises(AssertionError, match="there is no table 'sene': seen"):
        Case(StoredCircuit, database).given(EVENTS).expect("sene", [])


def test_a_projection_that_keeps_its_promises_passes(database: str) -> None:
    Case(StoredCircuit, database).check(EVENTS)


@pytest.mark.parametrize(
    ("projection", "promise"),
    [
        (CountsItsCalls, "built a second time from the start"),
        (CountsBatches, "in batches of 1 it has other rows"),
        (StartsAfresh, "in batches of 1 that are rolled back once"),
        (ForgetsWhatIsRolledBack, "in batches of 1 that are rolled back once"),
        (RemembersTheFirst, "in batches of 1 before each of which the process is killed"),
        (ForgetsNothing, "a task that is forgotten and told again"),
    ],
)
def test_a_broken_promise_is_named(
    database: str, projection: type[Projection], promise: str
) -> None:
    with pytest.raises(AssertionError, match=promise):
        Case(projection, database).check(EVENTS)


def test_what_a_method_raises_is_raised(database: str) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        Case(StoredCircuit, database).given([EVENTS[0], EVENTS[0]])


def test_a_projection_that_writes_elsewhere_is_refused_as_by_the_host(database: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        Case(Leaves, database).given(EVENTS)


def test_events_without_a_place_are_counted_from_one() -> None:
    assert [one.position for one in recorded(EVENTS)] == list(range(1, 10))
    placed = Recorded(7, EVENTS[0].occurred_at, EVENTS[0])
    assert recorded([placed]) == [placed]
