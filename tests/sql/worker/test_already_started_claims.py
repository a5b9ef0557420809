"""already_started_claims: claims of steps that the claiming worker has run already."""

from __future__ import annotations

from uuid import UUID

import pytest

from flowledger.engine.store.connection.arrays import BigintArray, UuidArray
from support.sql_calls import Connection, Row, append, call, new_id


@pytest.fixture
def started(connection: Connection) -> UUID:
    """A step that is enqueued at version 1 and started at 2."""
    step = new_id()
    append(connection, Row(step, 1, "step.enqueued"), Row(step, 2))
    return step


def outrun(connection: Connection, claims: dict[UUID, int], *facts: tuple[UUID, int]) -> list[UUID]:
    streams, versions = [step for step, _ in facts], [version for _, version in facts]
    (found,) = call(
        connection,
        "already_started_claims",
        UuidArray(list(claims)),
        BigintArray(list(claims.values())),
        UuidArray(streams),
        BigintArray(versions),
    )
    return list(found)


def test_a_claim_whose_start_is_stored_and_followed_by_a_fact_is_outrun(
    connection: Connection, started: UUID
) -> None:
    other = new_id()

    assert outrun(connection, {started: 2, other: 2}, (started, 3)) == [started]
    assert outrun(connection, {started: 2}, (started, 4)) == [started]


def test_a_claim_whose_start_is_not_stored_is_not_outrun(
    connection: Connection, started: UUID
) -> None:
    """A crash of the server lost the start, or the step was queued anew behind its end."""
    assert outrun(connection, {started: 3}, (started, 4)) == []
    assert outrun(connection, {new_id(): 2}, (new_id(), 3)) == []


def test_a_fact_before_the_start_outruns_nothing(connection: Connection, started: UUID) -> None:
    assert outrun(connection, {started: 2}, (started, 2)) == []
    assert outrun(connection, {started: 2}) == []
