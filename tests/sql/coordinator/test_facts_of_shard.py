"""facts_of_shard: what a shard has to read, in log order."""

from __future__ import annotations

from flowledger.engine.domain.shard_assignment import shard_of
from support.sql_calls import Connection, Row, append, call, new_id

FACT, DECISION = "step.completed", "step.enqueued"


def read(connection: Connection, shard: int, after: int = 0, limit: int | None = 100) -> list[int]:
    return [row[0] for row in call(connection, "facts_of_shard", shard, 3, after, limit, [FACT])]


def test_every_fact_of_a_task_is_in_one_shard_and_in_order(connection: Connection) -> None:
    tasks = [new_id() for _ in range(12)]
    positions = append(connection, *(Row(new_id(), 1, FACT, task=task) for task in tasks))

    for shard in range(3):
        mine = [p for p, task in zip(positions, tasks, strict=True) if shard_of(task, 3) == shard]
        assert read(connection, shard) == mine != []
        assert read(connection, shard, mine[0]) == mine[1:]
        assert read(connection, shard, 0, 2) == mine[:2]
        assert read(connection, shard, 0, None) == mine


def test_a_row_is_one_of_the_log(connection: Connection) -> None:
    stream, task = new_id(), new_id()
    (position,) = append(connection, Row(stream, 7, FACT, b"{}", task))

    (row,) = call(connection, "facts_of_shard", 0, 1, 0, 9, [FACT])

    assert row[:6] == (position, stream, 7, FACT, b"{}", task)
    assert connection.execute("select recorded_at from flowledger.event").fetchone() == (row[6],)


def test_what_concerns_no_task_is_for_every_shard(connection: Connection) -> None:
    (position,) = append(connection, Row(new_id(), 1, FACT))

    assert [read(connection, shard) for shard in range(3)] == [[position]] * 3


def test_other_topics_are_passed_over(connection: Connection) -> None:
    append(connection, Row(new_id(), 1, DECISION), Row(new_id(), 1, DECISION, task=new_id()))

    assert [read(connection, shard) for shard in range(3)] == [[]] * 3
