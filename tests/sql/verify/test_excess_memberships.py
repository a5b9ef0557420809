"""excess_memberships: who may write by the rights of a role that is not theirs.

Roles are the server's: what a test makes is rolled back, so that no other test sees it.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from support.sql_calls import Connection, call


@pytest.fixture
def roles(connection: Connection) -> Generator[Connection]:
    """A login of the name fl_login, and the engine's roles."""
    with connection.transaction(force_rollback=True):
        connection.execute("create role fl_login login")
        connection.execute("create role fl_owner")
        connection.execute("create role fl_group")
        yield connection


def faults(connection: Connection) -> list[tuple[str, str]]:
    return sorted((subject, field) for subject, field, *_ in call(connection, "excess_memberships"))


def test_there_are_none(roles: Connection) -> None:
    assert faults(roles) == []


def test_a_login_may_not_write_all_data(roles: Connection) -> None:
    roles.execute("grant pg_write_all_data to fl_group; grant fl_group to fl_login")

    assert faults(roles) == [("role fl_login", "member of pg_write_all_data")]

    roles.execute("revoke fl_group from fl_login")
    assert faults(roles) == []


def test_a_login_may_not_act_as_an_owner_that_is_a_login(roles: Connection) -> None:
    roles.execute("alter schema flowledger owner to fl_owner; grant fl_owner to fl_login")
    assert faults(roles) == []

    roles.execute("alter role fl_owner login")

    assert faults(roles) == [("role fl_login", "member of fl_owner")]


def test_the_owner_and_superusers_may(roles: Connection) -> None:
    roles.execute("alter schema flowledger owner to fl_owner; alter role fl_owner login")
    roles.execute("grant pg_write_all_data to fl_owner; alter role fl_login superuser")

    assert faults(roles) == []


def test_who_is_a_member_of_a_role_of_the_engine_is_for_others_to_say(roles: Connection) -> None:
    roles.execute("grant flowledger_reader, flowledger_auditor, pg_read_all_data to fl_login")

    assert faults(roles) == []


def test_a_role_of_the_engine_is_a_member_of_nothing_that_writes(roles: Connection) -> None:
    roles.execute("grant pg_read_all_data to flowledger_auditor")
    assert faults(roles) == []

    roles.execute("grant fl_group to flowledger_auditor")

    assert faults(roles) == [("role flowledger_auditor", "member of fl_group")]
