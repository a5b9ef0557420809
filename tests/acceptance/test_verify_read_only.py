"""Where the database is read-only, verify looks at all but what would have to be made again."""

from __future__ import annotations

from collections.abc import Generator

import psycopg
import pytest

from flowledger.engine import Engine
from flowledger.engine.bootstrap import open_engine
from flowledger.engine.client.engine import ALL_ROLES
from flowledger.handlers import Workflow
from support.engines import EngineHarness

flow = Workflow("shop", "flow", version="1")


@flow.step
def acts() -> int:
    """Completes."""
    return 1


@pytest.fixture
def read_only(harness: EngineHarness) -> Generator[Engine]:
    """A task that is complete, in a database that is read-only, with all read models."""
    settings = harness.settings(projections={"builtin": True})
    with open_engine([flow], ALL_ROLES, settings) as writer:
        writer.submit(flow, {}).wait()
    name = harness.value("select current_database()")
    harness.rows(f'alter database "{name}" set default_transaction_read_only = on')
    with open_engine([], (), settings) as reader:
        yield reader


def test_all_is_looked_at_but_what_would_have_to_be_made(read_only: Engine) -> None:
    run = read_only.verify()

    assert list(run) == []
    assert run.tasks == 1
    assert {"flowledger_history", "flowledger_audit"} <= set(run.not_compared)
    assert "the public schema" not in run.not_compared
    assert all("read-only" in why for why in run.not_compared.values())


def test_one_task_is_looked_at(harness: EngineHarness, read_only: Engine) -> None:
    task = harness.value("select task_id from flowledger.task")

    run = read_only.verify(task)

    assert (list(run), run.tasks) == ([], 1)


def test_what_differs_is_found_there_too(harness: EngineHarness, read_only: Engine) -> None:
    with psycopg.connect(harness.url, autocommit=True) as owner:
        owner.execute("set default_transaction_read_only = off")
        owner.execute("update flowledger.task set priority = 3")

    assert [one.field for one in read_only.verify()] == ["priority"]
