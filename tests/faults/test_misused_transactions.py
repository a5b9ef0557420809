"""Transactional steps that spoil the session they were lent: failed attempts, and nothing stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import Cursor, IsolationLevel
from psycopg.rows import dict_row

from flowledger.engine import Engine, TaskState
from flowledger.engine.events.step import StepAttemptFailed, StepFailed, StepRetryScheduled
from flowledger.engine.store.connection.restricted import LentConnection
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

Harm = Callable[[Cursor[Any]], object]

harming = Workflow("transactions", "harming", version="1")
beside = Workflow("transactions", "beside-harm", version="1")
pausing = Workflow("transactions", "pausing", version="1")

pipelines: list[Any] = []
kept: list[Any] = []


@pytest.fixture(scope="module", autouse=True)
def _pipelines_that_were_left() -> Generator[None]:
    """psycopg asserts that nobody ended them, and would say so when the suite ends."""
    yield
    while pipelines:
        with suppress(AssertionError):
            pipelines.pop().gen.close()


class OtherConnection(LentConnection):
    def execute(self, *_: Any, **__: Any) -> Any:
        raise TypeError("not for you")


def closes(cursor: Cursor[Any]) -> None:
    cursor.connection.close()


def finishes(cursor: Cursor[Any]) -> None:
    cursor.connection.pgconn.finish()


def closes_the_socket(cursor: Cursor[Any]) -> None:
    os.close(os.dup(cursor.connection.fileno()))
    cursor.connection.close()


def is_ended_by_the_server(cursor: Cursor[Any]) -> None:
    with suppress(psycopg.Error):
        cursor.execute("select pg_terminate_backend(pg_backend_pid())")


def leaves_a_copy_open(cursor: Cursor[Any]) -> None:
    cursor.copy("copy harmed from stdin").__enter__()


def keeps_a_copy_open(cursor: Cursor[Any]) -> None:
    kept.append(cursor.copy("copy harmed from stdin"))
    kept[-1].__enter__()


def keeps_a_stream_open(cursor: Cursor[Any]) -> None:
    kept.append(cursor.stream("select generate_series(1, 100000)"))
    next(kept[-1])


def raises_within_a_stream(cursor: Cursor[Any]) -> None:
    rows = cursor.stream("select generate_series(1, 100000)")
    for _ in rows:
        raise ValueError("the traceback keeps the stream")


def changes_the_class_of_the_connection(cursor: Cursor[Any]) -> None:
    cursor.connection.__class__ = OtherConnection
    raise ValueError("so it is not used again")


def leaves_a_pipeline_open(cursor: Cursor[Any]) -> None:
    pipelines.append(cursor.connection.pipeline())
    pipelines[-1].__enter__()


def leaves_a_failed_transaction(cursor: Cursor[Any]) -> None:
    with suppress(psycopg.Error):
        cursor.execute("select 1 / 0")


def sets_autocommit(cursor: Cursor[Any]) -> None:
    cursor.connection.autocommit = False


def sets_the_isolation(cursor: Cursor[Any]) -> None:
    cursor.connection.isolation_level = IsolationLevel.SERIALIZABLE


def uses_the_connection_as_its_own(cursor: Cursor[Any]) -> None:
    with cursor.connection:
        pass


def commits_beneath(cursor: Cursor[Any]) -> None:
    cursor.connection.pgconn.exec_(b"commit")


def begins_another(cursor: Cursor[Any]) -> None:
    cursor.connection.pgconn.exec_(b"rollback")
    cursor.connection.pgconn.exec_(b"begin")


def prepares_for_two_phases(cursor: Cursor[Any]) -> None:
    cursor.connection.tpc_begin("mine")


def exits(cursor: Cursor[Any]) -> None:
    raise SystemExit(1)


HARMS: dict[str, Harm] = {
    harm.__name__: harm
    for harm in (
        closes, finishes, closes_the_socket, is_ended_by_the_server, leaves_a_copy_open,
        keeps_a_copy_open, keeps_a_stream_open, raises_within_a_stream,
        changes_the_class_of_the_connection, leaves_a_pipeline_open,
        leaves_a_failed_transaction, sets_autocommit, sets_the_isolation,
        uses_the_connection_as_its_own, commits_beneath, begins_another, prepares_for_two_phases,
        exits,
    )
}  # fmt: skip


def listens(cursor: Cursor[Any]) -> None:
    cursor.execute("listen something")


def uses_another_cursor(cursor: Cursor[Any]) -> None:
    cursor.connection.cursor(row_factory=dict_row).execute("insert into harmed values ('other')")


def uses_another_connection(cursor: Cursor[Any]) -> None:
    with psycopg.connect(cursor.connection.info.dsn) as other:
        other.execute("select 1")


def closes_its_cursor(cursor: Cursor[Any]) -> None:
    cursor.close()


HARMLESS: dict[str, Harm] = {
    deed.__name__: deed
    for deed in (listens, uses_another_cursor, uses_another_connection, closes_its_cursor)
}


@harming.step(transactional=True, retry=Retry(max_attempts=2, backoff="none"))
def harms(context: dict[str, str], cursor: Cursor) -> None:
    cursor.execute("insert into harmed values (%s)", (context["how"],))
    {**HARMS, **HARMLESS}[context["how"]](cursor)


@beside.step(transactional=True, retry=Retry(max_attempts=1))
def works(context: dict[str, str], cursor: Cursor) -> str:
    cursor.execute("insert into worked values (%s)", (context["after"],))
    return context["after"]


@pausing.step(
    transactional=True, retry=Retry(max_attempts=3, backoff="fixed", base_seconds=60, jitter="none")
)
def closes_with_pauses(cursor: Cursor) -> None:
    cursor.connection.close()


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    shared_harness.rows("create table harmed (how text); create table worked (what text)")
    return shared_harness.open(harming, beside, pausing, worker={"transactional_connections": 1})


def written(harness: EngineHarness, how: str) -> int:
    return int(harness.value("select count(*) from harmed where how = %s", how))


@pytest.mark.parametrize("how", HARMS)
def test_each_harm_is_a_failed_attempt_and_stores_nothing(
    engine: Engine, shared_harness: EngineHarness, how: str
) -> None:
    task = engine.submit(harming, {"how": how})

    assert task.wait(PATIENCE) is TaskState.ERROR
    found = kinds(task.history(), "harms")
    assert "StepReleased" not in found
    assert found.count("StepStarted") == found.count("StepAttemptFailed") <= 2
    assert written(shared_harness, how) == (how == "commits_beneath")
    assert engine.submit(beside, {"after": how}).result(PATIENCE) == {"works": how}


@pytest.mark.parametrize("how", HARMLESS)
def test_what_does_no_harm_is_stored_with_the_step(
    engine: Engine, shared_harness: EngineHarness, how: str
) -> None:
    task = engine.submit(harming, {"how": how})

    assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert written(shared_harness, how) == 1
    assert engine.submit(beside, {"after": how}).result(PATIENCE) == {"works": how}


def test_a_closed_connection_is_tried_again_as_the_policy_says(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = engine.submit(pausing, {})
    for attempt in (1, 2):
        shared_harness.until(
            lambda n=attempt: len(of_kind(task.history(), StepRetryScheduled)) == n
        )
        shared_harness.move_clock("61 seconds")

    assert task.wait(PATIENCE) is TaskState.ERROR
    assert kinds(task.history(), "closes_with_pauses").count("StepStarted") == 3
    failed = of_kind(task.history(), StepAttemptFailed)[-1]
    assert failed.error.error_class == "DatabaseUnavailable"
    assert "the connection of its transaction was closed" in failed.error.message
    (errored,) = of_kind(task.history(), StepFailed)
    assert errored.reason == "exhausted"
