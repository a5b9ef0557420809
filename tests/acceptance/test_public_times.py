"""Every time of the public schema is read by every client, whatever stands in the tables."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from flowledger.handlers import Workflow
from flowledger.projections.builtin import BUILTIN
from support.engines import PATIENCE, EngineHarness
from support.unchecked_rows import DROP_CHECKS

flow = Workflow("far", "times", version="1")


@flow.step(system="bank")
def only(context: dict[str, Any]) -> int:
    return 1


ZONES = ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"]
FAR = ["infinity", "-infinity", "20000-01-01", "4000-01-01 BC", "9999-12-31 23:59:59.999999Z"]
OF_EVENTS = ["9999-12-31 00:00:00Z", "0001-01-02 00:00:00Z"]
"""What a read model may hold: its rows are made of events that can be read."""

NOT_WRITTEN = {"event": "recorded_at", "migration": "applied_at", "applied_file": "applied_at"}
"""What nobody but the owner of the schema may write."""

ROWS = [
    "insert into flowledger.worker (worker_id, lease_until, started_at, host, pid, condition,"
    " templates, concurrency, seen_at, lease_seconds) values (gen_random_uuid(), now() + '1 h',"
    " now(), 'h', 1, 'ready', '{}', 1, now(), 3)",
    "insert into flowledger.coordinator (coordinator_id, lease_until, started_at, host, pid,"
    " lease_seconds) values (gen_random_uuid(), now(), now(), 'h', 1, 3)",
    "insert into flowledger.clock_put_back (noticed_at, reached) values (now(), now())"
    " on conflict (one) do nothing",
    "insert into flowledger.parked_task (task_id, reason, parked_at, tried_at)"
    " select task_id, 'odd', now(), now() from flowledger.task",
    "insert into flowledger.circuit (system, revision, state, failures, openings, open_until,"
    " probes, stream_version, changed_at) values ('odd', 1, 'open', 1, 1, now(), '{}', 1, now())",
    "insert into flowledger.waiting_step (step_id, task_id, step, kind, limit_key, since, until,"
    " sort_key, demand) select step_id, task_id, step, 'rate', 'k', now(), now(), 1,"
    " json_build_object('template_id', template_id, 'system', null, 'slots', '{}'::int[],"
    " 'rates', '{}'::int[]) from flowledger.queue",
    "insert into flowledger.rate (limit_key, expected_at, set_at) values ('k', now(), now())",
    "insert into flowledger.timer (step_id, task_id, step, kind, due_at)"
    " select task_id, task_id, '', 'deadline', now() from flowledger.task"
    " on conflict do nothing",
    "insert into flowledger.projection_host (host_id, lease_until, started_at, host, pid,"
    " projection_versions) values (gen_random_uuid(), now(), now(), 'h', 1, '')",
    "insert into flowledger.parked_event (name, generation, position, error, parked_at)"
    " values ('flowledger_notes', 1, 1, 'odd', now())",
    "insert into flowledger.projection_rebuild (name, asked_at) values ('flowledger_notes', now())",
    "update flowledger.step set state = 'waiting_for_retry', due_at = now()",
    "update flowledger.queue set heartbeat_at = now()",
    "update flowledger.projection set failed_at = now(), failed_position = 1,"
    " code_changed_at = now(), lease_until = now()",
    "update flowledger_history__1.attempt set started_at = now(), ended_at = now()",
    "update flowledger_history__1.task_history set started_at = now(), ended_at = now()",
    "insert into flowledger_systems__1.system (system, state, openings, failures, shut_time)"
    " values ('odd', 'open', 1, 1, '0') on conflict do nothing",
]
TABLES = """
    select n.nspname, c.relname, array_agg(a.attname::text)
    from pg_attribute as a
    inner join pg_class as c on c.oid = a.attrelid and c.relkind = %s
    inner join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname like %s and a.atttypid = 'timestamptz'::regtype and not a.attisdropped
    group by 1, 2 order by 1, 2
"""
FUNCTIONS = """
    select p.proname::text, coalesce(p.proargnames[:p.pronargs], '{}'), p.pronargdefaults
    from pg_proc as p
    where p.pronamespace = 'flowledger_v1'::regnamespace
    order by 1
