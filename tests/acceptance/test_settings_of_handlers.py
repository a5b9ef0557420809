"""What a transactional handler sets on its transaction does not end the engine's completion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Cursor

from flowledger.engine import Engine, TaskState
from flowledger.engine.events.step import StepAttemptFailed
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness, of_kind

SETTINGS = (
    "set statement_timeout = 50",
    "set local statement_timeout = 50",
    "set lock_timeout = 50",
    "set transaction_timeout = '1 h'",
    "set idle_in_transaction_session_timeout = '1 h'",
)
READ_ONLY = (
    "set transaction read only",
    "set transaction_read_only = on",
)
SLOW = """
    create table set_by (setting text);
    create function public.be_slow() returns trigger language plpgsql as
        $$ begin perform pg_sleep(0.2); return null; end $$;
    create constraint trigger slow after insert on set_by deferrable initially deferred
        for each row execute function public.be_slow()
"""

setting = Workflow("settings", "of_handlers", version="1")


@setting.step(transactional=True, retry=Retry(max_attempts=2, backoff="none"))
def sets(context: dict[str, str], cursor: Cursor) -> None:
    cursor.execute("insert into set_by values (%s)", (context["setting"],))
    cursor.execute(context["setting"].encode())


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    shared_harness.rows(SLOW)
    return shared_harness.open(setting)


@pytest.fixture
def written(shared_harness: EngineHarness) -> Callable[[str], Any]:
    """How many rows were committed by who set this."""
    return lambda said: shared_harness.value("select count(*) from set_by where setting = %s", said)


@pytest.mark.parametrize("said", SETTINGS)
def test_a_limit_of_the_handlers_is_not_one_of_the_completion(
    engine: Engine, written: Callable[[str], Any], said: str
) -> None:
    task = engine.submit(setting, {"setting": said})

    assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert not of_kind(task.history(), StepAttemptFailed)
    assert written(said) == 1


@pytest.mark.parametrize("said", READ_ONLY)
def test_a_transaction_that_the_handler_made_read_only_is_told_in_a_sentence(
    engine: Engine, written: Callable[[str], Any], said: str
) -> None:
    task = engine.submit(setting, {"setting": said})

    assert task.wait(PATIENCE) is TaskState.ERROR
    (failed,) = of_kind(task.history(), StepAttemptFailed)
    assert (failed.error.error_class, failed.error.retryable) == ("TransactionReadOnly", False)
    assert failed.error.message == (
        "the handler of step 'sets' made the transaction that it was given read-only;"
        " the engine stores the step's completion in it"
    )
    assert written(said) == 0
