"""report_outcomes: a worker's facts with the release of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.store.connection.arrays import UuidArray
from support.sql_calls import (
    Connection,
    Row,
    append,
    call,
    claim,
    columns,
    drop,
    heard,
    log,
    new_id,
    queue,
    queue_row,
    table,
)

TEMPLATE = new_id()


@pytest.fixture
def task(connection: Connection) -> UUID:
    """A task whose step `a` was enqueued."""
    task = new_id()
    append(connection, Row(step_id(task, "a"), 1, "step.enqueued", b"{}", task))
    queue(connection, queue_row(task, TEMPLATE))
    return task


def report(
    connection: Connection, worker: UUID, rows: Sequence[Row], released: Sequence[UUID] = ()
) -> set[UUID]:
    arguments = (worker, UuidArray(released), *columns(rows), "fact")
    (refused,) = call(connection, "report_outcomes", *arguments)
    return set(refused)


def begun(connection: Connection, task: UUID, worker: UUID) -> Row:
    """The worker claims the step and says so; the row of the outcome."""
    ((step, _, _, version, *_),) = claim(connection, worker, [TEMPLATE], 1)
    start = Row(step, version + 1, "step.started", b"{}", task)
    assert report(connection, worker, [start]) == set()
    return start.at(version + 2, topic="step.completed")


def test_a_start_keeps_the_step_and_an_outcome_releases_it(
    connection: Connection, task: UUID
) -> None:
    worker = new_id()
    outcome = begun(connection, task, worker)
    assert table(connection, "queue", "worker_id") == [worker]

    assert report(connection, worker, [outcome], [outcome.stream]) == set()

    assert table(connection, "queue", "worker_id") == []
    assert [version for _, version in log(connection)] == [1, 2, 3]


def test_what_was_taken_away_meanwhile_is_refused_and_the_step_is_let_go(
    connection: Connection, task: UUID
) -> None:
    worker = new_id()
    outcome = begun(connection, task, worker)
    append(connection, outcome.at(3, topic="step.lease_expired", state=b"x"))

    assert report(connection, worker, [outcome], [outcome.stream]) == {outcome.stream}

    assert table(connection, "queue", "step_id") == []


def test_a_refused_start_lets_the_step_go(connection: Connection, task: UUID) -> None:
    worker = new_id()
    step = step_id(task, "a")
    append(connection, Row(step, 2, "step.failed", b"x", task))
    claim(connection, worker, [TEMPLATE], 1)

    assert report(connection, worker, [Row(step, 2, task=task)]) == {step}
    assert table(connection, "queue", "step_id") == []


@pytest.mark.parametrize("claimant", ["nobody", "another worker"])
def test_a_step_that_was_queued_anew_stays_whoever_has_it_now(
    connection: Connection, task: UUID, claimant: str
) -> None:
    worker = new_id()
    outcome = begun(connection, task, worker)
    expired_and_queued_anew(connection, task, outcome)
    if claimant == "another worker":
        begun(connection, task, new_id())

    assert report(connection, worker, [outcome], [outcome.stream]) == {outcome.stream}

    assert len(table(connection, "queue", "step_id")) == 1


def test_a_late_outcome_does_not_release_the_same_workers_next_attempt(
    connection: Connection, task: UUID
) -> None:
    worker = new_id()
    late = begun(connection, task, worker)
    expired_and_queued_anew(connection, task, late)
    outcome = begun(connection, task, worker)

    assert report(connection, worker, [late], [late.stream]) == {late.stream}

    assert table(connection, "queue", "worker_id") == [worker]
    assert report(connection, worker, [outcome], [outcome.stream]) == set()
    assert table(connection, "queue", "worker_id") == []


@pytest.mark.parametrize("moved_by", ["a signal", "a checkpoint"])
def test_a_step_that_was_moved_on_stays_and_may_be_reported_again(
    connection: Connection, task: UUID, moved_by: str
) -> None:
    worker = new_id()
    outcome = begun(connection, task, worker)
    if moved_by == "a signal":
        append(connection, outcome.at(3, topic="step.cancel_signalled", state=b"x"))
        call(connection, "signal_cancel", [outcome.stream])
    else:
        call(connection, "checkpoint_step", worker, outcome.stream, 1, b"x", 0)

    assert report(connection, worker, [outcome], [outcome.stream]) == {outcome.stream}
    assert table(connection, "queue", "worker_id") == [worker]

    assert report(connection, worker, [outcome.at(4)], [outcome.stream]) == set()
    assert table(connection, "queue", "worker_id") == []


def test_one_refused_step_leaves_its_neighbours_released(connection: Connection) -> None:
    worker = new_id()
    tasks = [new_id() for _ in range(3)]
    for each in tasks:
        append(connection, Row(step_id(each, "a"), 1, task=each))
        queue(connection, queue_row(each, TEMPLATE))
    outcomes = [begun(connection, each, worker) for each in tasks]
    append(connection, outcomes[1].at(3, state=b"x"))

    refused = report(connection, worker, outcomes, [row.stream for row in outcomes])

    assert refused == {outcomes[1].stream}
    assert table(connection, "queue", "step_id") == []


def test_a_report_whose_answer_was_lost_may_be_made_again(
    connection: Connection, task: UUID
) -> None:
    worker = new_id()
    outcome = begun(connection, task, worker)
    report(connection, worker, [outcome], [outcome.stream])

    assert report(connection, worker, [outcome], [outcome.stream]) == set()
    assert len(log(connection)) == 3


def test_the_coordinator_hears_of_facts(
    connection: Connection, other: Connection, task: UUID
) -> None:
    worker = new_id()
    outcome = begun(connection, task, worker)
    arguments = (worker, UuidArray([outcome.stream]), *columns([outcome]), "fact")

    assert heard(other, "fact", connection, "report_outcomes", *arguments) == [""]


def expired_and_queued_anew(connection: Connection, task: UUID, late: Row) -> None:
    append(
        connection,
        late.at(late.version, topic="step.lease_expired", state=b"x"),
        late.at(late.version + 1, topic="step.enqueued", state=b"x"),
    )
    drop(connection, late.stream)
    queue(connection, queue_row(task, TEMPLATE, version=late.version + 1, attempt=2))
