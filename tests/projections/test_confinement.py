"""A projection writes in its own schema, in the host's transaction, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import sql

from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.events import StepCompleted
from flowledger.projections import Cursor, Projection, on
from flowledger.projections.restricted_cursor import HostConnection
from support.engines import EngineHarness
from support.forks import fork
from support.projection_hosts import ProjectionHosts
from support.spend_projection import ADD, charged, record, rows, schemas, spending

kept: list[Any] = []


def doing(act: Callable[[Cursor], Any]) -> type[Projection]:
    """A projection that writes a row, and then does something else."""

    class Doing(Projection):
        name, version = "money", 1
        tables = "create table {schema}.spend (customer text primary key, cents bigint not null)"

        @on(StepCompleted)
        def charged(self, event: StepCompleted, cursor: Cursor) -> None:
            cursor.execute(ADD, (event.result["customer"], event.result["cents"]))
            act(cursor)

    return Doing


def failure(harness: EngineHarness, hosts: ProjectionHosts, act: Callable[[Cursor], Any]) -> str:
    """What is told of an event after which the projection did that; of it nothing may stay."""
    record(harness, [charged("ann")])
    hosts.host(doing(act)).settle()
    assert rows(harness) == {}
    status = hosts.projections.status("money")
    assert (status.standing, status.position) == ("event_failed", 0)
    return str(status.failure)


@pytest.mark.parametrize(
    "statement",
    [
        "delete from flowledger.event",
        "update flowledger.projection set position = 99",
        "select * from flowledger.task",
        "create table public.loot (cents bigint)",
        "create schema loot",
        "insert into others.spend values ('ann', 1)",
        "insert into others__1.spend values ('ann', 1)",
        "drop view money.spend",
    ],
)
def test_what_is_not_the_projections_own_is_refused(
    harness: EngineHarness, hosts: ProjectionHosts, statement: str
) -> None:
    hosts.host(spending(name="others")).settle()

    said = failure(harness, hosts, lambda cursor: cursor.execute(statement))

    assert "InsufficientPrivilege" in said
    assert rows(harness, "others") == {}


def test_a_granted_table_of_the_application_can_be_read(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    harness.rows("create table prices as select 7 as cents")
    harness.rows("grant select on prices to public")
    insert = "insert into spend select 'all', cents from public.prices"
    record(harness, [charged("ann")])

    hosts.host(doing(lambda cursor: cursor.execute(insert))).settle()

    assert rows(harness) == {"ann": 1, "all": 7}


@pytest.mark.parametrize(
    "statement",
    [
        "commit",
        "COMMIT AND CHAIN",
        "rollback",
        "end",
        "abort",
        "begin",
        "set role none",
        "set local role none",
        "SET SESSION ROLE none",
        "/* quietly */ reset role",
        "reset all",
        "set session authorization default",
        "discard all",
        "prepare transaction 'loot'",
    ],
)
def test_a_statement_that_leaves_the_transaction_or_the_role_is_refused(
    harness: EngineHarness, hosts: ProjectionHosts, statement: str
) -> None:
    said = failure(harness, hosts, lambda cursor: cursor.execute(statement))

    assert said.startswith("ProjectionLeft")


@pytest.mark.parametrize(
    "act",
    [
        lambda cursor: cursor.execute(b"commit"),
        lambda cursor: cursor.execute(sql.SQL("commit")),
        lambda cursor: cursor.executemany("commit", [()]),
        lambda cursor: cursor.connection.commit(),
        lambda cursor: cursor.connection.rollback(),
        lambda cursor: cursor.connection.execute("commit"),
        lambda cursor: cursor.connection.cursor().execute("set role none"),
    ],
    ids=["bytes", "composed", "many", "commit", "rollback", "connection", "another cursor"],
)
def test_it_is_refused_whichever_way_it_is_sent(
    harness: EngineHarness, hosts: ProjectionHosts, act: Callable[[Cursor], Any]
) -> None:
    assert failure(harness, hosts, act).startswith("ProjectionLeft")


@pytest.mark.parametrize(
    "act",
    [
        lambda cursor: cursor.execute("select set_config('role', 'none', true)"),
        lambda cursor: cursor.execute("do $$ begin reset role; end $$"),
        lambda cursor: psycopg.Cursor(cursor.connection).execute("reset role"),
    ],
    ids=["function", "block", "psycopg's own cursor"],
)
def test_a_method_that_ends_in_another_role_has_failed(
    harness: EngineHarness, hosts: ProjectionHosts, act: Callable[[Cursor], Any]
) -> None:
    def loots(cursor: Cursor) -> None:
        act(cursor)
        cursor.execute("create table public.loot (cents bigint)")

    assert "a method took the role" in failure(harness, hosts, loots)
    assert harness.value("select to_regclass('public.loot')") is None


def keeps_a_copy(cursor: Cursor) -> None:
    kept.append(cursor.copy("copy spend from stdin"))
    kept[-1].__enter__()


def raises_within_a_stream(cursor: Cursor) -> None:
    rows = cursor.stream("select generate_series(1, 1000)")
    for _ in rows:
        raise ValueError("within a stream")


def exits(cursor: Cursor) -> None:
    raise SystemExit(3)


def raises_what_cannot_be_looked_at(cursor: Cursor) -> None:
    class Proxied(Exception):
        @property
        def __class__(self) -> Any:
            raise RuntimeError("its target is gone")

    raise Proxied


def makes_another_class_of_the_connection(cursor: Cursor) -> None:
    class OtherConnection(HostConnection):
        def execute(self, *_: Any, **__: Any) -> Any:
            raise TypeError("not for you")

    cursor.connection.__class__ = OtherConnection
    raise ValueError("of another class")


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (keeps_a_copy, "a copy or a stream was left open"),
        (raises_within_a_stream, "within a stream"),
        (exits, "a method raised SystemExit: 3"),
        (raises_what_cannot_be_looked_at, "Proxied"),
        (makes_another_class_of_the_connection, "of another class"),
    ],
)
def test_whatever_a_method_leaves_behind_is_its_own_failure(
    harness: EngineHarness, hosts: ProjectionHosts, act: Callable[[Cursor], Any], said: str
) -> None:
    sound = spending(name="others")
    record(harness, [charged("ann")])
    host = hosts.host(doing(act), sound)

    with suppress(DatabaseUnavailable):  # its connection is closed with what was left open
        host.settle()
    host.settle()

    assert said in str(hosts.projections.status("money").failure)
    assert rows(harness, "others") == {"ann": 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
def test_a_fork_made_in_a_method_ends_with_it(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    codes: list[int] = []

    def forks(cursor: Cursor) -> None:
        made = fork()
        if made.is_me:
            raise SystemExit(5)
        codes.append(made.exit_code())

    record(harness, [charged("ann")])
    hosts.host(doing(forks)).settle()

    assert codes == [5]
    assert hosts.projections.status("money").failure is None


def test_of_several_statements_in_one_text_none_is_done(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    """The last of them might end the transaction."""
    said = failure(harness, hosts, lambda cursor: cursor.execute("select 1; commit"))

    assert "multiple commands" in said


def test_a_savepoint_may_be_rolled_back_to(harness: EngineHarness, hosts: ProjectionHosts) -> None:
    def act(cursor: Cursor) -> None:
        cursor.execute("savepoint before")
        cursor.execute("insert into spend values ('bob', 1)")
        cursor.execute("rollback to savepoint before")

    record(harness, [charged("ann")])
    hosts.host(doing(act)).settle()

    assert rows(harness) == {"ann": 1}


def test_an_error_that_a_method_swallows_keeps_nothing_of_its_transaction(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    def act(cursor: Cursor) -> None:
        try:
            cursor.execute("insert into no_such_table values (1)")
            cursor.fetchone()
        except Exception:  # noqa: BLE001 - what authors do
            return

    assert "InFailedSqlTransaction" in failure(harness, hosts, act)


def test_every_batch_begins_in_the_schema_of_its_projection(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    """What a method left behind in the session is not there for the next one."""
    record(harness, [charged("ann"), charged("bob")])

    def act(cursor: Cursor) -> None:
        cursor.execute("set search_path = pg_catalog")

    one, two = doing(act), doing(act)
    one.name, two.name = "one", "two"
    hosts.host(one, two, batch_size=1).settle()

    assert rows(harness, "one") == rows(harness, "two") == {"ann": 1, "bob": 1}


def test_the_schema_of_somebody_else_is_not_taken(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    harness.rows("create schema money")
    record(harness, [charged("ann")])

    hosts.host(spending(), spending(name="others")).settle()

    assert schemas(harness) == ["money"]
    assert rows(harness, "others") == {"ann": 1}


def test_tables_that_cannot_be_made_do_not_stop_the_other_projections(
    harness: EngineHarness, hosts: ProjectionHosts, caplog: pytest.LogCaptureFixture
) -> None:
    record(harness, [charged("ann")])
    host = hosts.host(spending(tables="create tabel {schema}.x ()"), spending(name="others"))

    host.settle()
    host.settle()

    assert rows(harness, "others") == {"ann": 1}
    assert [r.getMessage().split()[0] for r in caplog.records].count("projection.refused") == 1


WHO = """
    create table {schema}.spend (customer text primary key, cents bigint not null);
    create table {schema}.who (name text);
    create function {schema}.note() returns trigger language plpgsql as $$
    begin
        insert into {schema}.who values (current_user);
        return null;
    end
    $$;
    create constraint trigger late after insert on {schema}.spend
        deferrable initially deferred for each row execute function {schema}.note();
    insert into {schema}.spend values ('ann', 1)
