"""A database that is put in the place of a newer one, under processes that go on living."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from threading import Event
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from flowledger.engine import DatabaseUnavailable, TaskHandle
from flowledger.engine.events.step import StepCompleted
from flowledger.handlers import Workflow
from support.background_load import HURRIED
from support.engines import PATIENCE, EngineHarness
from support.manual_worker import ManualWorker

chained = Workflow("restored", "chained", version="1")
late = Workflow("restored", "late", version="1")

numbers = count(1)
entered, released = Event(), Event()


@chained.step
def draws() -> int:
    """Another number each time."""
    return next(numbers)


@chained.step(after=[draws])
def uses(draws: int) -> int:
    entered.set()
    assert released.wait(PATIENCE)
    return draws


@late.step
def works() -> str:
    return "well"


class Backup:
    """A copy of a database, which may take the place of the original."""

    def __init__(self, server: str, url: str) -> None:
        self._server = server
        self._name = urlsplit(url).path[1:]
        self._copy = f"{self._name}_copy"

    def take(self) -> None:
        """Copy the database as it stands; whoever is connected is cut off."""
        self._alone("create database {copy} template {name} strategy file_copy")

    def restore(self) -> None:
        """Put the copy in the place of the database."""
        self._alone("drop database {name}", "alter database {copy} rename to {name}")

    def _alone(self, *statements: str) -> None:
        names = {"name": self._name, "copy": self._copy}
        identifiers = {key: sql.Identifier(name) for key, name in names.items()}
        end = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s"
        with psycopg.connect(self._server, autocommit=True) as admin:
            shut = sql.SQL("alter database {name} allow_connections {allow}")
            admin.execute(shut.format(**identifiers, allow=sql.SQL("false")))
            admin.execute(end, (self._name,))
            for statement in statements:
                admin.execute(sql.SQL(statement).format(**identifiers))  # type: ignore[arg-type]
            admin.execute(shut.format(**identifiers, allow=sql.SQL("true")))


@pytest.fixture
def backup(server: str, database: str) -> Backup:
    return Backup(server, database)


def test_a_step_is_given_what_stands_in_the_restored_log(
    harness: EngineHarness, backup: Backup
) -> None:
    """The worker remembers a result that the log does not know any more."""
    coordinator = harness.open(chained, roles=["coordinator"], **HURRIED)
    task = coordinator.submit(chained, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 1)
    backup.take()
    harness.reconnect()
    worker = {
        **HURRIED["worker"],
        "concurrency": 1,
        "lease_seconds": 2.0,
        "lease_margin_seconds": 0.2,
    }
    harness.open(chained, roles=["worker"], **{**HURRIED, "worker": worker})
    assert entered.wait(PATIENCE)

    backup.restore()
    harness.reconnect()
    with ExitStack() as opened:
        other = ManualWorker(harness, opened, chained)
        (claim,) = other.exchange(limit=1).claims
        other.exchange([other.fact(StepCompleted, claim, result=77)])
        released.set()

        assert task.result(PATIENCE) == {"draws": 77, "uses": 77}


def test_a_template_that_the_restored_log_does_not_know_is_registered_again(
    harness: EngineHarness, backup: Backup
) -> None:
    client = harness.open(roles=["coordinator"], **HURRIED)
    backup.take()
    harness.reconnect()
    retried(lambda: client.submit(late, {}))

    backup.restore()
    harness.reconnect()

    task = retried(lambda: client.submit(late, {}))
    assert harness.value("select count(*) from flowledger.template") == 1
    harness.open(late, roles=["worker"], **HURRIED)
    assert task.result(PATIENCE) == {"works": "well"}


def retried(submit: Callable[[], TaskHandle]) -> TaskHandle:
    """As an application does whose database was away."""
    for _ in range(5):
        try:
            return submit()
        except DatabaseUnavailable:
            continue
    return submit()
