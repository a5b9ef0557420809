"""Connections: set up as the settings say, and errors that name the place but no password."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import conninfo

from flowledger.engine.errors import DatabaseUnavailable, EngineClosed
from flowledger.engine.store.connection.pool import PLANS, Pool, connect, open_pool


def open_one(url: str, **settings: Any) -> Any:
    return open_pool(url, min_size=1, max_size=1, timeout_seconds=10, **settings)


def test_a_pooled_connection_is_what_the_settings_say(database: str) -> None:
    with (
        open_one(
            database,
            application_name="tests",
            statement_timeout_seconds=1.5,
            lock_timeout_seconds=2,
            idle_transaction_timeout_seconds=7,
        ) as pool,
        pool.connection() as connection,
    ):
        shown = [
            connection.execute(f"show {name}".encode()).fetchone()
            for name in (
                "application_name",
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
            )
        ]

        assert shown == [("tests",), ("1500ms",), ("2s",), ("7s",)]
        assert connection.autocommit
        assert connection.prepare_threshold == 0


def test_a_pooled_connection_keeps_its_plans_and_its_backend_is_told(database: str) -> None:
    told: list[int] = []
    with open_one(database, connected=told.append) as pool, pool.connection() as connection:
        shown = {
            name: connection.execute(f"show {name}".encode()).fetchone() == (value,)
            for name, value in PLANS.items()
        }

        assert shown == dict.fromkeys(PLANS, True)
        assert told == [connection.info.backend_pid]


def test_a_connection_looks_for_names_only_where_nobody_else_may_create_any(database: str) -> None:
    strayed = conninfo.make_conninfo(database, options="-c search_path=public")

    with open_one(strayed) as pool, pool.connection() as pooled, connect(strayed) as single:
        for connection in (pooled, single):
            shown = connection.execute("show search_path").fetchone()
            assert shown == ("pg_catalog, pg_temp",)


def test_a_statement_that_takes_too_long_is_cancelled_and_the_pool_goes_on(database: str) -> None:
    with open_one(database, statement_timeout_seconds=0.05) as pool:
        with pool.connection() as connection, pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("select pg_sleep(30)")

        with pool.connection() as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_a_connection_that_listens_has_no_limit_of_time(database: str) -> None:
    with connect(database) as connection:
        assert connection.execute("show statement_timeout").fetchone() == ("0",)
        assert connection.autocommit


def test_a_connection_that_was_cut_is_replaced(database: str, connection: Any) -> None:
    with open_one(database) as pool:
        with pool.connection() as borrowed:
            connection.execute("select pg_terminate_backend(%s)", (borrowed.info.backend_pid,))
            with pytest.raises(psycopg.OperationalError):
                borrowed.execute("select 1")

        with pool.connection() as borrowed:
            assert borrowed.execute("select 1").fetchone() == (1,)


@pytest.fixture
def nobody_listens() -> str:
    """An address at which no server answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return f"postgresql://ada:s3cr3t@127.0.0.1:{port}/flow"


@pytest.mark.parametrize("open_it", [connect, open_one])
def test_a_database_that_is_away_is_named_without_its_password(
    nobody_listens: str, open_it: Callable[[str], Any]
) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"ada:\*\*\*@127\.0\.0\.1.*refused") as caught:
        open_it(nobody_listens)

    assert "s3cr3t" not in str(caught.value) + str(caught.value.__cause__)


def test_a_parameter_that_libpq_does_not_know_is_named() -> None:
    with pytest.raises(DatabaseUnavailable, match="has the parameter 'autocommit', which libpq"):
        connect("postgresql://ada:s3cr3t@host/x?autocommit=1")


@pytest.mark.parametrize("open_it", [connect, open_one])
@pytest.mark.parametrize(
    "text", ["s3cr3t", "postgresql://ada:s3cr3t@host/x?s3cr3t", "host=x s3cr3t"]
)
def test_what_is_no_connection_string_is_refused_and_not_repeated(
    open_it: Callable[[str], Any], text: str
) -> None:
    with pytest.raises(DatabaseUnavailable, match="not a connection string") as caught:
        open_it(text)

    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.fixture
