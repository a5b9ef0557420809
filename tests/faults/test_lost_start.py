"""A worker is told of a start when it is on the disk: a crash of the server does not lose it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from flowledger.engine import DatabaseUnavailable, TaskState
from flowledger.engine.events.step import StepCompleted
from flowledger.engine.store.embedded import server as embedded
from flowledger.engine.store.schema.migrate import migrate
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, assert_legal_order, completions, harness_on
from support.manual_worker import ManualWorker
from support.memory_folders import new_home

QUEUED = "select count(*) from flowledger.queue"
TOPICS = "select topic from flowledger.event where task_id = %s order by notification_id"

flow = Workflow("lost", "start", version="1")


@flow.step
def only() -> None:
    """Claimed by hand here."""


@pytest.fixture
def home() -> Generator[Path]:
    """A folder for a server of its own, short enough to hold its socket."""
    folder = new_home()
    try:
        yield folder
    finally:
        embedded.stop(folder, timeout_seconds=PATIENCE)
        shutil.rmtree(folder)


@pytest.fixture
def crashing(home: Path) -> Generator[EngineHarness]:
    """A lab on a server with fsync, whose log writer does not flush by itself for ten seconds."""
    url = start(home)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("alter system set wal_writer_delay = '10s'")
        connection.execute("select pg_reload_conf()")
        migrate(connection)
    with harness_on(url) as harness:
        yield harness


def start(home: Path) -> str:
    return embedded.start(home, fsync=True, timeout_seconds=PATIENCE).url


def crash(home: Path) -> None:
    """What `pg_ctl stop -m immediate` does: nothing is written any more."""
    server = embedded.running(home)
    assert server
    process = psutil.Process(server.pid)
    os.kill(server.pid, signal.SIGQUIT)
    process.wait(PATIENCE)


def test_no_handler_is_called_by_a_start_that_a_crash_loses(
    crashing: EngineHarness, home: Path
) -> None:
    """Nobody else commits after the claim: that would bring the start to the disk as well."""
    with crashing.open(flow, roles=["coordinator"]) as coordinator:
        task = coordinator.submit(flow, {})
        crashing.until(lambda: crashing.value(QUEUED))
    with ExitStack() as opened:
        worker = ManualWorker(crashing, opened, flow)
        (claim,) = worker.exchange(limit=1, quiet=True).claims

        crash(home)
        start(home)
        crashing.reconnect()

        assert crashing.rows(TOPICS, task.id)[-1] == ("step.started",)
        done = worker.fact(StepCompleted, claim)
        assert insist(lambda: worker.exchange([done])).refused == frozenset()

    with crashing.open(flow) as engine:
        assert engine.task(task.id).wait(PATIENCE) is TaskState.COMPLETE
        assert_legal_order(engine.task(task.id).history(), flow.template)
    assert completions(crashing) == {claim.step_id: 1}


def insist(ask: Callable[[], Any]) -> Any:
    """Ask again while the pool still finds connections to the server that is gone."""
    while True:
        with suppress(DatabaseUnavailable):
            return ask()