"""


@pytest.fixture
def task(harness: EngineHarness) -> UUID:
    """A task in a database in which every table that has a time has a row."""
    engine = harness.open(flow, projections=BUILTIN)
    done = engine.submit(flow, {}, tags=["a"])
    done.result(PATIENCE)
    done.annotate("note", 1, actor="ann")
    engine.pause_template("far/times@1", actor="ann", reason="to see")
    harness.until(lambda: harness.rows("select 1 from flowledger_v1.annotations"))
    harness.until(lambda: harness.rows("select 1 from flowledger_v1.operator_actions"))
    engine.close()
    client = harness.open(flow, roles=["coordinator"])
    client.resume_template("far/times@1", actor="ann", reason="to see")
    client.submit(flow, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 1)
    client.close()
    harness.rows(DROP_CHECKS)
    for statement in ROWS:
        harness.rows(statement)
    return done.id


def written(harness: EngineHarness) -> Iterator[tuple[str, str, list[str]]]:
    """Tables with what somebody may write of times in them."""
    for schema, table, names in harness.rows(TABLES, "r", "flowledger%"):
        columns = [name for name in names if NOT_WRITTEN.get(table) != name]
        if columns:
            yield schema, table, columns


def fill(harness: EngineHarness, far: str) -> None:
    for schema, table, columns in written(harness):
        if "__" in schema and far not in OF_EVENTS:
            continue
        if schema == "flowledger_analytics__1":  # of which only sums are shown
            continue
        sets = ", ".join(f"{name} = '{far}'" for name in columns)
        changed = harness.rows(f"update {schema}.{table} set {sets} returning 1")  # noqa: S608
        assert changed, (schema, table)


@pytest.fixture
def readers(harness: EngineHarness) -> Generator[dict[str, Any]]:
    """Connections such as anybody has, by their time zones."""
    with ExitStack() as opened:
        found = {
            zone: opened.enter_context(psycopg.connect(harness.url, autocommit=True))
            for zone in ZONES
        }
        for zone, connection in found.items():
            connection.execute("select set_config('timezone', %s, false)", (zone,))
        yield found


def arguments(names: Sequence[str], defaults: int, task: UUID) -> dict[str, Any]:
    """What a function is called with: what it must be given, and the rest as it is."""
    known = {
        "task": task,
        "tasks": [task],
        "step_name": "only",
        "projection": "flowledger_history",
    }
    return {name: known[name] for name in names[: len(names) - defaults]}


def queries(
    harness: EngineHarness, task: UUID
) -> Iterator[tuple[str, sql.Composed, dict[str, Any]]]:
    for _, view, columns in harness.rows(TABLES, "v", "flowledger_v1"):
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        query = sql.SQL("select {} from {}").format(names, sql.Identifier("flowledger_v1", view))
        assert harness.value(f"select count(*) from flowledger_v1.{view}"), view  # noqa: S608
        yield view, query, {}
    for name, given, defaults in harness.rows(FUNCTIONS):
        called = arguments(given, defaults, task)
        query = sql.SQL("select * from {}({})").format(
            sql.Identifier("flowledger_v1", name),
            sql.SQL(", ").join(
                sql.SQL("{} => {}").format(sql.Identifier(one), sql.Placeholder(one))
                for one in called
            ),
        )
        yield f"{name}()", query, called


def fault(reader: Any, query: sql.Composed, called: dict[str, Any]) -> str | None:
    """What the database refuses, or the client cannot read."""
    try:
        reader.execute(query, called).fetchall()
    except psycopg.Error as error:
        return str(error)
    return None


@pytest.mark.parametrize("far", [*FAR, *OF_EVENTS])
def test_every_time_of_every_view_and_function_is_read(
    harness: EngineHarness, task: UUID, readers: dict[str, Any], far: str
) -> None:
    fill(harness, far)

    refused = [
        f"{name} in {zone}: {error}"
        for name, query, called in queries(harness, task)
        for zone, reader in readers.items()
        if (error := fault(reader, query, called))
    ]

    assert refused == []
