"""Transactional steps: a handler's writes and the completion of its step are one commit.

Protocol
--------

A handler is lent a cursor in an open transaction. When it returns, one message to the server runs
the deferred constraints, takes the engine's role, calls `complete_transactional_step` (release the
queue row, append the completion) and commits. The log lock is taken last in that message, so
neither user code nor a network round trip happens while it is held.

What can go wrong
-----------------

- The worker has lost the step: `complete_transactional_step` refuses, and all is rolled back.
- The handler ends the transaction: its connection and its cursor refuse that. If it finds another
  way, the mark that was set for the transaction is gone, and `complete_transactional_step` refuses.
- The handler closed the connection, or left it in the middle of something, or the server ended the
  session: nothing is stored, and the attempt has failed, like any other.
- The connection is lost on the way to the commit, so that its outcome is unknown: the log is asked,
  under its lock, which waits for a commit that is still under way. If the completion is not stored,
  or the log cannot be asked, the attempt has failed; the log refuses that failure if the completion
  is there after all.
- The handler is abandoned after a timeout: its transaction cannot be committed any more, and the
  server ends it when it is idle for longer than the whole attempt may take.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from threading import Semaphore
from typing import LiteralString, cast
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.pq import PipelineStatus

from flowledger.engine.config import Settings
from flowledger.engine.errors import (
    DatabaseUnavailable,
    EngineClosed,
    StepLost,
    StreamMoved,
    TransactionEnded,
    TransactionReadOnly,
)
from flowledger.engine.events.step import StepCompleted
from flowledger.engine.ports.clock_and_wakeup import NO_CRASH_POINTS, CrashPoints
from flowledger.engine.ports.worker import Claim
from flowledger.engine.store.connection.errors import (
    NOT_HELD,
    READ_ONLY,
    STREAM_MOVED,
    TRANSACTION_ENDED,
    sentence,
    translate_errors,
)
from flowledger.engine.store.connection.open_connection import dial, with_keepalives
from flowledger.engine.store.connection.pool import Pool, is_in_use, unavailable
from flowledger.engine.store.connection.restricted import LentConnection, LentCursor
from flowledger.engine.store.log.event_mapper import EventMapper, StoredLogEvent

BEGIN: LiteralString = """
    begin isolation level read committed, not deferrable;
    set local flowledger.transaction = {mark};
    set local lock_timeout = {lock};
    set local statement_timeout = {statement};
    set local idle_in_transaction_session_timeout = {idle}
"""
# Limits that the handler set are for its own statements.
COMPLETE: LiteralString = """
    set local statement_timeout = %s;
    set constraints all immediate;
    set session authorization default;
    reset role;
    set local lock_timeout = 0;
    select flowledger.complete_transactional_step(%s, %s, %s, %s, %s, %s);
    commit
"""
UNLIMITED: LiteralString = "set local transaction_timeout = 0;"
"""Older servers have no such limit."""
# All of `discard all` but the statements that psycopg prepared, and believes to be there.
CLEAN: LiteralString = """
    close all;
    set session authorization default;
    reset role;
    reset all;
    do $$ declare v_name text; begin
        for v_name in select name from pg_catalog.pg_prepared_statements where from_sql loop
            execute pg_catalog.format('deallocate %I', v_name);
        end loop;
    end $$;
    unlisten *;
    select pg_advisory_unlock_all();
    discard plans;
    discard sequences;
    discard temp
