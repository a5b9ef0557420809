"""What needs somebody is told in a sentence, with the command that mends it: each for real."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner

from flowledger.engine import AsyncEngine
from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.cli.program import program
from flowledger.engine.client.health import health_report
from flowledger.engine.domain.health_rows_and_report import Finding, HealthReport
from flowledger.engine.errors import SchemaBehind
from flowledger.engine.events import TaskCreated
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.health import PostgresHealth
from flowledger.engine.store.schema.grants import grant, grants_of
from flowledger.handlers import Workflow
from flowledger.projections import Cursor, Projection, on
from support.engines import PATIENCE, EngineHarness
from support.logins import Logins, logins_on
from support.postgres_server import PostgresServer
from support.projection_hosts import WORD

flow = Workflow("shop", "order", version="1")
lost = Workflow("shop", "lost", version="1")


@flow.step
def only() -> int:
    return 1


@lost.step(name="only")
def only_lost() -> int:
    return 1


class Broken(Projection):
    """One whose method fails at every task."""

    name, version, on_error = "broken", 1, "park_event"
    tables = "create table {schema}.nothing (n integer)"

    @on(TaskCreated)
    def created(self, event: TaskCreated, cursor: Cursor) -> None:
        raise ValueError("no such customer")


class Stands(Broken):
    """One that stands still at the first."""

    name, on_error = "stands", "stop"


@pytest.fixture
def quiet(harness: EngineHarness) -> EngineHarness:
    """A lab without the read models that nobody runs in tests."""
    harness.rows("delete from flowledger.projection")
    return harness


@pytest.fixture
def logins(harness: EngineHarness) -> Generator[Logins]:
    with logins_on(harness.url) as found:
        yield found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command in this process, for a login."""

    def run(url: str, *arguments: str) -> Any:
        monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", url)
        return CliRunner().invoke(program, ["health", *arguments])

    return run


def found(report: HealthReport, kind: str) -> Finding:
    """The one finding of its kind."""
    (one,) = [finding for finding in report.findings if finding.kind == kind]
    return one


def kinds(report: HealthReport) -> set[str]:
    return {finding.kind for finding in report.findings}


def test_where_everything_is_seen_to_nothing_is_found(
    quiet: EngineHarness, asked: Callable[..., Any]
) -> None:
    engine = quiet.open(flow)
    engine.submit(flow, {}).result(PATIENCE)

    assert engine.health_report().findings == ()
    done = asked(quiet.url)
    assert (done.exit_code, done.output) == (0, "nothing needs anybody\n")


def test_a_shard_that_nobody_leads_and_what_waits_for_it(
    quiet: EngineHarness, asked: Callable[..., Any]
) -> None:
    quiet.open(flow, roles=()).submit_many(flow, [{}, {}])

    done = asked(quiet.url, "--json")

    assert done.exit_code == 1
    (one,) = json.loads(done.output)["findings"]
    assert (one["kind"], one["about"], one["since"]) == ("shard_unled", "0", None)
    assert one["sentence"] == (
        "nobody leads shard 0: nothing of its tasks goes on; 2 events wait for it"
    )
    assert one["command"] == "flowledger coordinator"


def test_a_leader_that_does_not_come_on(quiet: EngineHarness) -> None:
    engine = quiet.open(flow, roles=())
    leader = uuid4()
    quiet.rows("select flowledger.heartbeat_coordinator(%s, 'here', 1, 36000)", leader)
    quiet.rows("select flowledger.acquire_shard_lease(0, %s, 36000)", leader)
    engine.submit(flow, {})
    quiet.rows("update flowledger.clock_offset set shift = '5 min'")

    one = found(engine.health_report(), "shard_behind")

    assert "does not come on: the first of 1 event waits, for " in one.sentence
    assert one.since is not None
    assert found(engine.health_report(600), "clock_shifted")
    assert "shard_behind" not in kinds(engine.health_report(600))


def test_steps_that_no_worker_runs_are_told_by_their_version(quiet: EngineHarness) -> None:
    engine = quiet.open(flow, roles=["coordinator"])
    quiet.open(lost, roles=["worker"])
    engine.submit_many(flow, [{}, {}])
    quiet.until(lambda: quiet.value("select count(*) from flowledger.queue") == 2)

    one = found(engine.health_report(), "queue_unserved")

    assert one.sentence.startswith("no worker runs shop/order@1, and 2 steps of it are queued")
    assert one.since is not None
    assert str(one.command).startswith("flowledger worker")


