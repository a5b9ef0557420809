"""Limits of time that others set on a session do not end it before the engine's hold."""

from __future__ import annotations

from pathlib import Path
from select import POLLIN, poll
from typing import Any, Self

import psycopg
import pytest

from flowledger.engine.store.connection.open_connection import dial
from flowledger.engine.store.embedded import server as embedded
from support.engines import PATIENCE
from support.postgres_server import PostgresServer

LIMITS = (
    "statement_timeout",
    "transaction_timeout",
    "idle_session_timeout",
    "idle_in_transaction_session_timeout",
)
TIMES = 50


class Slow(psycopg.Connection[Any]):
    """One whose process was busy with something else until the server had ended its session."""

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Self:  # type: ignore[override]
        connection = super().connect(conninfo, **options)
        limited = "idle_session_timeout=0" not in (connection.info.options or "")
        if limited:
            waiting = poll()
            waiting.register(connection.pgconn.socket, POLLIN)
            assert waiting.poll(PATIENCE * 1000)
        return connection


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_of_the_environment_changes_nothing(
    database: str, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setenv("PGOPTIONS", f"-c {limit}=1 -c work_mem=1234kB")
    query = "select current_setting(%s), current_setting('work_mem')"

    for _ in range(TIMES):
        with dial(database, psycopg.Connection) as connection:
            assert connection.execute(query, (limit,)).fetchone() == ("0", "1234kB")


def test_limits_of_a_database_change_nothing(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for limit in ("statement_timeout", "idle_session_timeout"):
            connection.execute(f"alter database {connection.info.dbname} set {limit} = 1")

    for _ in range(TIMES):
        dial(database, psycopg.Connection).close()


def test_a_session_that_was_ended_before_it_could_speak_is_made_again(
    database: str,
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"alter database {connection.info.dbname} set idle_session_timeout = 1")

    dial(database, Slow).close()


@pytest.mark.parametrize("limit", LIMITS)
def test_the_embedded_server_is_found_whatever_the_environment_limits(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    server = Path(psycopg.conninfo.conninfo_to_dict(postgres_server.url)["host"])
    monkeypatch.setenv("PGOPTIONS", f"-c {limit}=1")

    for _ in range(TIMES // 5):
        found = embedded.start(server.parent, fsync=True, timeout_seconds=PATIENCE)
        assert (found.url, found.started) == (postgres_server.url, False)
