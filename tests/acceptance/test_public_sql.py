"""The public SQL tells of running tasks what the engine tells, to whoever may only read."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from psycopg.rows import dict_row

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.engine.domain.machine.transitions import (
    STEP_TRANSITIONS,
    TASK_TRANSITIONS,
    StepState,
)
from flowledger.engine.events.base import Recorded, StepEvent, TaskEvent
from flowledger.engine.store.log.event_mapper import EventMapper, StoredLogEvent
from support.builders import step
from support.controlled_steps import begin, controlled_steps
from support.engines import PATIENCE, EngineHarness

ACT = {"handler": {"callable": "act"}}
TWICE = {**ACT, "retry": {"max_attempts": 2, "backoff": "none"}}
LATER = {**ACT, "retry": {"max_attempts": 3, "base_seconds": 600, "cap_seconds": 600}}
TABLES: Mapping[Any, Any] = {**TASK_TRANSITIONS, **STEP_TRANSITIONS}
Rows = list[dict[str, Any]]

line = controlled_steps(step("a", **TWICE), step("b", "a", **TWICE), name="line")
patient = controlled_steps(step("a", **LATER), step("b", "a", **ACT), name="patient")
narrow = controlled_steps(
    step("a", concurrency={"limit": 1, "key": "till"}, **ACT), step("b", "a", **ACT), name="narrow"
)


class Reader:
    """Somebody who may read the public schema."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self._connection = connection
        connection.execute("set role flowledger_reader")

    def rows(self, query: str, *parameters: Any) -> Rows:
        """The rows of a statement."""
        return self._connection.execute(query.encode(), parameters).fetchall()

    def row(self, query: str, *parameters: Any) -> dict[str, Any]:
        """The only row of a statement."""
        (row,) = self.rows(query, *parameters)
        return row


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(line, patient, narrow)


@contextmanager
def reading(harness: EngineHarness) -> Generator[Reader]:
    with psycopg.connect(harness.url, autocommit=True, row_factory=dict_row) as connection:
        yield Reader(connection)


@pytest.fixture
def reader(shared_harness: EngineHarness) -> Generator[Reader]:
    with reading(shared_harness) as found:
        yield found


def folded(history: Sequence[Recorded]) -> list[tuple[Any, ...]]:
    """From each state to the next, by the tables of the domain."""
    states: dict[UUID, Any] = {}
    found = []
    for position, event in ((recorded.position, recorded.event) for recorded in history):
        first = StepState.PENDING if isinstance(event, StepEvent) else TaskState.SUBMITTED
        before = states.get(event.originator_id, first)
        after = TABLES.get((before, type(event)))
        if after is not None:
            states[event.originator_id] = after
            found.append((position, getattr(event, "step", None), event.topic, before, after))
    return found


def ended(engine: Engine) -> TaskHandle:
    """A task that was paused, then failed, and was reset and completed."""
    world, task = begin(engine, line, fails="b", waits="a")
    assert world.started["a"].wait(PATIENCE)
    task.pause(actor="ada", reason="stocktaking")
    world.go["a"].set()
    task.resume(actor="bob", reason="done")
    task.wait(PATIENCE)
    world.fails.clear()
    task.reset(actor="ada", reason="mended")
    assert task.wait(PATIENCE) is TaskState.COMPLETE
    return task


def test_transitions_are_those_of_the_fold(engine: Engine, reader: Reader) -> None:
    task = ended(engine)
    asked = (
        "select position, step, type, from_state, to_state from flowledger_v1.task_transitions(%s)"
    )

    found = [tuple(row.values()) for row in reader.rows(asked, task.id)]

    assert found == folded(task.history())
    assert len(found) > 15


def test_a_transition_says_who_and_why(engine: Engine, reader: Reader) -> None:
    task = ended(engine)
    asked = "select * from flowledger_v1.task_transitions(%s)"

    rows = reader.rows(asked, task.id)

    said = [(row["type"], row["step"], row["actor"], row["reason"]) for row in rows if row["actor"]]
    assert said == [
        ("task.paused", None, "ada", "stocktaking"),
        ("task.resumed", None, "bob", "done"),
        ("step.reset", "b", "ada", "mended"),
        ("task.reopened", None, "ada", "mended"),
    ]
    failed = next(row for row in rows if row["type"] == "step.attempt_failed")
    assert (failed["message"], failed["attempt"]) == ("RuntimeError: b is broken", 1)
    given_up = next(row for row in rows if row["type"] == "step.failed")
    assert given_up["message"].endswith(failed["message"])
    started = next(row for row in rows if row["type"] == "step.started")
    assert started["worker_id"] is not None


def test_the_events_of_a_task_are_its_history(engine: Engine, reader: Reader) -> None:
    task = ended(engine)
    mapper = EventMapper()
    history = task.history()

    rows = reader.rows("select * from flowledger_v1.task_events(%s)", task.id)

    assert [(row["position"], row["recorded_at"], row["type"]) for row in rows] == [
        (one.position, one.recorded_at, one.event.topic) for one in history
    ]
    stored = [
        StoredLogEvent(
            row["stream_id"], row["version"], row["type"], orjson.dumps(row["data"]), task.id
        )
        for row in rows
    ]
    assert [mapper.to_domain_event(row) for row in stored] == [one.event for one in history]
    steps = [getattr(one.event, "step", None) for one in history]
    assert [row["step"] for row in rows] == steps


