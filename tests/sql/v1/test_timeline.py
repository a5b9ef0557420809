"""flowledger_v1.timeline: the attempts of a task, in order."""

from __future__ import annotations

from support.read_model_rows import attempt_row, called, now, task_row
from support.sql_calls import Connection, Row, append


def test_attempts_are_told_in_the_order_in_which_they_began(connection: Connection) -> None:
    task = task_row(connection, 60)
    append(connection, Row(task, 1, "task.created", b"{}", task))
    attempt_row(connection, 5, task_id=task, opened=9, step="pack", attempt=2)
    attempt_row(connection, 3, task_id=task, opened=4, outcome="failed", error_message="no")
    attempt_row(connection, 7)

    pay, pack = called(connection, "timeline", task)

    assert (pay["step"], pay["outcome"], pay["error_message"]) == ("pay", "failed", "no")
    assert (pay["run_seconds"], pay["queue_seconds"]) == (3, 2)
    assert round(pay["offset_seconds"]) == 60 - 3 - 2
    assert (pack["step"], pack["attempt"], pack["position"]) == ("pack", 2, 9)


def test_what_has_not_ended_or_was_never_queued_has_no_times(connection: Connection) -> None:
    task = task_row(connection, 60, ended_at=None)
    append(connection, Row(task, 1, "task.created", b"{}", task))
    attempt_row(connection, 5, task_id=task, opened=1, ended_at=None, outcome=None)
    settled = {"enqueued_at": None, "started_at": None, "outcome": "skipped"}
    attempt_row(connection, 5, task_id=task, opened=2, **settled)

    runs, skipped = called(connection, "timeline", task)

    assert (runs["outcome"], runs["run_seconds"]) == (None, None)
    assert (skipped["queue_seconds"], skipped["run_seconds"]) == (None, None)
    assert skipped["offset_seconds"] is not None
    assert now(connection)
