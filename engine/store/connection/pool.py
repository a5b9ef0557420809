"""A connection pool for short transactions, and single connections to listen on.

A borrower that finds no idle connection makes one in its own thread, so that it learns at once why
there is none, and the first attempt after an outage succeeds: nothing here pauses, retries or works
in the background. The borrower decides how long to pause.

An idle connection has nothing to read. If there is something, the server has ended the session (a
restart, an idle timeout, an operator) or a setting has changed; the connection is discarded before
it costs an attempt.

A session on which the server says nothing for too long is given up, and closed: see `session`. How
long that is depends on who asks: the server cancels a pool's statements itself, and a while after
that its answer is due; short questions have less time (`hurried`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from math import inf
from select import POLLIN, poll
from threading import Condition
from time import monotonic
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeAlias

import psycopg
from psycopg import conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from flowledger.engine.display_text import on_one_line, short
from flowledger.engine.errors import DatabaseSilent, DatabaseUnavailable, EngineClosed
from flowledger.engine.ports.fork_guard import Opener
from flowledger.engine.ports.patience import patience
from flowledger.engine.store.connection.far_times import read_far_times
from flowledger.engine.store.connection.open_connection import dial, with_keepalives
from flowledger.engine.store.connection.pool_wait_health import PATIENCE_SECONDS, Waits
from flowledger.engine.store.connection.pulse import Pulse
from flowledger.engine.store.connection.redacted_address import shown_address, unknown_parameter
from flowledger.engine.store.connection.session import SILENCES, Session
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Health

Connection: TypeAlias = psycopg.Connection[TupleRow]

PLANS = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}
# 25006: the session was made while the database was read-only. 0A000: its plans are of before a
# migration. Another session may do.
OUT_OF_DATE = frozenset({"25006", "0A000"})
LATE_SECONDS = 5.0
"""So long after it has cancelled a statement a server that answers has said so."""


class Pool:
    """At most `max_size` connections, each lent to one borrower; the last one back goes first."""

    def __init__(
        self,
        connect: Callable[[], Session],
        *,
        max_size: int,
        timeout_seconds: float,
        answer_seconds: float = inf,
    ) -> None:
        self._connect = connect
        self.answer_seconds = answer_seconds
        self._max_size = max_size
        self._timeout = timeout_seconds
        self._changed = Condition()
        self._idle: list[Session] = []
        self._lent = 0
        self._closed = False
        self._opener = Opener()
        self.pulse = Pulse(self.connection)
        self._made = 0
        self._told = False
        self._log = logger("pool")
        self._waits = Waits(max_size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self, wait: bool = False, timeout: float = 0.0) -> None:  # noqa: FBT001, FBT002
        """It is open; the `eventsourcing` library says this before each use."""

    def fill(self, size: int) -> None:
        """Have so many connections idle. Raises DatabaseUnavailable, and closes the pool then."""
        try:
            while len(self._idle) < size:
                connection = self._new_one()
                with self._changed:
                    self._idle.append(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close what is idle now, and what is lent when it comes back; in a fork nothing is."""
        if not self._opener.is_here:
            return
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        for connection in idle:
            connection.close()

    @property
    def has_room(self) -> bool:
        """Whether a borrower would be given one now, without waiting for another borrower."""
        return self._lent < self._max_size and not self._closed

    @property
    def health(self) -> Health:
        """Whether somebody has waited for a connection for longer than a second; asks nobody."""
        return self._waits.health

    @property
    def made(self) -> int:
        """How many connections were made so far.

        Where this has not changed nobody can have put another database in the place of this one:
        that ends every session.
        """
        return self._made

    @contextmanager
    def connection(self, answer_seconds: float = inf) -> Generator[Session]:
        """Within the block, a connection that works as far as can be told without asking.

        The server may say nothing on it for as long as this pool allows, or for `answer_seconds`.
        Raises DatabaseUnavailable where none can be made, or none is given back in time,
        EngineClosed, and EngineForked.
        """
        connection = self._borrow()
        connection.answer_seconds = min(answer_seconds, self.answer_seconds)
        try:
            yield connection
        except psycopg.Error as error:
            if error.sqlstate in OUT_OF_DATE:
                connection.close()
            raise
        finally:
            self._give_back(connection)

    def _borrow(self) -> Session:
        # First, as another thread may have held the lock when the process was forked.
        self._opener.require()
        self._await_turn()
        try:
            return self._idle_one() or self._new_one()
        except BaseException:
            with self._changed:
                self._lent -= 1
                self._changed.notify()
            raise

    def _await_turn(self) -> None:
        with self._changed:
            self._told = self._told and self._lent >= self._max_size
            if self._lent >= self._max_size and not self._closed:
                with self._waits.noted(full=True):
                    self._await_return()
            if self._closed:
                raise EngineClosed
            self._lent += 1

    def _await_return(self) -> None:
        began, seconds = monotonic(), patience(self._timeout)
        until = began + seconds
        while self._lent >= self._max_size and not self._closed:
            tell = until if self._told else min(until, began + PATIENCE_SECONDS)
            if self._changed.wait(tell - monotonic()) or monotonic() < tell:
                continue
            if not self._told:
                self._told = True
                self._log.emit(Signal.POOL_EXHAUSTED, connections=self._max_size)
            if monotonic() >= until:
                raise DatabaseUnavailable(
                    f"none of this process's {self._max_size} connections became free within"
                    f" {seconds:.3g} s (database.pool_max_size)"
                )

    def _new_one(self) -> Session:
        with self._waits.noted(full=False):
            connection = self._connect()
        with self._changed:
            self._made += 1
        return connection

    def _idle_one(self) -> Session | None:
        while True:
            with self._changed:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not has_something_to_read(connection):
                return connection
            connection.close()

    def _give_back(self, connection: Session) -> None:
        clean = connection.pgconn.transaction_status == TransactionStatus.IDLE
        with self._changed:
            self._lent -= 1
            keep = clean and not self._closed
            if keep:
                self._idle.append(connection)
            self._changed.notify()
        if not keep:
            connection.close()


