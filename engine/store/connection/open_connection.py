"""Makes all of the engine's connections, and sets what their sessions must have.

A user, a role, a database and the variables of libpq (`PGOPTIONS`, `PGTZ`, `PGCLIENTENCODING`, ...)
all affect the settings of a session. The engine's sessions have those that its statements were
written for, whatever is set elsewhere. Left as they are: what decides whether and how a connection
is made (`PGSSLMODE`, `PGSERVICE`, ...), the rights (`role`), durability (`synchronous_commit`), and
`default_transaction_read_only`, by which operators and providers stop all writing.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from select import POLLIN, POLLOUT, poll
from time import monotonic
from types import MappingProxyType
from typing import Any, TypeVar, cast
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from flowledger.engine.errors import DatabaseUnavailable, DatabaseUnfit
from flowledger.engine.ports.patience import patience
from flowledger.engine.store.connection.forks import leave_to_parent
from flowledger.engine.store.connection.redacted_address import shown_address

SPEECH: Mapping[str, str] = MappingProxyType(
    {
        "datestyle": "ISO, MDY",
        "intervalstyle": "postgres",
        "timezone": "UTC",
        "bytea_output": "hex",
        "extra_float_digits": "1",
        "standard_conforming_strings": "on",
        "array_nulls": "on",
        "transform_null_equals": "off",
        "quote_all_identifiers": "off",
        "search_path": "pg_catalog, pg_temp",
        "default_transaction_isolation": "read committed",
        "default_transaction_deferrable": "off",
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0",
    }
)
"""The settings of a session in which only the engine speaks."""

LIMITS = (*(name for name in SPEECH if name.endswith("_timeout")), "transaction_timeout")
"""Of time: what is meant to end a session may do so while it is still being made."""

GREETING = b"""
    select pg_backend_pid(), current_setting('server_encoding'),
        (select count(set_config(s.name, s.value, false))
         from json_each_text($1::json) as s (name, value)
         where pg_backend_pid() = $2::integer)
