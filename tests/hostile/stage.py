"""The engine that all strange inputs of one process meet, and what it does between them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from flowledger.engine import Engine, TaskHandle
from flowledger.engine.config import Settings
from flowledger.engine.events.base import Event
from flowledger.engine.store.schema.migrate import migrate
from flowledger.handlers import Retry, StepContext, Workflow
from flowledger.projections import Projection, on
from support.engines import EngineHarness, harness_on

PATIENCE = 20.0
"""Seconds that a case waits at most for what must happen; far more than it takes."""

TWICE = Retry(max_attempts=2, base_seconds=0.0)
CALLERS = (
    "task.created",
    "task.annotated",
    "task.tagged",
    "task.untagged",
    "template.registered",
    "template.paused",
    "template.resumed",
)

Handling = Callable[..., Any]
PLANNED: dict[str, Handling] = {}
"""What the handlers of strange tasks do here, by the name that their context has."""

ordinary = Workflow("hostile", "ordinary", version="1")
plain = Workflow("hostile", "plain", version="1")
awaited = Workflow("hostile", "awaited", version="1")
stored = Workflow("hostile", "stored", version="1")
keyed = Workflow("hostile", "keyed", version="1", identity="caller_provided")
strict = Workflow("hostile", "strict", version="1", context=Any, identity="strict")


@ordinary.step
def add(context: dict[str, Any]) -> int:
    return int(context["number"]) + 1


@ordinary.step(after=[add])
async def double(add: int) -> int:
    return add * 2


@plain.step(retry=TWICE, config={"headers": {"token": "none"}})
def do(context: dict[str, Any], step: StepContext):  # type: ignore[no-untyped-def]
    return PLANNED[context["case"]](context, step)


@plain.step(after=[do])
def use(do: object, context: dict[str, Any], step: StepContext) -> None:
    """Reads what the step before it left."""
    assert (do, context["case"]) == (step.results["do"], context["case"])


@awaited.step(retry=TWICE)
async def wait(context: dict[str, Any], step: StepContext):  # type: ignore[no-untyped-def]
    return await PLANNED[context["case"]](context, step)


@stored.step(retry=TWICE, transactional=True)
def store(context: dict[str, Any], cursor: psycopg.Cursor):  # type: ignore[no-untyped-def, type-arg]
    return PLANNED[context["case"]](context, cursor)


@keyed.step
@strict.step
def nothing() -> None:
    """Done."""


class Careless(Projection):
    """A read model that changes every event that it is shown."""

    name = "careless"
    version = 1
    tables = "create table {schema}.seen (position bigint);"

    @on(Event)
    def change(self, event: Event, _cursor: Any) -> None:
        for value in vars(event).values():
            if isinstance(value, dict):
                value["changed"] = True
            elif isinstance(value, list):
                value.append("changed")


@dataclass
class ManualCoordinator:
    """One database with an engine that plays all roles, and other places to be sent to."""

    harness: EngineHarness
    engine: Engine
    folder: Path
    server: str
    opened: ExitStack
    _mark: int = 0
    _others: dict[tuple[str, bool], str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of the engine's database."""
        return self.harness.url

    def mark(self) -> None:
        """From here on nothing may be stored for a case that is refused."""
        self._mark = self.harness.value(
            "select coalesce(max(notification_id), 0) from flowledger.event"
        )

    def stored_by_callers(self) -> list[str]:
        """What callers stored since the mark."""
        rows = self.harness.rows(
            "select topic from flowledger.event where notification_id > %s"
            " and (topic = any(%s) or topic like '%%_requested')",
            self._mark,
            list(CALLERS),
        )
        return [topic for (topic,) in rows]

    def planned(self, flow: Any, name: str, handling: Handling) -> TaskHandle:
        """A task whose one step does that."""
        PLANNED[name] = handling
        return self.engine.submit(flow, {"case": name})

    def settings(self, url: str, **database: Any) -> Settings:
        """Settings for another address, which is not waited for."""
        given = {"pool_max_size": 2, "connect_timeout_seconds": 2.0, **database}
        return self.harness.settings(database=given).model_copy(
            update={"database": Settings.load(database={**given, "url": url}).database}
        )

    def other_database(self, *, encoding: str = "UTF8", migrated: bool = True) -> str:
        """The address of another database, one of each sort, dropped at the end."""
        sort = (encoding, migrated)
        if sort not in self._others:
            self._others[sort] = self._another(encoding, migrated=migrated)
        return self._others[sort]

    def _another(self, encoding: str, *, migrated: bool) -> str:
        name = f"flowledger_other_{uuid4().hex}"
        self.opened.enter_context(database(self.server, name, encoding=encoding))
        url = at(self.server, name)
        if migrated:
            with psycopg.connect(url, autocommit=True) as connection:
                migrate(connection)
        return url


@contextmanager
def stage_on(server: str, folder: Path) -> Generator[ManualCoordinator]:
    """A stage on a database of its own."""
    name = f"flowledger_hostile_{os.getpid()}_{uuid4().hex[:8]}"
    with ExitStack() as opened:
        opened.enter_context(database(server, name))
        harness = opened.enter_context(harness_on(at(server, name)))
        settings = harness.settings(
            projections={"builtin": True}, worker={"heartbeat_seconds": 0.1}
        )
        flows = (ordinary, plain, awaited, stored, keyed, strict)
        engine = Engine.open(
            workflows=flows,
            projections=[] if os.environ.get("NOCARE") else [Careless],
            settings=settings,
        )
        opened.enter_context(engine)
        yield ManualCoordinator(harness, engine, folder, server, opened)


@contextmanager
def database(server: str, name: str, encoding: str = "UTF8") -> Generator[None]:
    """A new database, dropped at the end."""
    create = "create database {} template template0 encoding {} locale 'C'"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL(create).format(sql.Identifier(name), sql.Literal(encoding)))
    try:
        yield
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def at(server: str, name: str) -> str:
    """The address of another database of the server."""
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
