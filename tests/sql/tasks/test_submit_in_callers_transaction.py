"""submit_in_callers_transaction: tasks left to the coordinator, in the transaction of the
caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest

from flowledger.engine.store.connection.arrays import BigintArray, ByteaArray, TextArray, UuidArray
from support.sql_calls import (
    Connection,
    Others,
    call,
    heard,
    log,
    new_id,
    table,
    wait_until_blocked,
)

Pairs = Sequence[tuple[str | None, UUID]]


def arguments(pairs: Pairs, state: bytes = b"{}", encoding: int = 0) -> tuple[Any, ...]:
    return (
        TextArray([identity for identity, _ in pairs]),
        UuidArray([task for _, task in pairs]),
        TextArray(["task.created"] * len(pairs)),
        ByteaArray([state] * len(pairs)),
        BigintArray([encoding] * len(pairs)),
    )


def submit(connection: Connection, *pairs: tuple[str | None, UUID]) -> list[UUID]:
    return call(connection, "submit_in_callers_transaction", *arguments(pairs))


def test_an_identity_that_is_taken_answers_with_its_task_and_stores_nothing(
    connection: Connection,
) -> None:
    one, two, three = new_id(), new_id(), new_id()

    assert submit(connection, ("k", one)) == [one]
    assert submit(connection, ("k", two), (None, three), ("k", two)) == [one, three, one]
    assert stored(connection) == [one, three]


def test_of_two_racing_submitters_of_one_identity_both_get_one_task(
    connection: Connection, others: Others
) -> None:
    one, two = new_id(), new_id()
    with others.begin() as first:
        assert submit(first, ("k", one)) == [one]
        second = others.later("submit_in_callers_transaction", *arguments([("k", two)]))
        wait_until_blocked(connection)

    assert second.result(timeout=30) == [one]
    assert stored(connection) == [one]


def test_a_transaction_that_rolls_back_leaves_nothing(
    connection: Connection, others: Others
) -> None:
    first = others.begin()
    submit(first, ("k", new_id()))
    first.rollback()
    first.close()

    assert stored(connection) == []
    assert table(connection, "identity", "identity") == []


def test_nothing_to_submit_is_no_error(connection: Connection) -> None:
    assert submit(connection) == []


def test_tasks_keep_their_order(connection: Connection) -> None:
    tasks = [new_id() for _ in range(30)][::-1]

    assert submit(connection, *((str(n), task) for n, task in enumerate(tasks))) == tasks
    assert stored(connection) == tasks


def test_the_same_task_twice_is_refused_and_stores_nothing(connection: Connection) -> None:
    task = new_id()

    with pytest.raises(psycopg.errors.UniqueViolation):
        submit(connection, (None, task), ("k", new_id()), (None, task))

    assert stored(connection) == []
    assert table(connection, "identity", "identity") == []


def test_a_submission_is_kept_as_it_is_and_not_in_the_log(connection: Connection) -> None:
    task = new_id()

    call(connection, "submit_in_callers_transaction", *arguments([(None, task)], b"\1\2", 1))

    assert table(connection, "submission", "task_id", "topic", "state", "encoding") == [
        (task, "task.created", b"\1\2", 1)
    ]
    assert log(connection) == []


def test_nobody_waits_for_the_log_while_the_caller_goes_on(
    connection: Connection, others: Others
) -> None:
    with others.begin() as first:
        submit(first, (None, new_id()))

        assert call(connection, "submit_tasks", *arguments([(None, new_id())]))


def test_the_coordinator_hears_of_it_when_the_caller_commits(
    connection: Connection, other: Connection
) -> None:
    given = arguments([(None, new_id())])

    assert heard(other, "submission", connection, "submit_in_callers_transaction", *given) == [""]


def stored(connection: Connection) -> list[UUID]:
    return [row[1] for row in call(connection, "pending_submissions", 100)]
