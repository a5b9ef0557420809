"""failure_traceback: where a generation raised on an event."""

from __future__ import annotations

from support.generation_rows import lead, make, park
from support.sql_calls import Connection, call

WHERE = 'File "spend.py", line 7\nValueError: broken'


def test_of_the_event_at_which_it_stands(connection: Connection) -> None:
    make(connection)
    fail = ("record_failed_event", "money", 1, lead(connection), 7, "broken", WHERE)
    call(connection, *fail)

    assert call(connection, "failure_traceback", "money", 1, 7) == [WHERE]
    assert call(connection, "failure_traceback", "money", 1, 8) == [None]
    assert call(connection, "failure_traceback", "money", 2, 7) == [None]


def test_of_an_event_that_was_put_aside(connection: Connection) -> None:
    make(connection)
    park(connection, 3, traceback=WHERE)
    park(connection, 5)

    assert call(connection, "failure_traceback", "money", 1, 3) == [WHERE]
    assert call(connection, "failure_traceback", "money", 1, 5) == [None]


def test_what_failed_again_has_a_new_one(connection: Connection) -> None:
    make(connection)
    park(connection, 3, traceback=WHERE)

    call(connection, "record_parked_outcomes", "money", 1, [], [3], "broken again", "elsewhere")

    assert call(connection, "failure_traceback", "money", 1, 3) == ["elsewhere"]
