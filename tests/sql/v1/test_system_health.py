"""system_health: the engine in one row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.events.step import StepEnqueued
from flowledger.engine.store.log.event_mapper import EventMapper
from support.builders import NOON, event
from support.limits import NO_DEMAND
from support.sql_calls import (
    Connection,
    Row,
    append,
    call,
    claim,
    new_id,
    now,
    queue,
    queue_row,
    renew,
    rows_of,
    step_row,
    table_columns,
    task_row,
)

TEMPLATE = new_id()
NO_TASKS = {f"{state}_tasks": 0 for state in TaskState} | {"paused_tasks": 0, "total_tasks": 0}
NO_STEPS = {f"{state}_steps": 0 for state in StepState} | {"total_steps": 0}


def health(connection: Connection) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        (found,) = cursor.execute("select * from flowledger_v1.system_health()").fetchall()
    return found


def said(connection: Connection, **expected: Any) -> None:
    found = health(connection)
    assert {name: found[name] for name in expected} == expected


def test_nothing_is_wrong_with_a_new_database(connection: Connection) -> None:
    found = health(connection)

    several = ("connections", "max_connections")
    assert {n: v for n, v in found.items() if v and n not in several} == {"shards": 1}
    assert 0 < found["connections"] <= found["max_connections"]
    assert {**NO_TASKS, **NO_STEPS}.items() <= found.items()


def test_tasks_and_steps_are_counted_by_their_states(connection: Connection) -> None:
    connection.execute(
        "insert into flowledger.template (template_id, namespace, name, version, definition_hash,"
        " definition, registered_at) values (%s, 'shop', 'order', '1', '', %s, %s)",
        (TEMPLATE, Jsonb({"steps": [{"name": name} for name in "abcd"]}), NOON),
    )
    states = [state for state in TaskState if state is not TaskState.SUBMITTED]
    tasks = [task_row(new_id(), TEMPLATE, state=s, paused=s == "waiting") for s in states]
    call(connection, "upsert_tasks", rows_of(tasks))
    steps = [step_row(new_id(), state=state) for state in StepState]
    call(connection, "upsert_steps", rows_of(steps))

    said(
        connection,
        **dict.fromkeys([f"{state}_tasks" for state in states], 1),
        paused_tasks=1,
        total_tasks=8,
    )
    # 8 tasks of 4 steps, 8 of which have a row and are not pending.
    said(
        connection,
        **dict.fromkeys([f"{state}_steps" for state in StepState if state != "pending"], 1),
        pending_steps=24,
        total_steps=32,
    )


def test_a_submission_is_a_task_that_nobody_has_seen(connection: Connection) -> None:
    connection.execute(
        "insert into flowledger.submission (task_id, encoding, topic, state)"
        " values (%s, 0, 'task.created', '{}')",
        (new_id(),),
    )

    said(connection, submitted_tasks=1, total_tasks=0)


def test_retries_are_due_or_wait_for_their_time(connection: Connection) -> None:
    task, moment = new_id(), now(connection)
    for name, seconds in (("a", -1), ("b", 600), ("c", 700)):
        due_at = moment + timedelta(seconds=seconds)
        row = step_row(task, name, state="waiting_for_retry", due_at=due_at)
        call(connection, "upsert_steps", rows_of([row]))
    said(connection, waiting_for_retry_steps=3, retry_due_steps=1, backoff_steps=2)

    call(connection, "advance_test_clock", timedelta(seconds=650))

    said(connection, waiting_for_retry_steps=3, retry_due_steps=2, backoff_steps=1)


def test_the_first_in_the_queue_says_how_long_it_waits_without_what_its_priority_is_worth(
    connection: Connection,
) -> None:
    at = now(connection)
    for seconds, priority in ((90, 0), (20, 300)):
        task = new_id()
        when = at - timedelta(seconds=seconds)
        queued = event(StepEnqueued, step="a").model_copy(update={"occurred_at": when})
        append(
            connection,
            Row(step_id(task, "a"), 1, "step.enqueued", EventMapper().payload(queued), task),
        )
        sort_key = when.timestamp() - priority
        queue(connection, queue_row(task, TEMPLATE, sort_key=sort_key))
    waited = health(connection)["first_wait_seconds"]
    claim(connection, new_id(), [TEMPLATE], 1)

    assert 20 <= waited < 30
    assert 90 <= health(connection)["first_wait_seconds"] < 100
    view = "select queued_at from flowledger_v1.queue order by sort_key"
    found = [row[0] for row in connection.execute(view)]
    assert found == [at - timedelta(seconds=20), at - timedelta(seconds=90)]


def test_an_empty_queue_makes_nobody_wait(connection: Connection) -> None:
    said(connection, first_wait_seconds=None)


def test_what_is_held_is_told_by_what_holds_it(connection: Connection) -> None:
    rows = [
        {
            "step_id": new_id(),
            "task_id": new_id(),
            "step": "a",
            "kind": kind,
            "limit_key": "k",
            "sort_key": 0,
            "since": NOON,
            "until": None,
            "demand": NO_DEMAND,
        }
        for kind in ("slot", "rate", "rate", "circuit", "template")
    ]
    call(connection, "store_waiting_steps", rows_of(rows))

    said(
        connection,
        waiting_for_slot=1,
        waiting_for_rate=2,
        waiting_for_circuit=1,
        waiting_for_template=1,
    )


def test_only_the_living_are_counted(connection: Connection) -> None:
    worn, exclusive, dead = new_id(), new_id(), new_id()
    for worker in (worn, exclusive, new_id()):
        renew(connection, worker, 60)
    renew(connection, dead, -1)
    call(connection, "set_worker_stuck", worn, True)
    connection.execute(
        "update flowledger.worker set condition = 'isolated' where worker_id = %s", (exclusive,)
    )
    call(connection, "heartbeat_coordinator", new_id(), "here", 1, 60.0)
    call(connection, "heartbeat_coordinator", new_id(), "here", 2, -1.0)

    said(connection, workers_live=3, workers_stuck=1, workers_isolated=1, coordinators_live=1)


def test_shards_are_told_with_what_is_left_to_decide(connection: Connection) -> None:
    call(connection, "set_shard_count", 3, call(connection, "fact_topics")[0])
    leader = new_id()
    call(connection, "heartbeat_coordinator", leader, "here", 1, 60.0)
    call(connection, "acquire_shard_lease", 0, leader, 60.0, 3)
    call(connection, "acquire_shard_lease", 2, new_id(), 60.0, 3)
    call(connection, "acquire_shard_lease", 1, new_id(), -1.0, 3)
    append(connection, *(Row(new_id(), 1, "step.completed", task=new_id()) for _ in range(5)))
    append(connection, *(Row(new_id(), 1, "step.enqueued", task=new_id()) for _ in range(5)))

    said(connection, shards=3, shards_led=1, facts_behind=5)


def test_circuits_are_told_by_their_state(connection: Connection) -> None:
    for system, state in (("a", "open"), ("b", "half_open"), ("c", "closed"), ("d", "open")):
        connection.execute(
            "insert into flowledger.circuit values (%s, 1, %s, 0, 0, null, '{}', 1)",
            (system, state),
        )

    said(connection, circuits_open=2, circuits_half_open=1)


def test_every_counter_of_the_tally_is_told(connection: Connection) -> None:
    told = health(connection)
    counters = [c.partition("_") for c in table_columns(connection, "state_count") if c != "shard"]

    missing = [f"{state}_{kind}" for kind, _, state in counters if f"{state}_{kind}" not in told]
    assert missing == ["of_tasks_steps"]  # which is total_steps
