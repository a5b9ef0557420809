"""commit_decisions: one transaction of the coordinator, all of it or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.store.connection.arrays import BigintArray, UuidArray
from support.builders import NOON
from support.sql_calls import (
    Connection,
    Others,
    Row,
    append,
    call,
    claim,
    columns,
    heard,
    log,
    new_id,
    queue,
    queue_row,
    rows_of,
    step_row,
    table,
    task_row,
    timer_row,
    wait_until_blocked,
)

TEMPLATE = new_id()
TABLES = {
    "shard": ("position", "epoch", "leader", "lease_until"),
    "queue": ("step_id", "stream_version", "worker_id"),
    "step": ("task_id", "step", "state", "stream_version"),
    "task": ("task_id", "state", "stream_version"),
    "timer": ("step_id", "kind", "due_at"),
    "submission": ("task_id",),
    "event": ("originator_id", "originator_version"),
}


class World:
    """A task whose step `a` was handed back, at position 0: what there is and what is decided."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.task, self.later = new_id(), new_id()
        ((self.epoch, _, _),) = call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
        queue(connection, queue_row(self.task, TEMPLATE, "lost"))
        call(connection, "upsert_timers", rows_of([timer_row(self.task, NOON, "rang")]))
        arguments = (columns([Row(self.later)])[i] for i in (4, 0, 2, 3, 5))
        call(
            connection,
            "submit_in_callers_transaction",
            *([None], [self.later]),
            *list(arguments)[2:],
        )
        ((self.submission,),) = connection.execute(
            "select submission from flowledger.submission"
        ).fetchall()
        self.event = Row(step_id(self.task, "a"), 1, "step.enqueued", b"{}", self.task)

    def commit(self, **changed: Any) -> None:
        given = {
            "epoch": self.epoch,
            "old": 0,
            "new": 7,
            "events": [self.event],
            "dropped": UuidArray([step_id(self.task, "lost")]),
            "signalled": None,
            "queued": rows_of([queue_row(self.task, TEMPLATE)]),
            "steps": rows_of([step_row(self.task)]),
            "tasks": rows_of([task_row(self.task, TEMPLATE)]),
            "untimed": UuidArray([step_id(self.task, "rang")]),
            "timers": rows_of([timer_row(self.task, NOON, "a", "timeout")]),
            "submissions": BigintArray([self.submission]),
            "answers": False,
            **changed,
        }
        events = given.pop("events")
        head = [given.pop(name) for name in ("epoch", "old", "new")]
        arrays = columns(events) if events is not None else (None,) * 6
        call(self.connection, "commit_decisions", 0, *head, 60.0, *arrays, *given.values())

    def everything(self) -> dict[str, list[Any]]:
        return {name: table(self.connection, name, *fields) for name, fields in TABLES.items()}


@pytest.fixture
def world(connection: Connection) -> World:
    return World(connection)


def test_everything_is_stored_together(connection: Connection, world: World) -> None:
    world.commit()

    assert table(connection, "shard", "position") == [7]
    assert log(connection) == [(world.event.stream, 1)]
    assert table(connection, "queue", "step_id") == [step_id(world.task, "a")]
    assert table(connection, "step", "step", "state") == [("a", "enqueued")]
    assert table(connection, "task", "task_id", "state") == [(world.task, "in_progress")]
    assert table(connection, "timer", "step", "kind") == [("a", "timeout")]
    assert table(connection, "submission", "task_id") == []


NOTHING = dict.fromkeys(
    (
        *("events", "dropped", "signalled", "queued", "steps", "tasks", "untimed", "timers"),
        *("submissions", "answers"),
    )
)


def test_null_is_nothing_of_the_kind(connection: Connection, world: World) -> None:
    before = world.everything()

    world.commit(**NOTHING)

    after = world.everything()
    assert after.pop("shard") != before.pop("shard")
    assert after == before


@pytest.mark.parametrize(
    ("changed", "sqlstate"),
    [
        pytest.param({"epoch": 0}, "FL002", id="an earlier epoch"),
        pytest.param({"epoch": 99}, "FL002", id="an epoch to come"),
        pytest.param({"old": 3}, "FL002", id="another position"),
        pytest.param({"events": "taken"}, "23505", id="a stream that moved"),
    ],
)
def test_a_refused_transaction_leaves_everything_as_it_was(
    connection: Connection, world: World, changed: dict[str, Any], sqlstate: str
) -> None:
    if changed == {"events": "taken"}:
        append(connection, world.event.at(1, state=b"someone else"))
        changed = {"events": [Row(new_id()), world.event]}
    before = world.everything()

    with pytest.raises(psycopg.DatabaseError) as caught:
        world.commit(**changed)

    assert caught.value.sqlstate == sqlstate
    assert world.everything() == before


def test_the_same_transaction_again_is_refused(connection: Connection, world: World) -> None:
    world.commit()
    stored = world.everything()

    with pytest.raises(psycopg.DatabaseError) as caught:
        world.commit()

    assert caught.value.sqlstate == "FL002"
    assert world.everything() == stored


def test_a_step_may_be_dropped_and_queued_in_one_go(connection: Connection, world: World) -> None:
    claim(connection, new_id(), [TEMPLATE], 1)

    world.commit(queued=rows_of([queue_row(world.task, TEMPLATE, "lost", version=4)]))

    assert table(connection, "queue", "stream_version", "worker_id") == [(4, None)]


def test_a_leader_that_was_replaced_while_it_waited_is_refused(
    connection: Connection, world: World, others: Others
) -> None:
    with others.begin() as usurper:
        usurper.execute("update flowledger.shard set epoch = epoch + 1")
        late = others.later("commit_decisions", 0, world.epoch, 0, 7, 60.0, *(None,) * 15)
        wait_until_blocked(connection)

    with pytest.raises(psycopg.DatabaseError) as caught:
        late.result(timeout=30)
    assert caught.value.sqlstate == "FL002"


def test_no_coordinator_is_woken_by_a_decision(
    connection: Connection, other: Connection, world: World
) -> None:
    nothing = (None,) * 9
    arguments = (0, world.epoch, 0, 1, 60.0, *columns([world.event]), *nothing)

    assert heard(other, "fact", connection, "commit_decisions", *arguments) == []


def test_a_running_step_is_told_to_stop_in_the_same_transaction(
    connection: Connection, other: Connection, world: World
) -> None:
    runs = step_id(world.task, "lost")
    given = {"signalled": UuidArray([runs]), "dropped": None, "queued": None}
    world.connection = other
    connection.execute('listen "flowledger.cancel"')

    world.commit(**given)

    assert table(connection, "queue", "step_id", "cancelling", "stream_version") == [
        (runs, True, 2)
    ]
    assert list(connection.notifies(timeout=5, stop_after=1))


@pytest.mark.parametrize(("answers", "heard_of"), [(True, 1), (False, 0), (None, 0)])
def test_who_waits_for_an_answer_hears_of_one(
    connection: Connection, other: Connection, world: World, *, answers: bool, heard_of: int
) -> None:
    connection.execute('listen "flowledger.ended"')
    world.connection = other

    world.commit(**{**NOTHING, "answers": answers})

    other.execute("notify \"flowledger.ended\", 'the last'")
    told = [n.payload for n in connection.notifies(timeout=5, stop_after=heard_of + 1)]
    assert told == [""] * heard_of + ["the last"]


def test_the_lease_is_renewed(connection: Connection, world: World) -> None:
    call(connection, "advance_test_clock", timedelta(minutes=5))
    world.commit()

    assert call(connection, "acquire_shard_lease", 0, new_id(), 60.0) == []
