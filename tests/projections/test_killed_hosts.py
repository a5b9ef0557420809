"""Projectors that are killed at random, while tasks run and while a new version is built."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import pytest

from flowledger.engine import Engine, TaskHandle
from support.cli import command
from support.engines import PATIENCE, EngineHarness
from support.projector_processes import Projectors, projectors, tally
from support.spend_projection import orders, schemas

__all__ = ["command", "projectors", "tally"]

ROUNDS = 3
FEW, ONE = ({"FLOWLEDGER_PROJECTIONS__BATCH_SIZE": size} for size in ("3", "1"))
SLOWLY = {**ONE, "SECONDS_AN_EVENT": "0.005"}


class BackgroundLoad:
    """Tasks that run in this process, and eyes on what the projectors make of them elsewhere."""

    def __init__(self, harness: EngineHarness, projectors: Projectors, opened: ExitStack) -> None:
        self._harness = harness
        self._projectors = projectors
        self._opened = opened
        self._engine = harness.open(orders, roles=["coordinator", "worker"])
        self._tasks: list[TaskHandle] = []

    def submit(self, count: int) -> None:
        """More tasks, which nobody waits for yet."""
        contexts = [{"customer": f"c{number % 3}", "cents": number} for number in range(count)]
        self._tasks += self._engine.submit_many(orders, contexts)

    def finish(self) -> None:
        """The tasks complete, and every projection comes as far as the log."""
        for task in self._tasks:
            task.result(PATIENCE)
        for status in self._engine.projections.list():
            self._engine.projections.wait_for(status.name, timeout=PATIENCE)

    def verified_by(self, projection: object) -> Engine:
        """An engine that runs nothing and knows this projection and those that are built in."""
        settings = self._harness.settings(projections={"builtin": True})
        opened = Engine.open(roles=(), projections=[projection], settings=settings)
        return self._opened.enter_context(opened)

    def assert_right(self, verified_by: Engine, generation: int) -> None:
        """All rows are those of the log, wherever each projection is."""
        assert [str(difference) for difference in verified_by.verify()] == []
        assert self._projectors.different(generation) == []


@pytest.fixture
def load(harness: EngineHarness, projectors: Projectors) -> Generator[BackgroundLoad]:
    with ExitStack() as opened:
        yield BackgroundLoad(harness, projectors, opened)


def test_whenever_projectors_are_killed_every_event_counts_once(
    load: BackgroundLoad, projectors: Projectors, tally: Any
) -> None:
    for _ in range(2):
        projectors.start("Tally", **FEW)
    load.submit(20)
    eyes = load.verified_by(tally.Tally)
    projectors.until(1, 1)

    for _ in range(ROUNDS):
        load.submit(30)
        projectors.until(1, projectors.position(1) + projectors.random.randrange(1, 100))
        projectors.kill("Tally")
        projectors.start("Tally", **FEW)
        load.assert_right(eyes, 1)

    load.finish()
    load.assert_right(eyes, 1)


def test_a_new_version_is_built_to_its_end_however_often_projectors_are_killed_meanwhile(
    harness: EngineHarness, load: BackgroundLoad, projectors: Projectors, tally: Any
) -> None:
    """It goes on where it was; what serves is right all the time, and so are its own rows."""
    load.submit(150)
    projectors.start("Tally")
    load.finish()
    eyes = load.verified_by(tally.Tally)
    projectors.start("NewTally", **SLOWLY)

    reached = 0
    for _ in range(ROUNDS):
        load.submit(5)
        projectors.until(2, reached + projectors.random.randrange(1, 40))
        victims = projectors.random.choice([["NewTally"], ["NewTally", "Tally"]])
        for victim in victims:
            projectors.kill(victim)
        assert projectors.state(2) == "building", "nobody was killed while it was built"
        before, reached = reached, projectors.position(2)
        assert reached > before, "it began anew"
        load.assert_right(eyes, 1)
        assert projectors.different(2) == []
        for victim in victims:
            projectors.start(victim, **(SLOWLY if victim == "NewTally" else ONE))

    harness.until(lambda: projectors.state(2) == "serving")
    load.finish()
    load.assert_right(load.verified_by(tally.NewTally), 2)
    harness.until(lambda: schemas(harness, "tally") == ["tally", "tally__2"])
