"""template_is_registered: whether a template has its row."""

from __future__ import annotations

from support.builders import diamond
from support.sql_calls import Connection, call, new_id
from support.stored_tasks import register


def test_a_template_is_registered_as_long_as_it_has_its_row(connection: Connection) -> None:
    template = register(connection, diamond())
    assert call(connection, "template_is_registered", template) == [True]
    assert call(connection, "template_is_registered", new_id()) == [False]

    connection.execute("delete from flowledger.template")

    assert call(connection, "template_is_registered", template) == [False]
