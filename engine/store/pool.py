"""Connections to the database: a pool for short work, single ones to listen on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import psycopg
from psycopg import conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.redaction import redact

Connection: TypeAlias = psycopg.Connection[TupleRow]
Pool: TypeAlias = ConnectionPool[Connection]

PLANS = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}


def connect(
    url: str,
    *,
    application_name: str = "flowledger",
    connect_timeout_seconds: float = 10.0,
    statement_timeout_seconds: float | None = None,
    prepare_threshold: int | None = 0,
) -> Connection:
    """One connection of its own, in autocommit mode, without limit of time by default.

    It must be a direct one to LISTEN: through a transaction pooler nothing arrives.
    Raises DatabaseUnavailable, whose sentence never holds the password.
    """
    check(url)
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            application_name=application_name,
            connect_timeout=max(2, round(connect_timeout_seconds)),
            prepare_threshold=prepare_threshold,
        )
        _limit(connection, statement_timeout_seconds)
    except psycopg.OperationalError as error:
        raise unavailable(url, error) from error
    return connection


def open_pool(  # noqa: PLR0913 - keywords, each a setting of its own
    url: str,
    *,
    min_size: int,
    max_size: int,
    timeout_seconds: float,
    application_name: str = "flowledger",
    connect_timeout_seconds: float = 10.0,
    statement_timeout_seconds: float | None = None,
    prepare_threshold: int | None = 0,
    connected: Callable[[int], None] = lambda _: None,
) -> Pool:
    """A pool of autocommit connections, `min_size` of them open when it returns.

    `timeout_seconds` is how long a borrower waits, and how long the first ones may take. A
    statement that runs longer than `statement_timeout_seconds` is cancelled by the server (None: no
    limit). `prepare_threshold`: how often a statement runs before its plan is kept; the engine has
    few and runs each thousands of times, so 0; None behind a pooler. `connected` is told the
    process id of each connection's backend.
    Raises DatabaseUnavailable, whose sentence never holds the password.
    """
    check(url)

    def configure(connection: Connection) -> None:
        settle(connection)
        connected(connection.info.backend_pid)
        _limit(connection, statement_timeout_seconds)

    # The first connection is made here: the pool would retry until its time is up, and then
    # could not say why.
    connect(url, connect_timeout_seconds=connect_timeout_seconds).close()
    pool: Pool = ConnectionPool(
        url,
        connection_class=psycopg.Connection[TupleRow],
        kwargs={
            "autocommit": True,
            "application_name": application_name,
            "connect_timeout": max(2, round(connect_timeout_seconds)),
            "prepare_threshold": prepare_threshold,
        },
        min_size=min_size,
        max_size=max_size,
        timeout=timeout_seconds,
        configure=configure,
        name=application_name,
        open=False,
    )
    _fill(pool, url, timeout_seconds)
    return pool


def _fill(pool: Pool, url: str, seconds: float) -> None:
    try:
        pool.open(wait=True, timeout=seconds)
    except PoolTimeout as error:
        pool.close()
        raise DatabaseUnavailable(
            f"{redact(url)} gave fewer than {pool.min_size} connections within {seconds:g} s"
        ) from error


def check(url: str) -> None:
    """Refuse a text that is no connection string, without repeating it.

    Raises DatabaseUnavailable.
    """
    try:
        conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Not chained: the library's message quotes the text, and with it a password.
        raise DatabaseUnavailable(
            "database.url is not a connection string:"
            " expected postgresql://user:password@host:port/database"
        ) from None


def unavailable(url: str, error: psycopg.Error) -> DatabaseUnavailable:
    """The error to raise when the database at `url` refused or went away."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return DatabaseUnavailable(f"{redact(url)} cannot be reached: {reason}")


def settle(connection: Connection) -> None:
    """Plans that are made once and go by index, whatever the tables look like at that moment.

    Every statement of the engine is written for an index; docs/adr/0008 says what was measured.
    """
    for name, value in PLANS.items():
        connection.execute("select set_config(%s, %s, false)", (name, value), prepare=False)


def _limit(connection: Connection, seconds: float | None) -> None:
    if seconds is not None:
        milliseconds = str(max(1, round(seconds * 1000)))
        connection.execute(
            "select set_config('statement_timeout', %s, false)", (milliseconds,), prepare=False
        )
