"""tasks_waiting_to_begin: of each template the first of its pending tasks."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from flowledger.engine.domain.shard_assignment import shard_of
from support.builders import NOON
from support.sql_calls import Connection, call, new_id, park, rows_of, task_row

ONE, OTHER = sorted(new_id() for _ in range(2))


def waiting(connection: Connection, template: UUID, *ages: int, priority: int = 0) -> list[UUID]:
    """Pending tasks, created so many seconds after noon."""
    tasks = [new_id() for _ in ages]
    rows = [
        task_row(
            task,
            template,
            state="pending",
            created_at=NOON + timedelta(seconds=age),
            priority=priority,
        )
        for task, age in zip(tasks, ages, strict=True)
    ]
    call(connection, "upsert_tasks", rows_of(rows))
    return tasks


def test_each_template_has_a_line_of_its_own(connection: Connection) -> None:
    late, early = waiting(connection, ONE, 2, 1)
    (other,) = waiting(connection, OTHER, 3)

    found = call(connection, "tasks_waiting_to_begin", 10, [], 60.0, 0, 1)

    assert found == [(ONE, early), (ONE, late), (OTHER, other)]
    assert call(connection, "tasks_waiting_to_begin", 1, [], 60.0, 0, 1) == [found[0], found[2]]
    assert call(connection, "tasks_waiting_to_begin", 9, [ONE], 60.0, 0, 1) == [found[2]]


def test_priorities_are_merged_by_what_they_are_worth(connection: Connection) -> None:
    (high,) = waiting(connection, ONE, 50, priority=1)
    first, last = waiting(connection, ONE, 0, 100)
    (low,) = waiting(connection, ONE, 0, priority=-2)

    found = call(connection, "tasks_waiting_to_begin", 10, [], 60.0, 0, 1)

    assert [task for _, task in found] == [high, first, last, low]
    assert call(connection, "tasks_waiting_to_begin", 2, [], 60.0, 0, 1) == found[:2]


def test_each_shard_has_its_own(connection: Connection) -> None:
    tasks = waiting(connection, ONE, *range(12))

    for shard in range(3):
        found = call(connection, "tasks_waiting_to_begin", 2, [], 60.0, shard, 3)
        mine = [task for task in tasks if shard_of(task, 3) == shard]
        assert [task for _, task in found] == mine[:2] != []


def test_parked_tasks_keep_nobody_from_beginning(connection: Connection) -> None:
    parked, next_one = waiting(connection, ONE, 0, 1)
    park(connection, parked)

    assert call(connection, "tasks_waiting_to_begin", 1, [], 60.0, 0, 1) == [(ONE, next_one)]


def test_a_time_at_the_end_of_times_is_last(connection: Connection) -> None:
    (first,) = waiting(connection, ONE, 0)
    last = new_id()
    row = task_row(last, ONE, state="pending", created_at="infinity")
    call(connection, "upsert_tasks", rows_of([row]))

    found = call(connection, "tasks_waiting_to_begin", 10, [], 60.0, 0, 1)

    assert found == [(ONE, first), (ONE, last)]
