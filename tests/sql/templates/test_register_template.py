"""register_template: a definition once, and the hash that holds."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from support.sql_calls import Connection, Others, call, log, new_id, table, wait_until_blocked


def arguments(template: UUID, definition_hash: str = "h1", name: str = "order") -> tuple[Any, ...]:
    return (
        *(template, "shop", name, "1", definition_hash, '{"steps": []}'),
        *("template.registered", b"{}", 0),
    )


def test_a_definition_is_recorded_with_its_event(connection: Connection) -> None:
    template = new_id()

    assert call(connection, "register_template", *arguments(template)) == ["h1"]

    fields = ("template_id", "namespace", "name", "version", "definition_hash", "definition")
    assert table(connection, "template", *fields) == [
        (template, "shop", "order", "1", "h1", {"steps": []})
    ]
    assert log(connection) == [(template, 1)]


def test_the_same_definition_again_changes_nothing(connection: Connection) -> None:
    template = new_id()

    found = [call(connection, "register_template", *arguments(template)) for _ in range(2)]

    assert found == [["h1"], ["h1"]]
    assert len(log(connection)) == 1


def test_another_definition_is_told_which_one_holds(connection: Connection) -> None:
    template = new_id()
    call(connection, "register_template", *arguments(template))

    assert call(connection, "register_template", *arguments(template, "h2")) == ["h1"]
    assert table(connection, "template", "definition_hash") == ["h1"]
    assert len(log(connection)) == 1


def test_of_two_racing_definitions_one_holds_for_both(
    connection: Connection, others: Others
) -> None:
    template = new_id()
    with others.begin() as first:
        assert call(first, "register_template", *arguments(template)) == ["h1"]
        second = others.later("register_template", *arguments(template, "h2"))
        wait_until_blocked(connection)

    assert second.result(timeout=30) == ["h1"]
    assert len(log(connection)) == 1
