"""A task in the application's transaction, on every kind of connection that applications have."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import psycopg
import pytest

from flowledger.engine import AsyncEngine, DuplicateTask, Engine, InvalidSubmission, UnknownTask
from flowledger.handlers import Workflow
from support.engines import EngineHarness

flow = Workflow("callers", "flow", version="1")
STORED = "select count(*) from flowledger.submission"


@flow.step
def only(context: dict[str, Any]) -> int:
    return int(context["number"])


def address(harness: EngineHarness) -> str:
    return harness.url.replace("postgresql://", "postgresql+psycopg://", 1)


Act = Callable[[], None]


def submitted(
    harness: EngineHarness, engine: Engine, connection: Any, commit: Act, rollback: Act
) -> None:
    """It is stored with the commit, not before, and not with a rollback."""
    task = engine.submit(flow, {"number": 1}, connection=connection)
    assert harness.value(STORED) == 0
    rollback()
    with pytest.raises(UnknownTask):
        _ = task.state

    engine.submit(flow, {"number": 1}, idempotency_key="one", connection=connection)
    with pytest.raises(DuplicateTask):
        engine.submit(flow, {}, idempotency_key="one", on_duplicate="raise", connection=connection)
    commit()
    assert harness.value(STORED) == 1


@pytest.fixture
def engine(harness: EngineHarness) -> Engine:
    return harness.open(flow, roles=())


def test_psycopg(harness: EngineHarness, engine: Engine) -> None:
    with harness.connect() as own:
        submitted(harness, engine, own, own.commit, own.rollback)


def test_a_connection_of_sqlalchemy(harness: EngineHarness, engine: Engine) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    database = sqlalchemy.create_engine(address(harness))
    with database.connect() as own:
        submitted(harness, engine, own, own.commit, own.rollback)
    database.dispose()


def test_a_session_of_sqlalchemy(harness: EngineHarness, engine: Engine) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")
    database = sqlalchemy.create_engine(address(harness))
    with orm.Session(database) as own:
        submitted(harness, engine, own, own.commit, own.rollback)
    database.dispose()


def test_djangos_connection(harness: EngineHarness, engine: Engine) -> None:
    db = pytest.importorskip("django.db")
    settings = import_module("django.conf").settings
    transaction, connections = import_module("django.db.transaction"), db.connections

    parts = psycopg.conninfo.conninfo_to_dict(harness.url)
    if not settings.configured:
        settings.configure()
    given = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts["dbname"],
        "USER": parts["user"],
        "HOST": parts["host"],
        "PORT": parts["port"],
    }
    connections.databases["own"] = connections.configure_settings({"default": {}, "own": given})[
        "own"
    ]
    own = connections["own"]
    try:
        with transaction.atomic(using="own"):
            engine.submit(flow, {"number": 1}, connection=own)
            transaction.set_rollback(True, using="own")
        assert harness.value(STORED) == 0
        with transaction.atomic(using="own"):
            engine.submit(flow, {"number": 1}, connection=own)
            assert harness.value(STORED) == 0
        assert harness.value(STORED) == 1
    finally:
        own.close()


async def awaited(harness: EngineHarness, engine: AsyncEngine, own: Any) -> None:
    task = await engine.submit(flow, {"number": 1}, connection=own)
    assert harness.value(STORED) == 0
    await own.rollback()
    with pytest.raises(UnknownTask):
        await task.state()

    await engine.submit_many(flow, [{"number": 1}], idempotency_keys=["one"], connection=own)
    with pytest.raises(DuplicateTask):
        await engine.submit(flow, {}, idempotency_key="one", on_duplicate="raise", connection=own)
    await own.commit()
    assert harness.value(STORED) == 1


async def test_an_async_connection_of_psycopg(harness: EngineHarness, engine: Engine) -> None:
    async with await psycopg.AsyncConnection.connect(harness.url) as own:
        await awaited(harness, AsyncEngine(engine), own)
        with pytest.raises(InvalidSubmission, match="not AsyncConnection: AsyncEngine takes it"):
            engine.submit(flow, {"number": 1}, connection=own)


@pytest.mark.parametrize("kind", ["connection", "session"])
async def test_an_async_connection_of_sqlalchemy(
    harness: EngineHarness, engine: Engine, kind: str
) -> None:
    asyncio_of = pytest.importorskip("sqlalchemy.ext.asyncio")
    pytest.importorskip("greenlet")
    database = asyncio_of.create_async_engine(address(harness))
    opened = database.connect() if kind == "connection" else asyncio_of.AsyncSession(database)
    async with opened as own:
        await awaited(harness, AsyncEngine(engine), own)
    await database.dispose()


def test_a_driver_that_is_not_psycopg_3_is_named(engine: Engine, harness: EngineHarness) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    with (
        sqlalchemy.create_engine("sqlite://").connect() as own,
        pytest.raises(InvalidSubmission, match="not Connection of sqlite3"),
    ):
        engine.submit(flow, {"number": 1}, connection=own)
