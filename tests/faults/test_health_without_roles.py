"""A process that plays no role knows that the database is away, although nobody asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from time import monotonic

import pytest
from click.testing import CliRunner

from flowledger.engine import AsyncEngine, Engine
from flowledger.engine.cli.program import program
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, harness_on
from support.postgres_server import PostgresServer

flow = Workflow("health", "flow", version="1")


@flow.step
def only() -> int:
    return 1


@pytest.fixture
def own_lab(postgres_server: PostgresServer) -> Generator[EngineHarness]:
    with harness_on(postgres_server.url) as harness:
        yield harness


def until(holds: Callable[[], bool]) -> None:
    """Without the database, which tells of nothing here."""
    deadline = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < deadline, "it did not come to hold"


def is_well(engine: Engine | AsyncEngine) -> bool:
    return all(one.ok for one in engine.health.values())


def test_a_process_without_roles_tells_of_an_outage_and_of_its_end(
    postgres_server: PostgresServer, own_lab: EngineHarness
) -> None:
    engine = own_lab.open(flow, roles=())
    asynchronous = AsyncEngine(engine)
    assert is_well(engine)

    postgres_server.crash()
    until(lambda: not is_well(engine))
    assert "cannot be reached" in str(asynchronous.health["database"].error)

    postgres_server.start()
    until(lambda: is_well(asynchronous))


def test_an_async_engine_has_the_health_of_its_engine(harness: EngineHarness) -> None:
    async def health() -> bool:
        async with await AsyncEngine.open(roles=(), settings=harness.settings()) as engine:
            return is_well(engine)

    assert asyncio.run(health())


def test_the_command_says_by_its_exit_code_that_nobody_leads(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", harness.url)
    assert CliRunner().invoke(program, ["db", "shards"]).exit_code == 1

    harness.open(flow, roles=["coordinator"])
    harness.until(lambda: harness.value("select leader from flowledger.shard"))

    assert CliRunner().invoke(program, ["db", "shards", "--json"]).exit_code == 0