def test_tasks_and_submissions_that_are_parked(quiet: EngineHarness) -> None:
    client = quiet.open(flow, lost, roles=())
    task = client.submit(lost, {})
    quiet.rows("alter table flowledger.event disable trigger user")
    quiet.rows("delete from flowledger.event where originator_id = %s", lost.template.template_id)
    engine = quiet.open(flow)
    known = engine.submit(flow, {})
    known.wait(PATIENCE)
    quiet.until(lambda: quiet.value("select count(*) from flowledger.parked_task") == 1)

    one = found(engine.health_report(), "submissions_parked")

    assert one.sentence.startswith("1 submission is left alone")
    assert str(task.id) in one.sentence
    assert str(one.command).startswith("flowledger parked retry")
    quiet.rows("insert into flowledger.parked_task values (%s, 'a row', now(), now())", known.id)
    told = found(engine.health_report(), "tasks_parked")
    assert told.sentence.startswith("1 task is left alone")
    assert told.about == str(known.id)


def test_projections_that_stand_still(harness: EngineHarness) -> None:
    engine = harness.open(flow, projections=[Broken, Stands])
    engine.submit(flow, {}).result(PATIENCE)
    harness.until(lambda: engine.projections.status("broken").parked == 1)
    harness.until(lambda: engine.projections.status("stands").failures > 0)

    report = engine.health_report()

    assert "no such customer" in found(report, "projection_failing").sentence
    parked = found(report, "events_parked")
    assert parked.sentence.startswith("projection broken put 1 event aside")
    assert parked.command is not None
    assert parked.command.startswith("flowledger projections parked retry broken --all")
    unled = found(report, "projection_unled")
    assert "flowledger_audit" in unled.sentence
    assert unled.command is not None
    assert "flowledger projector" in unled.command
    engine.projections.pause("stands", actor="ann", reason="a look")
    paused = found(engine.health_report(), "projection_paused")
    assert paused.command == "flowledger projections resume stands --reason WHY"


def test_a_session_that_holds_back_vacuum(quiet: EngineHarness) -> None:
    engine = quiet.open(flow)
    with psycopg.connect(quiet.url, application_name="a report") as session:
        session.execute("set transaction isolation level repeatable read")
        session.execute("select 1")

        (one,) = [
            finding
            for finding in engine.health_report(0.0).findings
            if finding.kind == "vacuum_held_back" and "(a report)" in finding.sentence
        ]  # the engine's own short transactions are told of, too, where there is no patience

        assert one.sentence.startswith("vacuum is held back by a session of ")
        assert "open for" in one.sentence
        command = str(one.command)
        assert command.endswith(f' -c "select pg_terminate_backend({session.info.backend_pid})"')
        assert f"dbname={session.info.dbname}" in command


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("lock table flowledger.log_lock in share update exclusive mode", "flowledger.log_lock"),
        ("select from flowledger.shard for update", "flowledger.shard"),
        ("lock table flowledger.shard in access exclusive mode", "flowledger.shard"),
    ],
)
def test_who_locks_the_engine_out_is_told_before_all_else(
    quiet: EngineHarness, asked: Callable[..., Any], statement: str, what: str
) -> None:
    with psycopg.connect(quiet.url, application_name="a report") as session:
        session.execute(statement.encode())
        pid = session.info.backend_pid
        quiet.until(lambda: quiet.rows("select pid from flowledger_v1.blocking_sessions()"))

        first, *_ = asked(quiet.url).output.splitlines()

        assert f"(a report), process {pid}, idle in transaction, holds a lock on {what} (" in first
        assert "that the engine needs, in a transaction that is open for " in first
        command = first.partition(" -> ")[2]
        assert "password" not in command
        _, address, _, ends = shlex.split(command)
        with psycopg.connect(address, autocommit=True) as other:
            other.execute(ends.encode())
        quiet.until(lambda: not quiet.rows("select pid from flowledger_v1.blocking_sessions()"))
        session.close()


def test_a_prepared_transaction_and_a_slot_that_hold_back_vacuum(
    postgres_server: PostgresServer, asked: Callable[..., Any]
) -> None:
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute("alter system set max_prepared_transactions = 2")
        admin.execute("alter system set wal_level = logical")
    postgres_server.crash()
    with psycopg.connect(postgres_server.start(), autocommit=True) as admin:
        admin.execute("select pg_create_logical_replication_slot('copies', 'pgoutput')")
        admin.execute("begin; create table t (n integer); prepare transaction 'half'")

        said = asked(postgres_server.url, "--patience", "0").output

        assert "by the prepared transaction half of" in said
        assert " -c \"rollback prepared 'half'\"" in said
        assert "by the replication slot copies, that nobody uses" in said
        admin.execute("rollback prepared 'half'")
        admin.execute("select pg_drop_replication_slot('copies')")