"""


class PostgresTransactions:
    """Transactions on connections of their own, at most `worker.transactional_connections`."""

    def __init__(
        self,
        url: str,
        pool: Pool,
        mapper: EventMapper,
        settings: Settings,
        faults: CrashPoints = NO_CRASH_POINTS,
    ) -> None:
        self._pool = pool
        self._mapper = mapper
        self._settings = settings.worker
        self._faults = faults
        self._url = with_keepalives(url, settings.database.tcp_keepalive_seconds)
        self._database = settings.database
        # Who waits for a connection waits as long as its step's timeout lets it.
        self._places = Semaphore(self._settings.transactional_connections)
        self._lent = Pool(
            self._connected,
            max_size=self._settings.transactional_connections,
            timeout_seconds=settings.database.connect_timeout_seconds,
        )

    def run(
        self,
        worker: UUID,
        claim: Claim,
        timeout_seconds: float | None,
        work: Callable[[object], StepCompleted],
    ) -> StepCompleted | None:
        """Call `work` with a cursor; what it wrote and what it returns are stored together.

        None where there was no connection to call it with. Raises what `work` raises, StepLost,
        TransactionEnded, TransactionReadOnly, and DatabaseUnavailable where the connection was lost
        before the commit; then nothing is stored, or the log refuses that the step failed.
        """
        with self._places, ExitStack() as lent:
            try:
                connection = cast("LentConnection", lent.enter_context(self._lent.connection()))
            except (DatabaseUnavailable, EngineClosed):
                return None
            lent.callback(leave, connection)
            mark = str(uuid4())
            if not self._begun(connection, mark, timeout_seconds):
                return None
            fact = self._worked(connection, claim, work)
            stored = self._mapper.to_stored_event(fact)
            place = (worker, claim.step_id, claim.attempt, mark)
            self._complete(connection, claim, place, stored)
            return fact

    def close(self) -> None:
        """Close its connections; one that is lent still when it comes back."""
        self._lent.close()

    def _connected(self) -> LentConnection:
        database = self._database
        try:
            # Of the settings, a handler has those of its role: it speaks here, too.
            return dial(
                self._url,
                LentConnection,
                timeout_seconds=database.connect_timeout_seconds,
                settings={},
                application_name=database.application_name,
                cursor_factory=LentCursor,
            )
        except psycopg.Error as error:
            raise unavailable(self._url, error) from error

    def _begun(self, connection: LentConnection, mark: str, timeout_seconds: float | None) -> bool:
        settings = self._settings
        begin = sql.SQL(BEGIN).format(
            mark=sql.Literal(mark),
            lock=sql.Literal(milliseconds(settings.transaction_lock_timeout_seconds)),
            statement=sql.Literal(milliseconds(settings.transaction_statement_timeout_seconds)),
            idle=sql.Literal(milliseconds(timeout_seconds or 0)),
        )
        try:
            connection.execute(begin, prepare=False)
        except psycopg.OperationalError:
            return False
        return True

    def _worked(
        self, connection: LentConnection, claim: Claim, work: Callable[[object], StepCompleted]
    ) -> StepCompleted:
        connection.lend(claim.step)
        try:
            with connection.cursor() as cursor:
                return work(cursor)
        finally:
            connection.lend(None)

    def _complete(
        self,
        connection: LentConnection,
        claim: Claim,
        place: tuple[UUID, UUID, int, str],
        stored: StoredLogEvent,
    ) -> None:
        self._faults.reached("completing")
        try:
            refuse_in_use(connection)
            cursor = psycopg.ClientCursor(connection)
            unlimited = UNLIMITED if connection.info.server_version >= 170000 else ""
            limit = milliseconds(self._settings.transaction_statement_timeout_seconds)
            cursor.execute(unlimited + COMPLETE, (limit, *place, stored.state, stored.encoding))
            self._faults.reached("completed")
        except psycopg.Error as error:
            if error.sqlstate == NOT_HELD:
                raise StepLost(claim.step) from error
            if error.sqlstate == TRANSACTION_ENDED:
                raise TransactionEnded(claim.step) from error
            if error.sqlstate == STREAM_MOVED:
                raise StreamMoved(sentence(error)) from error
            if error.sqlstate == READ_ONLY and not writes_are_refused(connection):
                raise TransactionReadOnly(claim.step) from error
            if not cut_off(error, connection):
                raise
            if not self._is_recorded(stored):
                raise DatabaseUnavailable(
                    f"step {claim.step!r}: the connection of its transaction was closed or left in"
                    f" use, and nothing is stored: {sentence(error)}",
                    error.sqlstate,
                ) from error

    def _is_recorded(self, stored: StoredLogEvent) -> bool:
        """Whether the completion is in the log; False also where the log cannot be asked."""
        query = "select flowledger.confirm_recorded(%s, %s)"
        try:
            with translate_errors(), self._pool.connection() as connection:
                row = connection.execute(query, (stored.originator_id, stored.state)).fetchone()
        except DatabaseUnavailable:
            return False
        return bool(row and row[0])


def refuse_in_use(connection: LentConnection) -> None:
    """Raise psycopg's OperationalError where a statement of ours would wait for the handler's."""
    if connection.pgconn.pipeline_status != PipelineStatus.OFF:
        raise psycopg.OperationalError("the connection is in pipeline mode")
    if is_in_use(connection):
        raise psycopg.OperationalError("a copy or a stream was left open on the connection")


def writes_are_refused(connection: LentConnection) -> bool:
    """Whether another transaction could not write either: then it is not the handler's doing."""
    try:
        connection.rollback()
        return connection.execute("show transaction_read_only").fetchone() != ("off",)
    except psycopg.Error:
        return True


def cut_off(error: psycopg.Error, connection: LentConnection) -> bool:
    """Whether the connection is lost, rather than a statement refused."""
    lost = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return lost and (connection.closed or error.sqlstate is None)


def milliseconds(seconds: float) -> str:
    """Seconds as the server's settings take them; 0 is no limit."""
    return str(max(1, round(seconds * 1000))) if seconds else "0"


def leave(connection: LentConnection) -> None:
    """End what is open, and leave nothing of one handler's session to the next.

    Where that cannot be said, or somebody made another class of it, it is closed.
    """
    with suppress(psycopg.Error):
        refuse_in_use(connection)
        if type(connection) is LentConnection:
            connection.rollback()
            connection.execute(CLEAN, prepare=False)
            return
    connection.pgconn.finish()