def has_something_to_read(connection: Connection) -> bool:
    """Whether the server has said something to an idle connection: it is not to be used again."""
    reading = poll()
    reading.register(connection.fileno(), POLLIN)
    return bool(reading.poll(0))


def is_in_use(connection: psycopg.Connection[Any]) -> bool:
    """Whether a copy or a stream that somebody left open holds it: any statement would wait."""
    status = connection.pgconn.transaction_status
    return connection.lock.locked() or status == TransactionStatus.ACTIVE


def connect(
    url: str,
    *,
    application_name: str = "flowledger",
    connect_timeout_seconds: float = 10.0,
    tcp_keepalive_seconds: float | None = None,
    prepare_threshold: int | None = 0,
) -> Session:
    """One connection of its own, in autocommit mode, whose statements have no limit of time.

    It must be a direct one to LISTEN: through a transaction pooler nothing arrives. After
    `tcp_keepalive_seconds` the server is asked whether it is still there, and after twice as many
    the connection counts as lost (None: as the system does it). Raises DatabaseUnavailable, whose
    sentence never holds the password.
    """
    check(url)
    try:
        connection = dial(
            with_keepalives(url, tcp_keepalive_seconds),
            Session,
            timeout_seconds=connect_timeout_seconds,
            application_name=application_name,
            prepare_threshold=prepare_threshold,
        )
    except psycopg.Error as error:
        raise unavailable(url, error) from error
    read_far_times(connection)
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
    lock_timeout_seconds: float | None = None,
    idle_transaction_timeout_seconds: float | None = None,
    tcp_keepalive_seconds: float | None = None,
    prepare_threshold: int | None = 0,
    connected: Callable[[int], None] = lambda _: None,
) -> Pool:
    """A pool of autocommit connections, `min_size` of them open when it returns.

    `timeout_seconds` is how long a borrower waits for a free one. The server cancels a statement
    that runs for longer than `statement_timeout_seconds` or waits for one lock for longer than
    `lock_timeout_seconds`, and ends a session that holds a transaction open and says nothing for
    `idle_transaction_timeout_seconds` (None: no limit). `prepare_threshold`: how often a statement
    runs before its plan is kept; the engine has few and runs each thousands of times, so 0; None
    behind a pooler. `connected` is told the process id of each connection's backend.
    Raises DatabaseUnavailable, whose sentence never holds the password.
    """
    given = _limits(
        statement_timeout_seconds, lock_timeout_seconds, idle_transaction_timeout_seconds
    )

    def connect_one() -> Session:
        connection = connect(
            url,
            application_name=application_name,
            connect_timeout_seconds=connect_timeout_seconds,
            tcp_keepalive_seconds=tcp_keepalive_seconds,
            prepare_threshold=prepare_threshold,
        )
        connection.answer_seconds = connect_timeout_seconds
        connected(_set_up(connection, url, given))
        return connection

    pool = Pool(
        connect_one,
        max_size=max_size,
        timeout_seconds=timeout_seconds,
        answer_seconds=_due(statement_timeout_seconds),
    )
    pool.fill(min(min_size, max_size))
    return pool


