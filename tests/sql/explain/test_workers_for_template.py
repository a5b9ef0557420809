"""workers_for_template: which workers live, whether they take steps of a template, and what they
run.
"""

from __future__ import annotations

from support.builders import diamond
from support.sql_calls import Connection, call, claim, new_id, queue, queue_row
from support.stored_tasks import register


def test_living_workers_tell_what_they_serve_and_how_full_they_are(connection: Connection) -> None:
    template, task, one, two, old, dead = (new_id() for _ in range(6))
    call(connection, "heartbeat_worker", one, "a", 1, 600.0, [template, new_id()], 8)
    call(connection, "heartbeat_worker", two, "b", 2, 600.0, [new_id()], 4)
    call(connection, "heartbeat_worker", old, "c", 3, 600.0)
    call(connection, "heartbeat_worker", dead, "d", 4, 1.0, [template], 8)
    call(connection, "set_worker_stuck", two, True)
    queue(connection, *(queue_row(task, template, name) for name in "abc"))
    claim(connection, one, [template], 2)
    call(connection, "advance_test_clock", "1 minute")

    found = {
        row[0]: (*row[1:3], *row[5:9]) for row in call(connection, "workers_for_template", template)
    }

    assert found == {
        one: ("a", 1, "ready", True, 8, 2),
        two: ("b", 2, "stuck", False, 4, 0),
        old: ("c", 3, "ready", None, None, 0),
    }


def test_a_worker_says_what_it_is_kept_from(connection: Connection) -> None:
    template, other = new_id(), new_id()
    call(connection, "heartbeat_worker", new_id(), "a", 1, 600.0, [other], 8, [template])

    assert call(connection, "workers_for_template", template)[0][10] is True
    assert call(connection, "workers_for_template", other)[0][10] is False


def test_what_they_run_is_counted_only_where_it_is_asked_for(connection: Connection) -> None:
    worker, template = new_id(), new_id()
    call(connection, "heartbeat_worker", worker, "a", 1, 600.0, [template], 8)

    assert call(connection, "workers_for_template", template, True)[0][8] == 0
    assert call(connection, "workers_for_template", template, False)[0][8] is None


def test_a_worker_of_the_same_name_elsewhere_says_what_it_serves(connection: Connection) -> None:
    one, two, other = (
        register(connection, diamond().model_copy(update=changed))
        for changed in ({}, {"version": "2"}, {"name": "else"})
    )
    call(connection, "heartbeat_worker", new_id(), "a", 1, 600.0, [two, other], 8)

    assert call(connection, "workers_for_template", one)[0][9] == ["shop/order@2"]
    assert call(connection, "workers_for_template", two)[0][9] == []
