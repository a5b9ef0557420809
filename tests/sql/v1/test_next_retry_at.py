"""next_retry_at: when a step is tried again."""

from __future__ import annotations

from support.builders import NOON, step, template
from support.sql_calls import Connection, call_public
from support.stored_tasks import given_task

FLOW = template(step("a"), step("b"), step("c"))


def test_a_step_that_waits_for_a_retry_has_its_time(connection: Connection) -> None:
    states = {"a": "waiting_for_retry", "b": "enqueued"}
    rows = [{"step": name, "state": state, "due_at": NOON} for name, state in states.items()]
    task = given_task(connection, FLOW, *rows)

    assert call_public(connection, "next_retry_at", task, "a") == [NOON]
    assert call_public(connection, "next_retry_at", task, "b") == [None]


def test_a_step_that_has_not_begun_has_none(connection: Connection) -> None:
    assert call_public(connection, "next_retry_at", given_task(connection, FLOW), "c") == [None]