def _set_up(connection: Connection, url: str, limits: Mapping[str, str]) -> int:
    try:
        return apply_session_settings(connection, limits)
    except psycopg.Error as error:
        connection.close()
        raise unavailable(url, error) from error


def _due(statement: float | None) -> float:
    """Seconds after which an answer is there from a server that cancels statements in time."""
    return inf if statement is None else statement + LATE_SECONDS


def _limits(
    statement: float | None, lock: float | None, idle_transaction: float | None
) -> dict[str, str]:
    seconds = {
        "statement_timeout": statement,
        "lock_timeout": lock,
        "idle_in_transaction_session_timeout": idle_transaction,
    }
    return {name: _milliseconds(limit) for name, limit in seconds.items() if limit is not None}


def check(url: str) -> None:
    """Refuse a text that is no connection string, without repeating it.

    Raises DatabaseUnavailable.
    """
    try:
        conninfo.conninfo_to_dict(url)
    except (psycopg.ProgrammingError, UnicodeEncodeError):
        unknown = unknown_parameter(url)
        fault = (
            f"database.url has the parameter {short(unknown)!r}, which libpq does not know"
            if unknown
            else "database.url is not a connection string:"
            " expected postgresql://user:password@host:port/database"
        )
        # Not chained: the library's message quotes the text, and with it a password.
        raise DatabaseUnavailable(fault) from None


def unavailable(url: str, error: psycopg.Error) -> DatabaseUnavailable:
    """The error to raise when the database at `url` refused or went away."""
    reason = on_one_line(str(error)) or type(error).__name__
    sentence = f"{on_one_line(shown_address(url))} cannot be reached: {reason}"
    if isinstance(error, SILENCES):
        return DatabaseSilent(sentence)
    return DatabaseUnavailable(sentence, error.sqlstate)


def apply_session_settings(
    connection: Connection, limits: Mapping[str, str] = MappingProxyType({})
) -> int:
    """Plans that are made once and go by index, whatever the tables look like at that moment.

    Returns the process id of the session, which behind a pooler is not the one it greets with.

    Every statement of the engine is written for an index; docs/adr/0008 says what was measured.
    `limits` are settings of the session beside these.
    """
    settings = {**PLANS, **limits}
    rows = connection.execute(
        "select pg_backend_pid(), set_config(s.name, s.value, false)"
        " from unnest(%s::text[], %s::text[]) as s (name, value)",
        (list(settings), list(settings.values())),
        prepare=False,
    ).fetchall()
    return int(rows[0][0])


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))
