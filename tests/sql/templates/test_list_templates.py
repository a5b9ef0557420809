"""list_templates: every one, by name."""

from __future__ import annotations

from support.sql_calls import Connection, call, new_id


def test_templates_come_in_the_order_of_their_names(connection: Connection) -> None:
    names = [("shop", "order", "2"), ("bank", "transfer", "1"), ("shop", "order", "10")]
    for namespace, name, version in names:
        call(
            connection,
            "register_template",
            *(new_id(), namespace, name, version, f"hash of {name}", "{}"),
            *("template.registered", b"{}", 0),
        )

    assert call(connection, "list_templates") == [
        ("bank", "transfer", "1", "hash of transfer"),
        ("shop", "order", "10", "hash of order"),
        ("shop", "order", "2", "hash of order"),
    ]
