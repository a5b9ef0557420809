"""What was read of the log and then lost with the server is in no rows.

Who submits a task within a transaction of his own may have that not wait for the disk, so a crash
of the server may lose the last events, with all that was stored behind them.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress

import pytest

from flowledger.engine import DatabaseUnavailable
from support.engines import EngineHarness, harness_on
from support.postgres_server import PostgresServer
from support.projection_hosts import ProjectionHosts, hosts_on
from support.spend_projection import charged, fold, record, rows, spending


@pytest.fixture
def crashing(postgres_server: PostgresServer) -> Generator[EngineHarness]:
    """A lab on a server whose log writer does not flush by itself for ten seconds."""
    with harness_on(postgres_server.url) as harness:
        harness.rows("alter system set wal_writer_delay = '10s'")
        harness.rows("select pg_reload_conf()")
        yield harness


@pytest.fixture
def hosts(crashing: EngineHarness) -> Generator[ProjectionHosts]:
    with hosts_on(crashing) as found:
        yield found


def test_an_event_that_a_crash_of_the_server_loses_is_not_counted(
    crashing: EngineHarness, hosts: ProjectionHosts, postgres_server: PostgresServer
) -> None:
    record(crashing, [charged("ann")])
    host = hosts.host(spending())
    host.settle()
    crashing.rows("set synchronous_commit = off")
    record(crashing, [charged("eve")])
    host.read()
    assert set(rows(crashing)) == {"ann", "eve"}

    postgres_server.crash()
    postgres_server.start()
    crashing.reconnect()
    assert set(rows(crashing)) == set(fold(crashing)) == {"ann"}
    record(crashing, [charged("bob")])
    while hosts.standing() != "caught_up":
        with suppress(DatabaseUnavailable):
            host.settle()

    assert rows(crashing) == fold(crashing)


def test_rows_that_a_crash_of_the_server_loses_are_made_again_before_anything_else_happens(
    crashing: EngineHarness, hosts: ProjectionHosts, postgres_server: PostgresServer
) -> None:
    """What is committed with a batch need not have reached the disk; its events have."""
    host = hosts.host(spending())
    host.settle()
    record(crashing, [charged("ann")])
    host.read()
    assert rows(crashing) == fold(crashing) == {"ann": 1}

    postgres_server.crash()
    postgres_server.start()
    crashing.reconnect()
    assert rows(crashing) == {}
    for _ in range(3):
        with suppress(DatabaseUnavailable):
            host.settle()

    assert rows(crashing) == fold(crashing) == {"ann": 1}
