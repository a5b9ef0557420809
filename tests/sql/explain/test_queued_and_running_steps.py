"""queued_and_running_steps: who holds them, and who comes before them."""

from __future__ import annotations

from uuid import UUID

from support.sql_calls import Connection, call, claim, new_id, queue, queue_row


def serve(connection: Connection, *templates: UUID) -> UUID:
    """A worker of these templates."""
    worker = new_id()
    call(connection, "heartbeat_worker", worker, "there", 7, 30.0, list(templates), 8)
    return worker


def before(connection: Connection, task: UUID, most: int = 100) -> dict[str, int | None]:
    """How many come before each step."""
    return {row[0]: row[2] for row in call(connection, "queued_and_running_steps", task, most)}


def test_what_the_same_workers_claim_first_is_counted(connection: Connection) -> None:
    task, other, mine, shared, foreign = (new_id() for _ in range(5))
    serve(connection, mine, shared)
    serve(connection, foreign)
    queue(
        connection,
        queue_row(other, mine, "a", sort_key=1.0),
        queue_row(other, shared, "b", sort_key=2.0),
        queue_row(other, foreign, "c", sort_key=3.0),
        queue_row(task, mine, "a", sort_key=4.0),
        queue_row(task, mine, "b", sort_key=4.0),
        queue_row(other, mine, "d", sort_key=5.0),
    )

    assert before(connection, task) == {"a": 2, "b": 3}
    assert before(connection, task, 1) == {"a": 1, "b": 1}
    call(connection, "advance_test_clock", "1 hour")
    assert before(connection, task) == {"a": 1, "b": 2}, "only its own where no worker is alive"


def test_a_step_in_hand_names_its_worker_and_has_nobody_before_it(connection: Connection) -> None:
    task, template = new_id(), new_id()
    queue(
        connection, queue_row(task, template, "a"), queue_row(new_id(), template, "x", sort_key=9.0)
    )
    worker = serve(connection, template)
    claim(connection, worker, [template], 1)

    ((step, exclusive, count, *place),) = call(connection, "queued_and_running_steps", task, 100)

    assert (step, exclusive, count) == ("a", False, None)
    assert place[:3] == [worker, "there", 7]
    assert place[3] < place[4]
    connection.execute("update flowledger.worker set lease_until = '-infinity'")
    assert call(connection, "queued_and_running_steps", task, 100)[0][7] is None
    connection.execute("delete from flowledger.worker")
    assert call(connection, "queued_and_running_steps", task, 100)[0][3:8] == (
        worker,
        *[None] * 4,
    )


def test_in_a_long_queue_only_its_beginning_is_looked_at(connection: Connection) -> None:
    task, mine, foreign = new_id(), new_id(), new_id()
    others = (queue_row(new_id(), foreign, sort_key=float(n)) for n in range(21))
    queue(connection, *others, queue_row(new_id(), mine, sort_key=30.0))
    queue(connection, queue_row(task, mine, "a", sort_key=99.0))

    (short,), (long,) = (
        call(connection, "queued_and_running_steps", task, most) for most in (2, 1)
    )

    assert (short[2], short[9]) == (1, False)
    assert (long[2], long[9]) == (0, True), "of the first 20 steps none is its workers'"
