"""greatest_step_id: one end of the range in which a task's steps lie."""

from __future__ import annotations

from uuid import UUID

import pytest
from board import Connection, call, new_id

from flowledger.engine.domain.ids import step_id, uuid7

EDGE = UUID(int=0b10 << 62 | 2**62 - 1)


@pytest.mark.parametrize("task", [uuid7(0, 0), uuid7(2**48 - 1, 2**74 - 1), new_id()], ids=str)
def test_it_is_a_step_id_with_the_bits_of_the_task(connection: Connection, task: UUID) -> None:
    (found,) = call(connection, "greatest_step_id", task)

    assert (found.version, found.variant) == (8, EDGE.variant)
    assert found == UUID(int=step_id(task, "a").int & ~(2**62 - 1) | EDGE.int & (2**62 - 1))


def test_no_step_lies_beyond_it(connection: Connection) -> None:
    task = new_id()
    (edge,) = call(connection, "greatest_step_id", task)

    assert all(step_id(task, str(n)) <= edge for n in range(500))
