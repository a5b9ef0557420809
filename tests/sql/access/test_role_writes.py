"""role_writes: what a role may write, and so which tables it may lock against everybody."""

from __future__ import annotations

from types import MappingProxyType

import psycopg
import pytest
from psycopg import sql

from flowledger.engine.store.schema.grants import ROLES, grant, grants_of
from support.projection_hosts import WORD
from support.sql_calls import Connection, call

LOG = "whoever appends holds it until the commit, in the place of all who append"
DECIDED = "a coordinator deletes its rows, or those of its shards, in all that it does"
COORDINATOR = MappingProxyType(
    {
        "coordinator": "each removes those whose lease ended",
        "parked_task": DECIDED,
        "queue": DECIDED,
        "queue_lane": DECIDED,
        "rate": DECIDED,
        "slot": DECIDED,
        "slot_count": DECIDED,
        "submission": DECIDED,
        "timer": DECIDED,
        "waiting_step": DECIDED,
        "worker": "each removes those that died",
    }
)
LOCKS = MappingProxyType(
    {
        "reader": {},
        "auditor": {},
        "submitter": {"log_lock": LOG},
        "operator": {"log_lock": LOG},
        "worker": {"log_lock": LOG},
        "coordinator": {"log_lock": LOG, **COORDINATOR},
    }
)
"""What each role may lock in the strongest mode, and why it has to."""

RELATIONS = """
select c.relname, c.oid::regclass::text
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname ~ '^flowledger' and c.relkind in ('r', 'p', 'v')
order by c.relname
"""
DEFINERS = """
select p.proname
from pg_proc as p
where p.pronamespace = 'flowledger'::regnamespace and p.prosecdef
    and has_function_privilege(%s, p.oid, 'execute')
order by p.proname
"""
WORKER = [
    "complete_transactional_step",
    "deregister_worker",
    "report_outcomes",
    "store_template_steps",
]
TEMPLATES = ["store_template_steps"]


@pytest.fixture
def roles(connection: Connection) -> Connection:
    """Every role has its rights in this database."""
    for role in ROLES:
        grant(connection, role, grants_of(connection, role), **WORD)
    return connection


def lockable(connection: Connection, role: str) -> set[str]:
    """The relations that a role locked in the strongest mode."""
    relations = connection.execute(RELATIONS).fetchall()
    locked = set()
    for name, qualified in relations:
        with connection.transaction(force_rollback=True):
            connection.execute(f"set local role flowledger_{role}".encode())
            try:
                connection.execute(f"lock table {qualified} in access exclusive mode".encode())
            except psycopg.errors.InsufficientPrivilege:
                continue
            locked.add(name)
    return locked


def test_a_role_locks_only_what_it_has_to_delete_from(roles: Connection) -> None:
    assert {role: lockable(roles, role) for role in ROLES} == {
        role: set(reasons) for role, reasons in LOCKS.items()
    }


def test_what_runs_with_the_owners_rights_is_for_those_who_need_it(roles: Connection) -> None:
    found = {
        role: [name for (name,) in roles.execute(DEFINERS, (f"flowledger_{role}",)).fetchall()]
        for role in ROLES
    }

    nothing: list[str] = []
    assert found == {
        "reader": nothing,
        "auditor": nothing,
        "submitter": TEMPLATES,
        "operator": nothing,
        "worker": WORKER,
        "coordinator": TEMPLATES,
    }


def test_rights_that_a_role_had_before_are_taken_from_it(roles: Connection) -> None:
    worker = sql.Identifier("flowledger_worker")
    roles.execute(
        sql.SQL("grant truncate, update on flowledger.template, flowledger.step to {}").format(
            worker
        )
    )
    roles.execute(sql.SQL("grant insert (step) on flowledger.step to {}").format(worker))

    call(roles, "reapply_role_grants")

    assert lockable(roles, "worker") == set(LOCKS["worker"])
    asked = "select has_any_column_privilege('flowledger_worker', 'flowledger.step', 'insert')"
    assert roles.execute(asked).fetchone() == (False,)


@pytest.mark.parametrize("role", ["reader", "auditor"])
def test_who_only_reads_writes_nothing(connection: Connection, role: str) -> None:
    assert call(connection, "role_writes", role) == []


def test_a_role_that_there_is_not_is_named(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="there is no role king"):
        call(connection, "role_writes", "king")
