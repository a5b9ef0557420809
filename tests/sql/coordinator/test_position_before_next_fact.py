"""position_before_next_fact: how far a shard may go on without passing over one of its facts."""

from __future__ import annotations

from uuid import UUID

from flowledger.engine.domain.shard_assignment import shard_of
from support.sql_calls import Connection, Others, Row, append, call, new_id

FACT, DECISION = "step.completed", "step.enqueued"


def task_of(shard: int) -> UUID:
    """A task of one of two shards."""
    task = new_id()
    return task if shard_of(task, 2) == shard else task_of(shard)


def passed(connection: Connection, shard: int, after: int = 0) -> int:
    (found,) = call(connection, "position_before_next_fact", shard, 2, after, [FACT])
    return int(found)


def test_on_an_empty_log_one_stays_where_one_is(connection: Connection) -> None:
    assert passed(connection, 0) == 0
    assert passed(connection, 1, 71) == 71


def test_where_no_fact_is_the_shards_own_the_whole_log_is_passed(connection: Connection) -> None:
    positions = append(
        connection, *(Row(new_id(), 1, topic, task=task_of(0)) for topic in (FACT, DECISION))
    )

    assert passed(connection, 1) == positions[-1]
    assert passed(connection, 1, positions[-1]) == positions[-1]


def test_one_stops_right_before_the_first_fact_of_ones_own(connection: Connection) -> None:
    tasks = (task_of(0), task_of(0), task_of(1), task_of(0), task_of(1))
    positions = append(connection, *(Row(new_id(), 1, FACT, task=task) for task in tasks))

    assert passed(connection, 1) == positions[1]
    assert passed(connection, 1, positions[1]) == positions[1]
    assert passed(connection, 1, positions[2]) == positions[3]
    assert passed(connection, 0) == positions[0] - 1


def test_what_is_not_committed_is_not_passed(connection: Connection, others: Others) -> None:
    """Its position is given already; whoever appends next has to wait for it."""
    (before,) = append(connection, Row(new_id(), 1, DECISION))

    with others.begin() as writer:
        append(writer, Row(new_id(), 1, FACT, task=task_of(1)))

        assert passed(connection, 1) == before
