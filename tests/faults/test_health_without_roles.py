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
from support.engines import PATIENCE, Lab, lab_on
from support.postgres_server import OwnServer, own_server

__all__ = ["own_server"]

flow = Workflow("health", "flow", version="1")


@flow.step
def only() -> int:
    return 1


@pytest.fixture
def own_lab(own_server: OwnServer) -> Generator[Lab]:
    with lab_on(own_server.url) as lab:
        yield lab


def until(holds: Callable[[], bool]) -> None:
    """Without the database, which tells of nothing here."""
    deadline = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < deadline, "it did not come to hold"


def is_well(engine: Engine | AsyncEngine) -> bool:
    return all(one.ok for one in engine.health.values())


def test_a_process_without_roles_tells_of_an_outage_and_of_its_end(
    own_server: OwnServer, own_lab: Lab
) -> None:
    engine = own_lab.open(flow, roles=())
    asynchronous = AsyncEngine(engine)
    assert is_well(engine)

    own_server.crash()
    until(lambda: not is_well(engine))
    assert "cannot be reached" in str(asynchronous.health["database"].error)

    own_server.start()
    until(lambda: is_well(asynchronous))


def test_an_async_engine_has_the_health_of_its_engine(lab: Lab) -> None:
    async def health() -> bool:
        async with await AsyncEngine.open(roles=(), settings=lab.settings()) as engine:
            return is_well(engine)

    assert asyncio.run(health())


def test_the_command_says_by_its_exit_code_that_nobody_leads(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", lab.url)
    assert CliRunner().invoke(program, ["db", "shards"]).exit_code == 1

    lab.open(flow, roles=["coordinator"])
    lab.until(lambda: lab.value("select leader from flowledger.shard"))

    assert CliRunner().invoke(program, ["db", "shards", "--json"]).exit_code == 0