"""
# Nothing is set in a session that may be another client's by the next statement.

PROCESS = b"select pg_backend_pid()"
PROBES = 3
HEARD_SECONDS = 2.0
# Addresses behind which a pooler was found to keep sessions: of the process, as its network is.
_keeping: set[str] = set()

C = TypeVar("C", bound=psycopg.Connection[Any])


def dial(
    url: str,
    kind: type[C],
    *,
    timeout_seconds: float = 10.0,
    settings: Mapping[str, str] = SPEECH,
    **options: Any,
) -> C:
    """A connection in autocommit mode and in UTF-8, with these settings of the session.

    Raises DatabaseUnfit for a database that is not in UTF-8, and for a pooler that gives each
    transaction another session; DatabaseUnavailable where a pooler
    takes the connection and has no session for it within the time, psycopg.Error where there is
    none. `options` are those of psycopg's connect.
    """
    seconds = max(2, round(patience(timeout_seconds)))

    def connect(address: str) -> C:
        said = make_conninfo(address, client_encoding="UTF8")
        return kind.connect(said, autocommit=True, connect_timeout=seconds, **options)

    connection = connect(_without_limits(url, _limits_in(_options(url))))
    known = _known(connection.info.server_version, SPEECH)
    try:
        _set_up(url, connection, settings, seconds)
    except psycopg.Error as error:
        # One of a role or a database may have ended it. Not given at once: poolers refuse options.
        with _instead_of(error):
            unlimited = _without_limits(url, [name for name, _ in known if name in LIMITS])
            connection = connect(unlimited)
            _set_up(unlimited, connection, settings, seconds)
    leave_to_parent(connection)
    return connection


@contextmanager
def _instead_of(first: psycopg.Error) -> Generator[None]:
    """What a second attempt meets is told as what the first one met."""
    try:
        yield
    except psycopg.Error:
        raise first from None


def _options(url: str) -> str:
    return str(conninfo_to_dict(url).get("options") or os.environ.get("PGOPTIONS", ""))


def _limits_in(text: str) -> list[str]:
    """The limits of time that a text names, as `-c lock_timeout=1` or `--lock-timeout=1`."""
    said = text.lower().replace("-", "_")
    return [name for name in LIMITS if name in said]


def _without_limits(url: str, names: Sequence[str]) -> str:
    """The address of a session without these limits, in which its options hold but for them."""
    if not names:
        return url
    return make_conninfo(url, options=" ".join([_options(url), *(f"-c {n}=0" for n in names)]))


def _set_up(
    url: str, connection: psycopg.Connection[Any], settings: Mapping[str, str], seconds: float
) -> None:
    """Set what the session must have; where that fails, it is closed."""
    try:
        greeted = connection.pgconn.backend_pid
        process, encoding = greet(connection, greeted, settings, seconds)
        _require_utf8(url, encoding)
        if process != greeted:
            require_session(url, connection, process, seconds)
            greet(connection, process, settings, seconds)
    except TimeoutError:
        connection.close()
        raise DatabaseUnavailable(
            f"{shown_address(url)} took the connection and gave it no session within {seconds} s:"
            " a pooler in front of it has none free"
        ) from None
    except BaseException:
        connection.close()
        raise


def with_keepalives(url: str, tcp_keepalive_seconds: float | None) -> str:
    """The address with the parameters of libpq for a silent server; those it has already stay."""
    if tcp_keepalive_seconds is None:
        return url
    seconds = max(1, round(tcp_keepalive_seconds))
    keepalives = {
        "keepalives_idle": seconds,
        "keepalives_interval": max(1, round(tcp_keepalive_seconds / 3)),
        "keepalives_count": 3,
        "tcp_user_timeout": 2_000 * seconds,
    }
    return make_conninfo(url, **{**keepalives, **conninfo_to_dict(url)})


def _require_utf8(url: str, encoding: str) -> None:
    if encoding != "UTF8":
        raise DatabaseUnfit(
            f"{shown_address(url)} has the encoding {encoding}, and the engine needs UTF8:"
            " create one with `create database flowledger template template0 encoding 'UTF8'`"
        )


def greet(
    connection: psycopg.Connection[Any], wanted: int, settings: Mapping[str, str], seconds: float
) -> tuple[int, str]:
    """Set the settings if the process of the session is the one that is wanted.

    Returns that process, and the encoding of the database. Raises TimeoutError, psycopg.Error.
    """
    known = _known(connection.info.server_version, settings)
    pairs = ", ".join(f'"{name}": "{value}"' for name, value in known)
    parameters = [f"{{{pairs}}}".encode(), str(wanted).encode()]
    result = ask(connection.pgconn, GREETING, parameters, monotonic() + seconds)
    row = [cast("bytes", result.get_value(0, column)) for column in range(2)]
    return int(row[0]), row[1].decode()


def require_session(
    url: str, connection: psycopg.Connection[Any], process: int, seconds: float
) -> None:
    """Raise DatabaseUnfit where the session is not the connection's for as long as it is open.

    A pooler stands between, since the process that it greeted with is not the one that answers.
    In another connection's transaction a session is held. Where that is this connection's, or this
    one is given a third, sessions are lent by transaction. Where neither is seen, a notification
    tells: only a session that is kept hears it. Raises TimeoutError, psycopg.Error.
    """
    if url in _keeping:
        return
    until = monotonic() + seconds
    other = psycopg.connect(make_conninfo(url), autocommit=True, connect_timeout=round(seconds))
    try:
        kept = all(_kept(connection, other, process, until) for _ in range(PROBES))
        kept = kept and _hears(connection, other, until)
    except psycopg.errors.ProtocolViolation:  # a pooler that lends by statement has no `begin`
        kept = False
    finally:
        other.close()
    if not kept:
        raise DatabaseUnfit(
            f"{shown_address(url)} is a pooler that gives each transaction another session, and the"
            " engine listens and keeps settings in its own: use the address of the server itself,"
            " or session mode (PgBouncer's pool_mode = session)"
        )
    _keeping.add(url)


def _kept(
    connection: psycopg.Connection[Any],
    other: psycopg.Connection[Any],
    process: int,
    until: float,
) -> bool:
    ask(other.pgconn, b"begin", [], until)
    held = _process(other, until)
    kept = held != process and _process(connection, until) == process
    ask(other.pgconn, b"rollback", [], until)
    return kept


def _process(connection: psycopg.Connection[Any], until: float) -> int:
    answer = ask(connection.pgconn, PROCESS, [], until).get_value(0, 0)
    return int(cast("bytes", answer))


def _hears(
    connection: psycopg.Connection[Any], other: psycopg.Connection[Any], until: float
) -> bool:
    channel = f"flowledger_{uuid4().hex}".encode()
    ask(connection.pgconn, b"listen " + channel, [], until)
    ask(other.pgconn, b"notify " + channel, [], until)
    waiting = poll()
    waiting.register(connection.pgconn.socket, POLLIN)
    heard = connection.pgconn.notifies() or waiting.poll(HEARD_SECONDS * 1000)
    connection.pgconn.consume_input()
    while connection.pgconn.notifies() is not None:
        pass
    ask(connection.pgconn, b"unlisten " + channel, [], until)
    return bool(heard)


def _known(version: int, settings: Mapping[str, str]) -> list[tuple[str, str]]:
    """The settings, and that of a limit which older servers do not have."""
    newer = {"transaction_timeout": "0"} if version >= 170000 else {}
    return [*settings.items(), *(newer.items() if settings else ())]


def ask(server: PGconn, query: bytes, parameters: list[bytes], until: float) -> PGresult:
    """The answer to a query, which a pooler may put off for as long as it likes.

    Raises TimeoutError, psycopg.Error.
    """
    server.send_query_params(query, parameters)
    waiting = poll()
    while True:
        unsent = server.flush()
        waiting.register(server.socket, POLLIN | (POLLOUT if unsent else 0))
        if not waiting.poll(max(0.0, until - monotonic()) * 1000):
            raise TimeoutError
        server.consume_input()
        if not unsent and not server.is_busy():
            break
    result = server.get_result()
    while server.get_result() is not None:
        pass
    if result is None or result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        raise (
            psycopg.errors.error_from_result(result)
            if result
            else psycopg.OperationalError(server.get_error_message())
        )
    return result
