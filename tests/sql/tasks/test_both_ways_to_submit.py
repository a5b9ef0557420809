"""What is the same of both ways to submit: at once, and in the transaction of the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

import pytest

from support.sql_calls import (
    Connection,
    Others,
    call,
    log,
    new_id,
    submissions,
    table,
    wait_until_blocked,
)


class Way(NamedTuple):
    """A function that submits, and what is stored after it."""

    function: str
    stored: Callable[[Connection], list[UUID]]

    def submit(self, connection: Connection, *pairs: tuple[str | None, UUID]) -> list[UUID]:
        rows = call(connection, self.function, *submissions(pairs))
        return [row if isinstance(row, UUID) else row[0] for row in rows]


def created(connection: Connection) -> list[UUID]:
    return [task for task, _ in log(connection)]


def pending(connection: Connection) -> list[UUID]:
    return [row[1] for row in call(connection, "pending_submissions", 100)]


WAYS = (Way("submit_tasks", created), Way("submit_in_callers_transaction", pending))


@pytest.fixture(params=WAYS, ids=lambda way: way.function)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


def test_an_identity_that_is_taken_answers_with_its_task_and_stores_nothing(
    connection: Connection, way: Way
) -> None:
    one, two, three = new_id(), new_id(), new_id()

    assert way.submit(connection, ("k", one)) == [one]
    assert way.submit(connection, ("k", two), (None, three), ("k", two)) == [one, three, one]
    assert way.stored(connection) == [one, three]


def test_of_two_racing_submitters_of_one_identity_both_get_one_task(
    connection: Connection, others: Others, way: Way
) -> None:
    one, two = new_id(), new_id()
    with others.begin() as first:
        assert way.submit(first, ("k", one)) == [one]
        second = others.later(way.function, *submissions([("k", two)]))
        wait_until_blocked(connection)

    assert second.result(timeout=30) in ([one], [(one, None, None)])
    assert way.stored(connection) == [one]


def test_a_transaction_that_rolls_back_leaves_nothing(
    connection: Connection, others: Others, way: Way
) -> None:
    first = others.begin()
    way.submit(first, ("k", new_id()))
    first.rollback()
    first.close()

    assert way.stored(connection) == []
    assert table(connection, "identity", "identity") == []


def test_nothing_to_submit_is_no_error(connection: Connection, way: Way) -> None:
    assert way.submit(connection) == []


def test_tasks_keep_their_order(connection: Connection, way: Way) -> None:
    tasks = [new_id() for _ in range(30)][::-1]

    assert way.submit(connection, *((str(n), task) for n, task in enumerate(tasks))) == tasks
    assert way.stored(connection) == tasks
