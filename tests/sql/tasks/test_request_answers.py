"""request_answers: what was answered to those of the requests that were."""

from __future__ import annotations

from support.sql_calls import Connection, Row, append, call, new_id


def test_the_second_event_of_a_request_is_its_answer(connection: Connection) -> None:
    task, answered, open_yet = new_id(), new_id(), new_id()
    append(
        connection,
        Row(answered, 1, "task.cancel_requested", b"{}", task),
        Row(answered, 2, "request.granted", b"[1]", task),
        Row(open_yet, 1, "task.cancel_requested", b"{}", task),
    )

    assert call(connection, "request_answers", [answered, open_yet, new_id()]) == [
        (answered, 2, "request.granted", b"[1]", task)
    ]