def test_a_server_with_hardly_a_connection_left(
    postgres_server: PostgresServer, asked: Callable[..., Any]
) -> None:
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute("alter system set max_connections = 23")
    postgres_server.crash()
    url = postgres_server.start()
    assert "connections" not in asked(url).output

    with ExitStack() as opened:
        for _ in range(19):
            opened.enter_context(psycopg.connect(url))
        said = asked(url).output

    assert "20 of the 20 connections that the server gives to ordinary logins are in use" in said


def test_a_database_that_is_read_only_is_told_before_all_else(quiet: EngineHarness) -> None:
    quiet.open(flow)
    name = quiet.value("select current_database()")
    on = f'alter database "{name}" set default_transaction_read_only = on'
    quiet.rows(on)
    reader = quiet.open(roles=())

    report = reader.health_report(0.0)

    assert report.findings[0].kind == "read_only"
    assert "default_transaction_read_only" in report.findings[0].sentence
    assert report.findings[0].details == {"source": "database"}


def test_a_login_that_only_reads_is_no_read_only_database(quiet: EngineHarness) -> None:
    quiet.open(flow)
    quiet.rows("alter role current_user set default_transaction_read_only = on")
    try:
        kinds = {one.kind for one in quiet.open(roles=()).health_report(0.0).findings}
    finally:
        quiet.rows("set default_transaction_read_only = off")
        quiet.rows("alter role current_user reset default_transaction_read_only")

    assert "read_only" not in kinds


class Misspelt(Projection):
    """Its tables are no SQL."""

    name = "misspelt"
    version = 1
    tables = "create tabel {schema}.seen (task_id uuid)"

    @on(TaskCreated)
    def see(self, event: TaskCreated, cursor: Cursor) -> None:
        """Never called."""


def test_a_projection_whose_tables_the_database_refuses(quiet: EngineHarness) -> None:
    """It is in no list of the database, so only this process can tell."""
    engine = quiet.open(flow, projections=[Misspelt])
    quiet.until(lambda: not engine.health["projections"].ok)

    told = found(engine.health_report(), "projection_refused")

    assert "misspelt" in told.sentence
    assert 'syntax error at or near "tabel"' in told.sentence
    assert told.details["projections"] == 1
    assert engine.submit(flow, {}).wait(PATIENCE) is not None


def test_who_waits_for_a_connection_of_this_process(quiet: EngineHarness) -> None:
    engine = quiet.open(flow, roles=(), database={"pool_max_size": 1})
    assert engine.health["connections"].ok
    with quiet.connect() as holding, ThreadPoolExecutor(2) as threads:
        holding.execute("lock table flowledger.log_lock in share update exclusive mode")
        asked = [threads.submit(engine.submit, flow, {}) for _ in range(2)]
        quiet.until(lambda: not engine.health["connections"].ok)

        health = engine.health["connections"]
        with engine_pool(quiet.url, quiet.settings()) as other:
            report = health_report(PostgresHealth(other), engine.health, 60.0)
        holding.commit()
        for one in asked:
            one.result(PATIENCE)

    assert str(health.error).startswith("all connections of this process are in use")
    assert health.since is not None
    assert "database.pool_max_size" in found(report, "connections_awaited").sentence
    assert engine.health["connections"].ok


def test_a_clock_that_stepped_in_this_process(quiet: EngineHarness) -> None:
    by = timedelta()
    engine = quiet.open(flow)
    clock = engine._service._others["clock"]
    assert isinstance(clock, DatabaseClock)
    clock.__init__(wall=lambda: datetime.now(UTC) + by)  # type: ignore[misc]
    by = timedelta(hours=1)
    quiet.until(lambda: not clock.health.ok)

    one = found(engine.health_report(), "clock_stepped")

    assert "stepped by +3600" in one.sentence


@pytest.mark.parametrize("role", ["flowledger_reader", "flowledger_auditor"])
def test_a_login_that_may_only_read_is_told_and_told_what_it_does_not_see(
    quiet: EngineHarness, logins: Logins, asked: Callable[..., Any], role: str
) -> None:
    with psycopg.connect(quiet.url, autocommit=True) as connection:
        short = role.removeprefix("flowledger_")
        grant(connection, short, grants_of(connection, short), **WORD)

    done = asked(logins.new(role))

    assert done.exit_code == 1
    first, unseen = done.output.splitlines()
    assert first.startswith("nobody leads shard 0")
    assert unseen.startswith("not seen: whether vacuum is held back by ")


def test_it_never_migrates(empty_database: str, asked: Callable[..., Any]) -> None:
    assert isinstance(asked(empty_database).exception, SchemaBehind)


async def test_an_event_loop_has_the_same_report(quiet: EngineHarness) -> None:
    engine = await AsyncEngine.open(roles=(), settings=quiet.settings())
    async with engine:
        assert kinds(await engine.health_report()) == {"shard_unled"}
