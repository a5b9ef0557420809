"""Explaining a step costs the same however long the queue is."""

from __future__ import annotations

from uuid import UUID

import pytest

from support.sql_calls import Connection, call, new_id, queue, queue_row

LONG, MOST = 60_000, 100
PAGES = 200
"""The queue of the test has some two thousand."""
FILL = """
    insert into flowledger.queue
        (step_id, task_id, template_id, stream_version, sort_key, attempt, resets, step)
    select gen_random_uuid(), gen_random_uuid(), %s, 1, n, 1, 0, 'a'
    from generate_series(1, %s) as n
"""


@pytest.fixture
def task(connection: Connection, mode: str) -> UUID:
    """A task at the end of a long queue of steps that its workers do not take."""
    task, own = new_id(), new_id()
    call(connection, "heartbeat_worker", new_id(), "there", 7, 600.0, [own], 8)
    connection.execute(FILL, (new_id(), LONG))
    queue(connection, queue_row(task, own, "a", sort_key=1e9))
    connection.execute("vacuum analyze flowledger.queue")
    connection.execute(f"set plan_cache_mode = {mode}".encode())
    return task


def pages(connection: Connection, function: str, *arguments: object) -> int:
    """How many pages it touches when it is asked again."""
    asked = f"flowledger.{function}({', '.join(['%s'] * len(arguments))})"
    query = f"explain (analyze, buffers, format json) select * from {asked}"  # noqa: S608 - ours
    for _ in range(2):
        row = connection.execute(query.encode(), arguments).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_a_place_in_a_long_queue_is_told_from_its_front(connection: Connection, task: UUID) -> None:
    (found,) = call(connection, "queued_and_running_steps", task, MOST)

    assert (found[2], found[9]) == (0, True)
    assert pages(connection, "queued_and_running_steps", task, MOST) < PAGES
    assert pages(connection, "workers_for_template", new_id(), False) < PAGES
    assert pages(connection, "workers_for_template", new_id(), True) > 5 * PAGES
