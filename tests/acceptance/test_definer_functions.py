"""A function that runs with its owner's rights runs nothing of whoever calls it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from flowledger.engine.bootstrap import open_engine
from flowledger.engine.client.engine import ALL_ROLES
from support.builders import step
from support.controlled_steps import begin, controlled_steps
from support.engines import PATIENCE, EngineHarness
from support.logins import Connection, logins_on
from support.spend_projection import spending

ACT = {"handler": {"callable": "act"}}
LATER = {**ACT, "retry": {"max_attempts": 3, "base_seconds": 600, "cap_seconds": 600}}
line = controlled_steps(step("a", **ACT), step("b", "a", **LATER), name="line")

OURS = "n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_t'"
DEFINERS = f"""
    select f.oid::regprocedure::text, n.nspname, f.proname,
        array(
            select format_type(t, null)
            from unnest(f.proargtypes) with ordinality as a (t, place)
            where place <= f.pronargs - f.pronargdefaults order by place
        ), coalesce(f.proconfig, '{{}}')
    from pg_proc as f join pg_namespace as n on n.oid = f.pronamespace
    where f.prosecdef and {OURS}
    order by 1
"""  # noqa: S608 - a constant
CALLABLE = "and has_function_privilege('flowledger_reader', f.oid, 'execute') order by 1"
TYPES = """
    select typname from pg_type
    where typnamespace = 'pg_catalog'::regnamespace and typtype in ('b', 'r', 'm')
        and typcategory <> 'A'
"""
TRAP = """
    create function pg_temp.trap() returns boolean language plpgsql as $$
    begin
        if current_user <> session_user then
            raise exception 'a function of % ran as %', session_user, current_user;
        end if;
        return true;
    end
    $$
"""


PATH = "search_path=pg_catalog, pg_temp"


@pytest.fixture(scope="module")
def tasks(shared_harness: EngineHarness) -> Generator[list[UUID]]:
    """A task that is complete and one that waits for a retry, on a database with read models."""
    settings = shared_harness.settings(projections={"builtin": True, "linger_seconds": 0.01})
    with open_engine([line], ALL_ROLES, settings, projections=[spending()]) as engine:
        _, done = begin(engine, line)
        done.wait(PATIENCE)
        _, waits = begin(engine, line, fails="b")
        shared_harness.until(lambda: shared_harness.rows("select 1 from flowledger.timer"))
        shared_harness.until(
            lambda: shared_harness.rows("select 1 from flowledger_history.attempt")
        )
        yield [done.id, waits.id]


@pytest.fixture
def attacker(shared_harness: EngineHarness) -> Generator[Connection]:
    """A reader's session in which every type of the server has a name that springs a trap."""
    with logins_on(shared_harness.url) as logins:
        url = logins.new("flowledger_reader")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TRAP)
            for (name,) in connection.execute(TYPES).fetchall():
                connection.execute(
                    sql.SQL(
                        "create domain pg_temp.{0} as pg_catalog.{0} check (pg_temp.trap())"
                    ).format(sql.Identifier(name))
                )
            yield connection


def definers(harness: EngineHarness, which: str = "order by 1") -> list[tuple[Any, ...]]:
    return harness.rows(DEFINERS.replace("order by 1", which))


def given(kind: str, tasks: list[UUID]) -> Any:
    """Something to call a function with."""
    values: Mapping[str, Any] = {
        "uuid": tasks[0], "uuid[]": tasks, "text": "b", "text[]": ["a", "b"],
    }  # fmt: skip
    return values[kind]


def test_a_function_finds_only_what_the_server_brings_and_that_first(
    shared_harness: EngineHarness, tasks: list[UUID]
) -> None:
    found = definers(shared_harness)

    assert found
    assert [name for name, *_, settings in found if PATH not in settings] == []


def test_no_function_runs_what_a_reader_put_in_the_place_of_a_type(
    shared_harness: EngineHarness, tasks: list[UUID], attacker: Connection
) -> None:
    caught: list[str] = []
    for name, schema, function, kinds, _ in definers(shared_harness, CALLABLE):
        arguments = [given(kind, tasks) for kind in kinds]
        if function == "as_of":
            arguments = ["flowledger_history"]
        call = sql.SQL("select * from {}({})").format(
            sql.Identifier(schema, function), sql.SQL(", ").join([sql.Placeholder()] * len(kinds))
        )
        try:
            attacker.execute(call, arguments)
        except psycopg.errors.NoDataFound:
            continue  # there is nothing of that name; a trap raises something else
        except psycopg.Error as error:
            caught.append(f"{name}: {error}")

    assert caught == []


def test_who_reads_a_view_runs_nothing_that_somebody_made_in_public(
    shared_harness: EngineHarness, tasks: list[UUID]
) -> None:
    """Whose search path has `public` in it, as everybody's has, and where others may create."""
    with logins_on(shared_harness.url) as logins, shared_harness.connect() as owner:
        url = logins.new("flowledger_reader")
        logins.execute("grant create on schema public to public")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(OPERATOR)
        owner.execute("set search_path = public")

        found = owner.execute("select count(data) from flowledger_v1.events").fetchone()
        owner.rollback()

    assert found != (0,)


OPERATOR = """
    create function public.trap(bigint, interval) returns interval language plpgsql as $$
    begin
        raise exception 'a function of somebody else ran as %', current_user;
    end
    $$;
    create operator public.* (function = public.trap, leftarg = bigint, rightarg = interval)
"""
