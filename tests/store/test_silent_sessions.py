"""Sessions on which the server says nothing: given up in time, closed, and never lent again."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from math import inf
from threading import main_thread
from time import monotonic

import psycopg
import pytest
from psycopg.waiting import Wait

from flowledger.engine.errors import DatabaseSilent, DatabaseUnavailable
from flowledger.engine.ports.patience import GRACE_SECONDS, answered_within, patience
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.hurried import HurriedPool
from flowledger.engine.store.connection.pool import LATE_SECONDS, Pool, connect, open_pool
from flowledger.engine.store.connection.session import Session, Unanswered

FOR_EVER = "select pg_sleep(600)"
LIMIT, SPARE = 0.3, 2.0


@pytest.fixture
def pool(database: str) -> Generator[Pool]:
    with open_pool(database, min_size=1, max_size=1, timeout_seconds=10) as pool:
        yield pool


def ask_plainly(session: Session) -> None:
    session.execute(FOR_EVER)


def ask_in_a_transaction(session: Session) -> None:
    with session.transaction():
        session.execute(FOR_EVER)


def ask_in_a_pipeline(session: Session) -> None:
    with session.pipeline():
        session.execute(FOR_EVER)


@pytest.mark.parametrize("ask", [ask_plainly, ask_in_a_transaction, ask_in_a_pipeline])
def test_a_session_without_an_answer_is_closed_and_another_takes_its_place(
    pool: Pool, ask: Callable[[Session], None]
) -> None:
    began = monotonic()
    with HurriedPool(pool, LIMIT).connection() as silent:
        with pytest.raises(DatabaseSilent, match=r"not answered for 0.3 s"), translate_errors():
            ask(silent)
        assert monotonic() - began < LIMIT + SPARE
        assert silent.closed

    with pool.connection() as other:
        assert other is not silent
        assert other.execute("select 1").fetchone() == (1,)


def test_who_was_lent_it_in_a_hurry_leaves_no_hurry_behind(pool: Pool) -> None:
    with HurriedPool(pool, LIMIT).connection() as first:
        assert first.answer_seconds == LIMIT

    with pool.connection() as second:
        assert second is first
        assert second.answer_seconds == inf


def test_an_answer_that_comes_in_pieces_may_take_longer_than_one_that_does_not(pool: Pool) -> None:
    pieces = "select repeat('x', 100000), pg_sleep(0.1) from generate_series(1, 8)"
    with HurriedPool(pool, LIMIT).connection() as connection:
        began = monotonic()

        rows = connection.execute(pieces).fetchall()

        assert len(rows) == 8
        assert monotonic() - began > 2 * LIMIT


def test_a_statement_that_the_server_cancels_is_not_taken_for_silence(database: str) -> None:
    with (
        open_pool(
            database,
            min_size=1,
            max_size=1,
            timeout_seconds=10,
            statement_timeout_seconds=LIMIT,
        ) as pool,
        pool.connection() as connection,
    ):
        assert connection.answer_seconds == LIMIT + LATE_SECONDS

        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(FOR_EVER)


def test_a_caller_without_time_has_the_grace_and_nobody_more_than_the_limit() -> None:
    assert patience(15.0) == 15.0
    with answered_within(5.0):
        assert 4.0 < patience(15.0) <= 5.0
        with answered_within(60.0):
            assert patience(15.0) <= 5.0
        with answered_within(0.0):
            assert patience(15.0) == GRACE_SECONDS
            assert patience(1.0) == 1.0
    with answered_within(None):
        assert patience(15.0) == 15.0
    assert patience(inf) == inf


def test_a_caller_does_not_wait_longer_for_a_new_session_than_it_said() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        address = f"postgresql://one@127.0.0.1:{deaf.getsockname()[1]}/one"
        began = monotonic()
        with pytest.raises(DatabaseSilent, match="cannot be reached"), answered_within(0.0):
            connect(address)
        assert monotonic() - began < GRACE_SECONDS + SPARE


def test_a_caller_does_not_wait_longer_for_the_session_of_another_than_it_said(pool: Pool) -> None:
    def borrow() -> None:
        with answered_within(0.0), pool.connection():
            raise AssertionError("the only one is lent")

    with pool.connection(), ThreadPoolExecutor() as threads:
        began = monotonic()
        with pytest.raises(DatabaseUnavailable, match="became free within 2 s"):
            threads.submit(borrow).result()
        assert monotonic() - began < GRACE_SECONDS + SPARE


@pytest.fixture
def _heard() -> Generator[None]:
    """Ctrl-C interrupts, also in what was started so that it does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_heard")
def test_ctrl_c_ends_a_statement_and_is_not_taken_for_silence(database: str) -> None:
    with connect(database) as connection, psycopg.connect(database, autocommit=True) as other:
        connection.answer_seconds = 60.0
        with ThreadPoolExecutor() as threads:
            threads.submit(_interrupt_when_it_runs, other, connection.info.backend_pid)
            with pytest.raises(KeyboardInterrupt):
                connection.execute(FOR_EVER)


def test_a_statement_that_is_interrupted_within_its_exchange_closes_the_session(
    database: str,
) -> None:
    def interrupted() -> Generator[Wait, int, None]:
        yield Wait.R
        raise KeyboardInterrupt

    with connect(database) as connection:
        connection.answer_seconds = 60.0
        connection.pgconn.send_query(FOR_EVER.encode())
        with pytest.raises(KeyboardInterrupt):
            connection.wait(interrupted())

        assert connection.closed


def _interrupt_when_it_runs(other: psycopg.Connection, process: int) -> None:
    query = "select state from pg_stat_activity where pid = %s and query like '%%600%%'"
    while other.execute(query, (process,)).fetchone() != ("active",):
        pass
    signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)


def test_without_a_limit_nothing_is_in_between(database: str) -> None:
    with connect(database) as connection:
        assert isinstance(connection, Session)
        assert connection.answer_seconds == inf
        with pytest.raises(Unanswered), answered_within(0.0):
            connection.execute(FOR_EVER)
