"""report_and_claim: a worker's claims, starts and facts in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine.domain.deterministic_ids import step_id
from support.sql_calls import (
    PATIENCE,
    Connection,
    Others,
    Row,
    append,
    call,
    columns,
    log,
    new_id,
    queue,
    queue_row,
    renew,
    table,
    wait_until_blocked,
)

TEMPLATE = new_id()


@pytest.fixture
def tasks(connection: Connection) -> list[UUID]:
    """Three tasks, the step `a` of each enqueued."""
    definition = (TEMPLATE, "shop", "order", "1", "hash", "{}", "template.registered", b"{}", 0)
    call(connection, "register_template", *definition)
    tasks = [new_id() for _ in range(3)]
    for task in tasks:
        append(connection, Row(step_id(task, "a"), 1, "step.enqueued", b"{}", task))
        queue(connection, queue_row(task, TEMPLATE))
    return tasks


def exchange(
    connection: Connection, worker: UUID, limit: int, rows: Sequence[Row] = ()
) -> tuple[Any, ...]:
    if worker not in table(connection, "worker", "worker_id"):
        renew(connection, worker, 36_000)
    arguments = (worker, [TEMPLATE], limit, new_id(), *columns(rows), "fact")
    (answer,) = call(connection, "report_and_claim", *arguments)
    return tuple(answer)


def outcome(task: UUID, version: int = 3) -> Row:
    return Row(step_id(task, "a"), version, "step.completed", b"{}", task)


def test_each_start_is_an_event_of_its_own(connection: Connection, tasks: list[UUID]) -> None:
    exchange(connection, new_id(), 3)

    starts = connection.execute(
        "select substr(state, 2, 16) from flowledger.event where topic = 'step.started'"
    ).fetchall()
    assert len(starts) == len(set(starts)) == len(tasks)


def test_claims_are_started_in_the_log_and_leased(
    connection: Connection, tasks: list[UUID]
) -> None:
    worker = new_id()

    refused, steps, of_tasks, templates, versions, attempts, names, correlations, resets, times = (
        exchange(connection, worker, 2)
    )

    assert refused == []
    assert steps == [step_id(task, "a") for task in tasks[:2]]
    assert (of_tasks, templates, versions) == (tasks[:2], [TEMPLATE] * 2, [2, 2])
    assert (attempts, names, correlations) == ([1, 1], ["a", "a"], [str(t) for t in tasks[:2]])
    assert resets == [0, 0]
    assert len(times) == 2
    assert log(connection)[-2:] == [(step, 2) for step in steps]
    assert table(connection, "queue", "worker_id").count(worker) == 2


def test_outcomes_release_and_new_claims_are_started_in_one_go(
    connection: Connection, tasks: list[UUID]
) -> None:
    worker = new_id()
    exchange(connection, worker, 1)

    refused, steps, *_ = exchange(connection, worker, 1, [outcome(tasks[0])])

    assert refused == []
    assert steps == [step_id(tasks[1], "a")]
    assert log(connection)[-2:] == [(step_id(tasks[0], "a"), 3), (step_id(tasks[1], "a"), 2)]
    assert len(table(connection, "queue", "step_id")) == 2


def test_a_claim_whose_stream_has_moved_is_refused_and_leaves_the_queue(
    connection: Connection, tasks: list[UUID]
) -> None:
    moved = step_id(tasks[0], "a")
    append(connection, Row(moved, 2, "step.timed_out", b"{}", tasks[0]))

    refused, steps, *_ = exchange(connection, new_id(), 3)

    assert refused == [moved]
    assert set(steps) == {step_id(task, "a") for task in tasks}
    assert moved not in table(connection, "queue", "step_id")


def test_a_fact_about_a_step_that_is_claimed_anew_is_left_out(
    connection: Connection, tasks: list[UUID]
) -> None:
    first = step_id(tasks[0], "a")

    refused, steps, *_ = exchange(connection, new_id(), 1, [outcome(tasks[0])])

    assert (refused, steps) == ([], [first])
    assert log(connection)[-1] == (first, 2)
    assert first in table(connection, "queue", "step_id")


def test_a_claim_of_a_step_that_the_worker_has_run_is_dropped_and_the_fact_is_kept(
    connection: Connection, tasks: list[UUID]
) -> None:
    """Its row was lost, and put back before the coordinator had seen the start."""
    first, second = step_id(tasks[0], "a"), step_id(tasks[1], "a")
    append(connection, Row(first, 2, "step.started", b"{}", tasks[0]))

    refused, steps, *others, _ = exchange(connection, new_id(), 2, [outcome(tasks[0])])

    assert (refused, steps) == ([], [second])
    assert others == [[tasks[1]], [TEMPLATE], [2], [1], ["a"], [str(tasks[1])], [0]]
    assert log(connection)[-2:] == [(first, 3), (second, 2)]
    assert first not in table(connection, "queue", "step_id")


def test_where_every_claim_is_dropped_the_facts_are_kept(
    connection: Connection, tasks: list[UUID]
) -> None:
    first = step_id(tasks[0], "a")
    append(connection, Row(first, 2, "step.started", b"{}", tasks[0]))

    refused, steps, *_ = exchange(connection, new_id(), 1, [outcome(tasks[0])])

    assert (refused, steps) == ([], [])
    assert log(connection)[-1] == (first, 3)


def test_nothing_to_claim_and_nothing_to_report_writes_nothing(connection: Connection) -> None:
    assert exchange(connection, new_id(), 5)[1] is None

    assert log(connection) == []


def test_steps_of_a_template_without_a_row_are_left_and_facts_are_stored_all_the_same(
    connection: Connection, tasks: list[UUID]
) -> None:
    worker = new_id()
    exchange(connection, worker, 1)
    connection.execute("delete from flowledger.template")

    refused, steps, *_ = exchange(connection, worker, 2, [outcome(tasks[0])])

    assert (refused, steps) == ([], None)
    assert log(connection)[-1] == (step_id(tasks[0], "a"), 3)


def test_no_start_is_before_its_step_was_queued_which_may_be_while_the_claim_is_under_way(
    connection: Connection, tasks: list[UUID], others: Others
) -> None:
    """The coordinator's clock may be ahead, and its transaction may end in the middle of this."""
    queued, ahead, worker = new_id(), 4_000_000_000_000_000, new_id()
    state = b"\x01" + new_id().bytes + ahead.to_bytes(8) + b"{}"
    renew(connection, worker, 36_000)

    with others.begin() as coordinator:
        coordinator.execute("lock table flowledger.worker in access exclusive mode")
        asked = (worker, [TEMPLATE], 4, new_id(), *columns([]), "fact")
        claimed = others.later("report_and_claim", *asked)
        wait_until_blocked(connection)
        append(coordinator, Row(step_id(queued, "a"), 1, "step.enqueued", state, queued))
        queue(coordinator, queue_row(queued, TEMPLATE))

    ((_, steps, *_, times),) = claimed.result(PATIENCE)
    assert set(steps) == {step_id(task, "a") for task in (*tasks, queued)}
    assert [times[steps.index(step_id(queued, "a"))]] == [ahead]
