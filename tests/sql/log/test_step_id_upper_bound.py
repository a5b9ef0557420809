"""step_id_upper_bound: one end of the range in which a task's steps lie."""

from __future__ import annotations

from uuid import UUID

import pytest

from flowledger.engine.domain.deterministic_ids import step_id, uuid7
from support.sql_calls import Connection, call, new_id

LOW_64 = 2**64 - 1


@pytest.mark.parametrize("task", [uuid7(0, 0), uuid7(2**48 - 1, 2**74 - 1), new_id()], ids=str)
def test_it_has_the_first_bits_of_the_steps(connection: Connection, task: UUID) -> None:
    (found,) = call(connection, "step_id_upper_bound", task)

    assert found.int >> 64 == step_id(task, "a").int >> 64
    assert found.int & (2**64 - 1) == LOW_64


def test_no_step_lies_beyond_it(connection: Connection) -> None:
    task = new_id()
    (edge,) = call(connection, "step_id_upper_bound", task)

    assert all(step_id(task, str(n)) <= edge for n in range(500))