"""
TRAPS = """
do $do$
declare
    v_type text;
begin
    if to_regtype('pg_temp.springs') is not null then
        return;
    end if;

    create function pg_temp.trap() returns boolean language plpgsql as $$
    begin
        if left(current_user, 13) <> 'flowledger_p_' then
            raise exception 'a trap ran as %', current_user;
        end if;
        return true;
    end
    $$;
    create domain pg_temp.springs as pg_catalog.bool;
    for v_type in
        select typname from pg_catalog.pg_type
        where typnamespace = 'pg_catalog'::pg_catalog.regnamespace and typtype = 'b'
            and typcategory <> 'A'
    loop
        execute pg_catalog.format(
            'create domain pg_temp.%I as pg_catalog.%I check (pg_temp.trap())', v_type, v_type
        );
    end loop;
end
$do$
"""


def test_what_its_tables_put_off_is_done_with_its_own_rights(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    hosts.host(spending(tables=WHO)).settle()

    role = harness.value("select role from flowledger.projection where name = 'money'")
    assert harness.rows("select name from money.who") == [(role,)]


@pytest.mark.parametrize("fails", [False, True], ids=["applied", "put aside"])
def test_no_type_of_its_session_is_used_with_the_engines_rights(
    harness: EngineHarness, hosts: ProjectionHosts, *, fails: bool
) -> None:
    class Trapping(Projection):
        name, version, on_error = "money", 1, "park_event"
        tables = "create table {schema}.spend (customer text primary key, cents bigint not null)"

        @on(StepCompleted)
        def charged(self, event: StepCompleted, cursor: Cursor) -> None:
            cursor.execute(TRAPS)
            if fails and event.result["customer"] == "bob":
                raise ValueError("bob is broken")

    record(harness, [charged("ann"), charged("bob"), charged("cid")])

    hosts.host(Trapping, batch_size=1).settle()

    status = hosts.projections.status("money")
    assert (status.standing, status.failure, status.parked) == ("caught_up", None, int(fails))
