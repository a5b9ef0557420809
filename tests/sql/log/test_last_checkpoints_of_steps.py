"""last_checkpoints_of_steps: what the next attempt of a step goes on from."""

from __future__ import annotations

from support.sql_calls import Connection, Row, append, call, new_id


def test_the_last_one_of_each_step_counts(connection: Connection) -> None:
    task, one, two, none = (new_id() for _ in range(4))
    append(
        connection,
        Row(one, 1, "step.started", task=task),
        Row(one, 2, "step.checkpointed", b"a", task),
        Row(one, 3, "step.checkpointed", b"b", task),
        Row(one, 4, "step.attempt_failed", task=task),
        Row(two, 1, "step.checkpointed", b"c", task),
        Row(none, 1, "step.started", task=task),
    )

    found = sorted(
        call(connection, "last_checkpoints_of_steps", [one, two, none]), key=lambda row: row[3]
    )

    assert found == [
        (one, 3, "step.checkpointed", b"b", task),
        (two, 1, "step.checkpointed", b"c", task),
    ]


def test_a_reset_step_begins_anew(connection: Connection) -> None:
    step = new_id()
    append(connection, Row(step, 1, "step.checkpointed", b"a"), Row(step, 2, "step.reset"))

    assert call(connection, "last_checkpoints_of_steps", [step]) == []
    append(connection, Row(step, 3, "step.checkpointed", b"b"))
    assert [row[3] for row in call(connection, "last_checkpoints_of_steps", [step])] == [b"b"]
