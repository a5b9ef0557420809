"""projection_view_faults: what is between a projection's tables and who reads them."""

from __future__ import annotations

import pytest

from support.generation_rows import SPEND, make
from support.sql_calls import Connection, call


def faults(connection: Connection) -> list[tuple[str, str]]:
    """Each with what is found."""
    return sorted((row[0], row[3]) for row in call(connection, "projection_view_faults"))


def test_what_was_made_is_as_it_was_made(connection: Connection) -> None:
    make(connection, tables=f'{SPEND}; create view {{schema}}.rich as select 1 as "Customer"')

    assert faults(connection) == []

    make(connection, version=2, tables="create table {schema}.spend (euros numeric)")
    call(connection, "point_views_at_generation", "money", 1)
    assert faults(connection) == []


@pytest.mark.parametrize(
    ("statement", "subject", "found"),
    [
        (
            "create or replace view money.spend as select * from money__1.spend where cents > 5",
            "view money.spend",
            "another",
        ),
        (
            "create or replace view money.spend as"
            " select customer, least(cents, 5) as cents from money__1.spend",
            "view money.spend",
            "another",
        ),
        ("drop view money.spend", "view money.spend", "missing"),
        ("create view money.poor as select 1", "view money.poor", "there"),
        ("create table money.poor (a int)", "relation money.poor", "there"),
        (
            "create function money.f() returns int language sql as 'select 1'",
            "function money.f()",
            "there",
        ),
        (
            "create rule hide as on insert to money.spend do instead nothing",
            "rule hide on money.spend",
            "there",
        ),
        (
            "create rule hide as on insert to money__1.spend do instead nothing",
            "rule hide on money__1.spend",
            "there",
        ),
        (
            "create trigger t instead of insert on money.spend for each row"
            " execute function flowledger.refuse_log_change()",
            "trigger t on money.spend",
            "there",
        ),
        (
            "alter table money__1.spend enable row level security",
            "row security on money__1.spend",
            "there",
        ),
    ],
)
def test_what_was_put_between_is_named(
    connection: Connection, statement: str, subject: str, found: str
) -> None:
    make(connection)

    connection.execute(statement.encode())

    assert faults(connection) == [(subject, found)]


def test_what_comes_with_the_engine_is_looked_at(connection: Connection) -> None:
    connection.execute(
        "create or replace view flowledger_audit.operator_action as"
        " select * from flowledger_audit__1.operator_action where actor <> 'eve'"
    )

    assert faults(connection) == [("view flowledger_audit.operator_action", "another")]


def test_rules_and_row_security_of_a_projections_own_are_its_own(connection: Connection) -> None:
    guarded = "; alter table {schema}.spend enable row level security"
    make(connection, tables=f"{SPEND}{guarded}")

    assert faults(connection) == []
