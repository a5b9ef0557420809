"""A database that cannot be reached for a while: told once, tried again, and nothing is lost."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import psycopg
import pytest
from eventsourcing import utils
from eventsourcing.persistence import Tracking
from psycopg import conninfo

from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import Pool, connect, open_pool
from flowledger.engine.store.log.eventsourcing_recorders import (
    LedgerDatastore,
    LedgerRecorder,
    LedgerTrackingRecorder,
)
from support.background_load import BACK, LOST, BackgroundLoad
from support.engines import PATIENCE, EngineHarness, harness_on
from support.postgres_server import PostgresServer

CUT = (
    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
    " where datname = current_database() and application_name = 'flowledger'"
)
IDLE = (
    "select count(*) from pg_stat_activity where datname = current_database() and usename = %s"
    " and state = 'idle' and state_change < clock_timestamp() - interval '200 milliseconds'"
)
LOOPS = ("coordinator", "worker")


@pytest.fixture
def own_lab(postgres_server: PostgresServer) -> Generator[EngineHarness]:
    with harness_on(postgres_server.url) as harness:
        yield harness


def test_a_server_that_crashes_and_comes_back_costs_each_loop_two_lines_and_nothing_else(
    postgres_server: PostgresServer, own_lab: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    load = BackgroundLoad(own_lab, caplog)
    load.submit(3)
    waiting = load.engine.task(load.tasks[0].id)
    with waiting.on_end(lambda: None):
        with load.under_fault():
            postgres_server.crash()
        load.until_failing("wakeups", "endings", attempts=2)
        with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
            load.client.submit(load.workflow, {"number": 99})

        postgres_server.start()

        own_lab.reconnect()
        load.assert_everything_ends_once()
    for loop in (*LOOPS, "endings"):
        assert load.told(loop) == [LOST, BACK]
    assert load.told("shards") == [], "the loops of the coordinator tell together"


def test_two_crashes_are_two_outages(
    postgres_server: PostgresServer, own_lab: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    load = BackgroundLoad(own_lab, caplog)
    for _ in range(2):
        with load.under_fault():
            postgres_server.crash()
        postgres_server.start()
        own_lab.reconnect()
        load.assert_everything_ends_once()
        assert load.told("coordinator") == [LOST, BACK]


@pytest.fixture
def guest(harness: EngineHarness, database: str) -> Generator[str]:
    """The address as someone who may do what the engine does, and is bound by limits."""
    name = f"guest_{harness.value('select current_database()')}"
    owner = harness.value("select current_user")
    harness.rows(f"create role {name} login password 'guest'")
    harness.rows(f"grant {owner} to {name}")
    yield conninfo.make_conninfo(database, user=name, password="guest")  # noqa: S106
    harness.rows(f"drop role {name}")


def test_a_server_that_is_out_of_connections_is_asked_until_it_has_some(
    harness: EngineHarness, guest: str, caplog: pytest.LogCaptureFixture
) -> None:
    role = conninfo.conninfo_to_dict(guest)["user"]
    with harness_on(guest) as roles:
        load = BackgroundLoad(harness, caplog, roles)
        with load.under_fault():
            harness.rows(f"alter role {role} connection limit 0")
            harness.rows(CUT)
        assert "too many connections" in str(load.engine.health["worker"].error)

        harness.rows(f"alter role {role} connection limit -1")

        load.assert_everything_ends_once()
    for loop in LOOPS:
        assert load.told(loop) == [LOST, BACK]


def test_a_server_that_ends_idle_sessions_leaves_the_engines_alone(
    harness: EngineHarness, guest: str, caplog: pytest.LogCaptureFixture
) -> None:
    """They say themselves how long they may be idle, the listener's too."""
    role = conninfo.conninfo_to_dict(guest)["user"]
    harness.rows(f"alter role {role} set idle_session_timeout = '50ms'")
    with harness_on(harness.url) as unlimited, harness_on(guest) as roles:
        load = BackgroundLoad(unlimited, caplog, roles)
        with load.under_fault(attempts=0):
            harness.until(lambda: harness.value(IDLE, role) > 0)

        load.assert_tasks_end_once()
    for loop in (*LOOPS, "wakeups"):
        assert load.told(loop) == []


def test_a_process_that_is_stopped_in_a_transaction_does_not_hold_the_log_for_ever(
    harness: EngineHarness, database: str
) -> None:
    with open_pool(
        database,
        min_size=1,
        max_size=1,
        timeout_seconds=PATIENCE,
        application_name="stopped",
        idle_transaction_timeout_seconds=0.1,
    ) as pool:
        with pool.connection() as connection:
            connection.execute("begin")
            connection.execute("select flowledger.lock_log()")
            harness.rows("select flowledger.lock_log()")  # it waits until the other is ended
            with pytest.raises(DatabaseUnavailable), translate_errors():
                connection.execute("select 1")

        with pool.connection() as connection:
            assert connection.execute("select 1").fetchone() == (1,)


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    def slept(_: float) -> None:
        raise AssertionError("the library pauses where the loops should")

    monkeypatch.setattr(utils, "sleep", slept)


@pytest.mark.parametrize("error", [psycopg.InterfaceError, psycopg.OperationalError])
@pytest.mark.usefixtures("no_sleep")
def test_no_recorder_sleeps_or_tries_again_by_itself(
    database: str, error: type[psycopg.Error]
) -> None:
    """The library's own would: 0.2 s, ten times, with whoever called it."""
    attempts: list[int] = []

    def fail() -> Any:
        attempts.append(1)
        raise error("gone")

    datastore = LedgerDatastore(Pool(fail, max_size=1, timeout_seconds=1))
    recorder, tracking = LedgerRecorder(datastore), LedgerTrackingRecorder(datastore)
    asked = (
        lambda: recorder.insert_events([]),
        lambda: recorder.select_events("0" * 32),
        lambda: recorder.select_notifications(1, 1),
        recorder.max_notification_id,
        lambda: tracking.insert_tracking(Tracking("reader", 1)),
        lambda: tracking.max_tracking_id("reader"),
        lambda: tracking.has_tracking_id("reader", 1),
    )
    for ask in asked:
        with pytest.raises(DatabaseUnavailable), translate_errors():
            ask()
    assert len(attempts) == len(asked)


def test_a_server_that_is_silent_is_given_up_when_connecting(
    postgres_server: PostgresServer,
) -> None:
    postgres_server.freeze()
    try:
        with pytest.raises(DatabaseUnavailable, match="timeout"):
            connect(postgres_server.url, connect_timeout_seconds=2)
    finally:
        postgres_server.thaw()
