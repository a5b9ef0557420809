"""excess_grants: rights that somebody has and should not have."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from flowledger.engine.store.schema.grants import ROLES, grant, grants_of
from support.logins import logins_on, name_of
from support.projection_hosts import WORD
from support.sql_calls import Connection, call


@pytest.fixture
def roles(connection: Connection) -> Connection:
    """Every role has its rights in this database."""
    for role in ROLES:
        grant(connection, role, grants_of(connection, role), **WORD)
    return connection


@pytest.fixture
def login(database: str) -> Generator[str]:
    """A login that is a member of no role."""
    with logins_on(database) as logins:
        yield name_of(logins.new())


def faults(connection: Connection) -> list[tuple[str, str]]:
    return sorted((subject, field) for subject, field, *_ in call(connection, "excess_grants"))


def test_the_roles_have_what_they_are_to_have(roles: Connection) -> None:
    assert faults(roles) == []


@pytest.mark.parametrize(
    ("granted", "subject", "field"),
    [
        (
            "update on flowledger.template to flowledger_worker",
            "role flowledger_worker",
            "update on flowledger.template",
        ),
        (
            "insert (recorded_at) on flowledger.event to flowledger_submitter",
            "role flowledger_submitter",
            "insert on flowledger.event.recorded_at",
        ),
        (
            "select on flowledger.event to flowledger_reader",
            "role flowledger_reader",
            "select on flowledger.event",
        ),
        ("usage on schema flowledger to public", "everybody", "usage on flowledger"),
        (
            "usage on schema flowledger to flowledger_reader",
            "role flowledger_reader",
            "usage on flowledger",
        ),
        (
            "select on flowledger_v1.tasks to public",
            "everybody",
            "select on flowledger_v1.tasks",
        ),
        (
            "execute on function flowledger.lock_log() to public",
            "everybody",
            "execute on flowledger.lock_log()",
        ),
        (
            "execute on function flowledger.deregister_worker(uuid) to flowledger_auditor",
            "role flowledger_auditor",
            "execute on flowledger.deregister_worker(uuid)",
        ),
        (
            "create on schema flowledger to flowledger_operator",
            "role flowledger_operator",
            "create on flowledger",
        ),
    ],
)
def test_a_right_too_many_is_named_until_the_roles_are_granted_theirs(
    roles: Connection, granted: str, subject: str, field: str
) -> None:
    roles.execute(f"grant {granted}".encode())

    assert faults(roles) == [(subject, field)]

    roles.execute(f"revoke {granted.replace(' to ', ' from ')}".encode())
    assert faults(roles) == []


@pytest.mark.parametrize(
    ("granted", "what"),
    [
        ("select on flowledger.event", "select on flowledger.event"),
        ("insert (state) on flowledger.event", "insert on flowledger.event"),
        ("execute on function flowledger.clock()", "execute on flowledger.clock()"),
    ],
)
def test_no_role_may_grant_on_what_it_has_until_it_is_granted_its_rights_anew(
    roles: Connection, granted: str, what: str
) -> None:
    roles.execute(f"grant {granted} to flowledger_worker with grant option".encode())

    assert faults(roles) == [("role flowledger_worker", f"grant option for {what}")]

    grant(roles, "worker", grants_of(roles, "worker"), **WORD)
    assert faults(roles) == []


def test_another_login_may_not_call_what_writes(roles: Connection, login: str) -> None:
    writes = "flowledger.lock_log()"
    roles.execute(f"grant execute on function {writes} to {login}".encode())

    assert faults(roles) == [(f"role {login}", f"execute on {writes}")]


@pytest.mark.parametrize(
    ("owned", "field"),
    [
        ("table flowledger.event", "owner of flowledger.event"),
        ("view flowledger_v1.tasks", "owner of flowledger_v1.tasks"),
        ("function flowledger.lock_log()", "owner of flowledger.lock_log()"),
        ("schema flowledger_v1", "owner of schema flowledger_v1"),
        ("schema flowledger", "owner of schema flowledger"),
    ],
)
def test_another_login_may_own_nothing(
    roles: Connection, login: str, owned: str, field: str
) -> None:
    roles.execute(f"alter {owned} owner to {login}".encode())

    assert (f"role {login}", field) in faults(roles)

    roles.execute(f"alter {owned} owner to current_user".encode())
    assert faults(roles) == []


def test_a_superuser_may_own_a_table(roles: Connection, login: str) -> None:
    roles.execute(f"alter role {login} superuser".encode())
    roles.execute(f"alter table flowledger.event owner to {login}".encode())

    assert faults(roles) == []

    roles.execute(b"alter table flowledger.event owner to current_user")


def test_a_login_may_not_own_most_tables_of_anothers_schema(roles: Connection, login: str) -> None:
    tables = roles.execute(
        "select c.oid::regclass::text from pg_class as c"
        " where c.relnamespace = 'flowledger'::regnamespace and c.relkind in ('r', 'p', 'v')"
    ).fetchall()
    for (table,) in tables:
        roles.execute(f"alter table {table} owner to {login}".encode())

    assert (f"role {login}", "owner of most tables of flowledger") in faults(roles)

    for (table,) in tables:
        roles.execute(f"alter table {table} owner to current_user".encode())
    assert faults(roles) == []


def test_a_superuser_may_be_granted_anything(roles: Connection, login: str) -> None:
    roles.execute(f"alter role {login} superuser".encode())
    roles.execute(f"grant delete on flowledger.log_lock to {login}".encode())
    roles.execute(f"grant create on schema flowledger to {login}".encode())
    roles.execute(f"grant execute on function flowledger.lock_log() to {login}".encode())

    assert faults(roles) == []

    roles.execute(f"alter role {login} nosuperuser".encode())
    assert [field for _, field in faults(roles)] == [
        "create on flowledger",
        "delete on flowledger.log_lock",
        "execute on flowledger.lock_log()",
    ]


def test_another_login_may_read_and_not_write(roles: Connection, login: str) -> None:
    roles.execute(f"grant select on flowledger.task to {login}".encode())
    roles.execute(f"grant execute on function flowledger.fact_topics() to {login}".encode())
    assert faults(roles) == []

    roles.execute(f"grant delete on flowledger.log_lock to {login}".encode())

    assert faults(roles) == [(f"role {login}", "delete on flowledger.log_lock")]