def guest(database: str, connection: psycopg.Connection[Any]) -> Generator[str]:
    """The address as someone who is no superuser, and so is bound by the limits that are set."""
    name = f"guest_{connection.info.dbname}"
    connection.execute(f"create role {name} login password 'guest'".encode())
    yield conninfo.make_conninfo(database, user=name, password="guest")  # noqa: S106
    connection.execute(f"drop role {name}".encode())


def test_too_few_connections_are_an_error_and_not_an_endless_wait(
    guest: str, connection: psycopg.Connection[Any]
) -> None:
    limit = f"alter database {connection.info.dbname} connection limit 2"  # one is ours
    connection.execute(limit.encode())

    with pytest.raises(DatabaseUnavailable, match=r"guest_.* cannot be reached: .*too many conn"):
        open_pool(guest, min_size=3, max_size=3, timeout_seconds=30)


def backend(pool: Pool) -> int:
    with pool.connection() as connection:
        return connection.info.backend_pid


def test_an_idle_connection_that_the_server_ended_costs_no_attempt(
    database: str, connection: psycopg.Connection[Any]
) -> None:
    with open_one(database) as pool:
        ended = backend(pool)
        connection.execute("select pg_terminate_backend(%s, 10000)", (ended,))

        assert backend(pool) != ended


def test_the_connection_that_came_back_last_is_lent_first(database: str) -> None:
    with open_pool(database, min_size=2, max_size=2, timeout_seconds=10) as pool:
        with pool.connection() as first, pool.connection():
            pass

        assert backend(pool) == first.info.backend_pid


def test_who_waits_for_a_connection_gets_the_one_that_comes_back(database: str) -> None:
    with open_one(database) as pool, ThreadPoolExecutor(1) as threads:
        with pool.connection() as borrowed:
            waiting = threads.submit(backend, pool)

        assert waiting.result(30) == borrowed.info.backend_pid


def test_who_waits_in_vain_for_a_connection_is_told_the_setting(database: str) -> None:
    with (
        open_pool(database, min_size=0, max_size=1, timeout_seconds=0.01) as pool,
        pool.connection(),
        pytest.raises(DatabaseUnavailable, match=r"1 connections .* 0\.01 s .*pool_max_size"),
    ):
        backend(pool)


def test_waiting_for_a_connection_is_told_once(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        open_pool(database, min_size=0, max_size=1, timeout_seconds=0.01) as pool,
        pool.connection(),
    ):
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable, match="pool_max_size"):
                backend(pool)

    assert [record.getMessage().split()[0] for record in caplog.records] == ["pool.exhausted"]


def test_a_closed_pool_lends_nothing_and_takes_nothing_back(database: str) -> None:
    pool = open_one(database)
    with pool.connection() as borrowed:
        pool.close()

    assert borrowed.closed
    with pytest.raises(EngineClosed):
        backend(pool)


def test_a_connection_with_an_open_transaction_is_not_lent_again(database: str) -> None:
    with open_one(database) as pool:
        with pool.connection() as borrowed:
            borrowed.execute("begin")
            left = borrowed.info.backend_pid

        assert borrowed.closed
        assert backend(pool) != left


def test_an_attempt_that_fails_leaves_its_place_in_the_pool_to_the_next(
    nobody_listens: str, database: str
) -> None:
    addresses = [nobody_listens] * 3 + [database]
    pool = Pool(lambda: connect(addresses.pop(0)), max_size=1, timeout_seconds=0)
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable, match="refused"):
            backend(pool)

    assert backend(pool)
    pool.close()


def test_a_silent_server_is_probed_unless_the_address_says_otherwise(database: str) -> None:
    with connect(f"{database}&keepalives_count=9", tcp_keepalive_seconds=30) as connection:
        asked = connection.info.get_parameters()

    wanted = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "9",
              "tcp_user_timeout": "60000"}  # fmt: skip
    assert {name: asked[name] for name in wanted} == wanted
