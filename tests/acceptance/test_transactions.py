"""A task that is part of the application's own transaction."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from flowledger.engine import DuplicateTask, Engine, TaskHandle, TaskState, UnknownTask
from flowledger.engine.errors import InvalidSubmission
from flowledger.engine.events.task import TaskCreated
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

# Without what the language that a function is written in brings along when it is first used.
SETTINGS = "select name, setting from pg_settings where name not like '%.%'"

invoices = Workflow("transactions", "invoice", version="1")


@invoices.step
def send(context: dict[str, Any]) -> dict[str, Any]:
    return {"sent": context["number"]}


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    shared_harness.rows("create table public.invoice (number integer primary key)")
    return shared_harness.open(invoices)


def write(
    connection: psycopg.Connection[Any], engine: Engine, number: int, **more: Any
) -> TaskHandle:
    """The application's row and the task, as an application writes them."""
    connection.execute("insert into public.invoice (number) values (%s)", (number,))
    return engine.submit(invoices, {"number": number}, connection=connection, **more)


def test_a_task_runs_when_the_callers_transaction_commits(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    with shared_harness.connect() as connection:
        task = write(connection, engine, 1)
        with pytest.raises(UnknownTask):
            _ = task.state
        connection.commit()

    assert task.result(PATIENCE) == {"send": {"sent": 1}}
    assert shared_harness.rows("select number from public.invoice where number = 1") == [(1,)]


def test_a_task_of_a_transaction_that_is_rolled_back_never_was(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    before = shared_harness.counts()
    with shared_harness.connect() as connection:
        task = write(connection, engine, 2, idempotency_key="two")
        connection.rollback()

    assert shared_harness.counts() == before
    assert not shared_harness.rows("select number from public.invoice where number = 2")
    with pytest.raises(UnknownTask):
        task.wait(0.1)


def test_the_identity_of_a_transaction_that_is_rolled_back_is_free_again(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    with shared_harness.connect() as connection:
        first = write(connection, engine, 3, idempotency_key="three")
        connection.rollback()

    second = engine.submit(invoices, {"number": 3}, idempotency_key="three")

    assert second.id != first.id
    assert second.result(PATIENCE) == {"send": {"sent": 3}}


def test_until_the_coordinator_has_seen_it_the_task_is_submitted(harness: EngineHarness) -> None:
    client = harness.open(invoices, roles=())
    with harness.connect() as connection:
        task = client.submit(invoices, {"number": 4}, connection=connection)
        connection.commit()

    assert task.state is TaskState.SUBMITTED
    assert task.history() == []
    assert harness.value("select count(*) from flowledger.submission") == 1

    harness.open(invoices)
    assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert harness.value("select count(*) from flowledger.submission") == 0
    assert kinds(task.history())[:3] == ["TaskCreated", "TaskStarted", "StepEnqueued"]
    assert len(of_kind(task.history(), TaskCreated)) == 1


def test_an_open_transaction_holds_nobody_up(engine: Engine, shared_harness: EngineHarness) -> None:
    """Neither the log nor the coordinator waits for an application that takes its time."""
    with shared_harness.connect() as connection:
        slow = write(connection, engine, 5)

        quick = engine.submit(invoices, {"number": 6})
        assert quick.result(PATIENCE) == {"send": {"sent": 6}}

        connection.commit()
    assert slow.wait(PATIENCE) is TaskState.COMPLETE


def test_the_transaction_goes_on_after_submit_as_it_was(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    with shared_harness.connect() as connection:
        connection.row_factory = dict_row
        before = connection.execute(SETTINGS).fetchall()
        task = engine.submit(invoices, {"number": 7}, connection=connection)
        after = connection.execute(SETTINGS).fetchall()
        assert connection.info.transaction_status is psycopg.pq.TransactionStatus.INTRANS
        connection.commit()

    assert after == before
    assert task.wait(PATIENCE) is TaskState.COMPLETE


def test_many_tasks_on_the_callers_connection_all_run(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    contexts = [{"number": number} for number in range(30)]
    with shared_harness.connect() as connection:
        tasks = engine.submit_many(invoices, contexts, connection=connection)
        connection.commit()

    sent = [task.result(PATIENCE)["send"]["sent"] for task in tasks]

    assert sent == list(range(30))


def test_a_duplicate_in_the_callers_transaction_is_told_or_returned(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    first = engine.submit(invoices, {"number": 8}, idempotency_key="eight")
    with shared_harness.connect() as connection:
        again = engine.submit(
            invoices, {"number": 8}, idempotency_key="eight", connection=connection
        )
        with pytest.raises(DuplicateTask, match=str(first.id)):
            engine.submit(
                invoices,
                {"number": 8},
                idempotency_key="eight",
                connection=connection,
                on_duplicate="raise",
            )

    assert again.id == first.id


def test_what_is_no_psycopg_connection_is_refused(engine: Engine) -> None:
    connection: Any = "postgresql:///application"

    with pytest.raises(InvalidSubmission, match=r"expected a connection of psycopg 3, .* not str"):
        engine.submit(invoices, {"number": 9}, connection=connection)
