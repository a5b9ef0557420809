"""excess_grants_on_projections: who may write or own what a projection alone writes."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from support.generation_rows import SPEND, make
from support.sql_calls import Connection, call


@pytest.fixture
def money(connection: Connection) -> Generator[Connection]:
    """A projection, and a login of the name fl_login; roles are the server's, so all is undone."""
    with connection.transaction(force_rollback=True):
        connection.execute("create role fl_login login")
        make(connection)
        yield connection


def faults(connection: Connection) -> list[tuple[str, str]]:
    found = call(connection, "excess_grants_on_projections")
    return sorted((subject, field) for subject, field, *_ in found)


def test_who_may_read_is_for_others_to_say(money: Connection) -> None:
    money.execute("grant select on money.spend, money__1.spend to public, fl_login")
    money.execute("grant select (cents) on money__1.spend to fl_login")
    money.execute("grant usage on schema money, money__1 to public")

    assert faults(money) == []


def test_a_superuser_may_be_granted_anything(money: Connection) -> None:
    money.execute("alter role fl_login superuser")
    money.execute("grant insert on money__1.spend to fl_login")
    money.execute("grant create on schema money to fl_login")

    assert faults(money) == []


@pytest.mark.parametrize(
    ("statement", "subject", "field"),
    [
        (
            "grant insert on money__1.spend to fl_login",
            "role fl_login",
            "insert on money__1.spend",
        ),
        (
            "grant update (cents) on money__1.spend to public",
            "everybody",
            "update on money__1.spend.cents",
        ),
        ("grant delete on money.spend to fl_login", "role fl_login", "delete on money.spend"),
        ("grant create on schema money to fl_login", "role fl_login", "create on money"),
        (
            "alter table money__1.spend owner to fl_login",
            "role fl_login",
            "owner of money__1.spend",
        ),
        ("alter schema money owner to fl_login", "role fl_login", "owner of schema money"),
        (
            "grant select on flowledger_audit.operator_action to public",
            "everybody",
            "select on flowledger_audit.operator_action",
        ),
        (
            "grant select on flowledger_audit__1.operator_action to flowledger_reader",
            "role flowledger_reader",
            "select on flowledger_audit__1.operator_action",
        ),
        (
            "grant truncate on flowledger_notes__1.tag to flowledger_auditor",
            "role flowledger_auditor",
            "truncate on flowledger_notes__1.tag",
        ),
    ],
)
def test_a_right_too_many_is_named(
    money: Connection, statement: str, subject: str, field: str
) -> None:
    money.execute(statement.encode())

    assert faults(money) == [(subject, field)]


def test_what_a_projection_grants_itself_is_its_own(connection: Connection) -> None:
    make(connection, tables=f"{SPEND}; grant insert on {{schema}}.spend to pg_monitor")

    assert faults(connection) == []


def test_the_role_of_a_projection_owns_its_tables(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        make(connection, own_role=True)

        assert faults(connection) == []