def test_events_are_read_on_from_a_position(engine: Engine, reader: Reader) -> None:
    task = ended(engine)
    first, *_, last = task.history()
    asked = (
        "select position, task_id, stream_id, version from flowledger_v1.events"
        " where position >= %s order by position"
    )

    rows = [row for row in reader.rows(asked, first.position) if row["task_id"] == task.id]

    assert [row["position"] for row in rows][:: len(rows) - 1] == [first.position, last.position]
    events = [one.event for one in task.history() if isinstance(one.event, TaskEvent)]
    assert [(row["stream_id"], row["version"]) for row in rows] == [
        (event.originator_id, event.originator_version) for event in events
    ]


def test_what_is_encrypted_has_no_data(
    shared_harness: EngineHarness, engine: Engine, reader: Reader
) -> None:
    stream = UUID(int=0x01890A5DAC96774BBCCEB302099A8057)
    shared_harness.rows(
        "insert into flowledger.event (originator_id, originator_version, topic, state, encoding)"
        " values (%s, 1, 'circuit.closed', '\\x00ff', 1)",
        stream,
    )

    row = reader.row("select * from flowledger_v1.events where stream_id = %s", stream)

    assert (row["type"], row["data"], row["step"]) == ("circuit.closed", None, None)


def test_a_task_and_its_steps_are_as_the_engine_knows_them(engine: Engine, reader: Reader) -> None:
    task = ended(engine)

    row = reader.row("select * from flowledger_v1.tasks where task_id = %s", task.id)
    steps = reader.rows(
        "select * from flowledger_v1.steps where task_id = %s order by level", task.id
    )

    assert (row["namespace"], row["template"], row["state"]) == ("shop", "line", "complete")
    assert row["created_at"] <= row["ended_at"]
    assert [(s["step"], s["state"], s["attempt"]) for s in steps] == [
        ("a", "complete", 1),
        ("b", "complete", 1),
    ]
    assert [s["dependencies"] for s in steps] == [[], ["a"]]


def test_a_step_that_nothing_happened_to_is_pending(engine: Engine, reader: Reader) -> None:
    world, task = begin(engine, line, waits="a")
    assert world.started["a"].wait(PATIENCE)
    asked = "select state, attempt from flowledger_v1.steps where task_id = %s and step = 'b'"

    assert reader.row(asked, task.id) == {"state": "pending", "attempt": 0}

    queued = reader.row("select * from flowledger_v1.queue where task_id = %s", task.id)
    worker = reader.row("select * from flowledger_v1.workers")
    assert (queued["step"], queued["template"], queued["attempt"]) == ("a", "line", 1)
    assert queued["worker_id"] == worker["worker_id"]
    assert worker["live"]
    assert worker["steps"] >= 1
    world.go["a"].set()
    assert task.wait(PATIENCE) is TaskState.COMPLETE


def test_a_retry_has_a_timer(shared_harness: EngineHarness, engine: Engine, reader: Reader) -> None:
    _, task = begin(engine, patient, fails="a")
    asked = "select step, kind, due_at from flowledger_v1.timers where task_id = %s"
    shared_harness.until(lambda: reader.rows(asked, task.id))

    row = reader.row(asked, task.id)

    assert (row["step"], row["kind"]) == ("a", "retry")
    due = reader.row("select flowledger_v1.next_retry_at(%s, 'a') as due", task.id)["due"]
    (ready,) = reader.rows("select * from flowledger_v1.step_readiness(%s, array['a'])", task.id)
    assert due == row["due_at"] == ready["next_retry_at"]
    health = reader.row("select * from flowledger_v1.system_health()")
    assert health["backoff_steps"] >= 1
    task.cancel(actor="ada", reason="enough")


def test_a_full_limit_says_who_waits(
    shared_harness: EngineHarness, engine: Engine, reader: Reader
) -> None:
    world, first = begin(engine, narrow, waits="a")
    assert world.started["a"].wait(PATIENCE)
    _, second = begin(engine, narrow)
    asked = "select * from flowledger_v1.waiting_steps where task_id = %s"
    shared_harness.until(lambda: reader.rows(asked, second.id))

    held = reader.row(asked, second.id)
    limit = reader.row("select * from flowledger_v1.limits")

    assert (held["step"], held["kind"]) == ("a", "slot")
    assert (limit["limit_key"], limit["in_use"], limit["waiting"]) == (held["limit_key"], 1, 1)
    assert reader.row("select * from flowledger_v1.system_health()")["waiting_for_slot"] == 1
    world.go["a"].set()
    assert {first.wait(PATIENCE), second.wait(PATIENCE)} == {TaskState.COMPLETE}


def test_templates_and_shards_are_told(engine: Engine, reader: Reader) -> None:
    templates = reader.rows("select name, steps from flowledger_v1.templates order by name")
    shard = reader.row("select * from flowledger_v1.shards")
    steps = reader.rows(
        "select step, level from flowledger_v1.template_steps where name = 'line' order by level"
    )

    assert [row["name"] for row in templates] == ["line", "narrow", "patient"]
    assert {row["steps"] for row in templates} == {2}
    assert [tuple(row.values()) for row in steps] == [("a", 0), ("b", 1)]
    assert (shard["shard"], shard["shards"], shard["led"]) == (0, 1, True)


def test_what_is_submitted_in_a_transaction_is_a_task_at_once(
    harness: EngineHarness,
) -> None:
    engine = harness.open(line, roles=[])
    with harness.connect() as connection:
        submitted = engine.submit(line, {"world": "none"}, connection=connection, priority=3)
    with reading(harness) as reader:
        row = reader.row("select * from flowledger_v1.tasks")
        health = reader.row("select * from flowledger_v1.system_health()")

    assert (row["task_id"], row["state"], row["template"]) == (submitted.id, "submitted", "line")
    assert (row["priority"], row["correlation_id"]) == (3, str(submitted.id))
    assert health["submitted_tasks"] == 1
