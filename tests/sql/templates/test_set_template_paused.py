"""set_template_paused: the event and the row together, once."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, call, heard, log, new_id, table

TEMPLATE = new_id()


@pytest.fixture(autouse=True)
def _registered(connection: Connection) -> None:
    names = (TEMPLATE, "shop", "order", "1", "v1:sha256:0", "{}")
    call(connection, "register_template", *names, "template.registered", b"{}", 0)


def pause(connection: Connection, template: object = TEMPLATE, *, paused: bool = True) -> bool:
    topic = "template.paused" if paused else "template.resumed"
    (changed,) = call(connection, "set_template_paused", template, paused, topic, b"{}", 0)
    return bool(changed)


def test_the_event_is_the_next_of_the_templates_stream(connection: Connection) -> None:
    assert pause(connection)
    assert pause(connection, paused=False)

    assert log(connection) == [(TEMPLATE, 1), (TEMPLATE, 2), (TEMPLATE, 3)]
    assert table(connection, "template", "paused") == [False]


def test_what_is_so_already_is_not_done_again(connection: Connection) -> None:
    pause(connection)

    assert not pause(connection)
    assert log(connection) == [(TEMPLATE, 1), (TEMPLATE, 2)]
    assert table(connection, "template", "paused") == [True]


def test_an_unknown_template_is_not_paused(connection: Connection) -> None:
    assert not pause(connection, new_id())
    assert len(log(connection)) == 1


def test_coordinators_hear_of_it(connection: Connection, other: Connection) -> None:
    arguments = (TEMPLATE, True, "template.paused", b"{}", 0)

    assert heard(other, "fact", connection, "set_template_paused", *arguments) == [""]
