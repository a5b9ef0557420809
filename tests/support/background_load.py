"""A small load that is under way while the database goes wrong; what must be true afterwards."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from threading import Event
from time import monotonic
from typing import Any

import pytest

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, assert_legal_order, completions

# Loops that try often, and nothing that only a long time would bring back.
HURRIED: dict[str, dict[str, Any]] = {
    "database": {"reconnect_initial_seconds": 0.01, "reconnect_cap_seconds": 0.05},
    "coordinator": {"poll_seconds": 0.1},
    "worker": {"poll_seconds": 0.1, "concurrency": 8},
}
LOST, BUSY, REFUSED, BACK = (
    "database.unreachable",
    "database.busy",
    "database.refused",
    "database.recovered",
)

flow = Workflow("faults", "load", version="1")
gate = Event()


@flow.step
def first(context: dict[str, Any]) -> int:
    assert gate.wait(PATIENCE)
    return context["number"]


@flow.step(after=[first])
def second(first: int) -> int:
    return first + 1


class BackgroundLoad:
    """Tasks of which some run and some are new; an engine that plays both roles works on them."""

    def __init__(
        self,
        harness: EngineHarness,
        caplog: pytest.LogCaptureFixture,
        roles: EngineHarness | None = None,
        **database: Any,
    ) -> None:
        """`roles`: the lab in which the roles are played, where that is another one."""
        caplog.set_level(logging.INFO, "flowledger")
        gate.clear()
        self.harness = harness
        self.workflow = flow
        self._caplog = caplog
        sections = {**HURRIED, "database": {**HURRIED["database"], **database}}
        self.engine = (roles or harness).open(flow, **sections)
        self.client = self.another("client")
        self.tasks: list[TaskHandle] = []
        self.submit(8)
        harness.until(
            lambda: (
                harness.value("select count(*) from flowledger.queue where worker_id is not null")
                == 8
            )
        )

    def another(self, name: str) -> Engine:
        """An engine that only submits, whose sessions have another name."""
        return self.harness.open(roles=(), database={"application_name": name})

    def submit(self, count: int, connection: Any = None) -> None:
        """More tasks, which the coordinator has yet to take on."""
        contexts = [{"number": len(self.tasks) + number} for number in range(count)]
        self.tasks += self.client.submit_many(flow, contexts, connection=connection)

    @contextmanager
    def under_fault(self, attempts: int = 4) -> Generator[None]:
        """The block lets the fault begin; then what runs ends, and its outcome is to be stored.

        Returns when both loops have failed so often in a row.
        """
        self._caplog.clear()
        yield
        gate.set()
        self.until_failing("coordinator", "worker", attempts=attempts)

    def until_failing(self, *loops: str, attempts: int) -> None:
        """Until each of the loops has failed so often in a row."""
        deadline = monotonic() + PATIENCE
        while any(self.engine.health[loop].attempts < attempts for loop in loops):
            assert monotonic() < deadline, self.engine.health

    def told(self, loop: str) -> list[str]:
        """What the loop said of the database, in order."""
        names = [record.getMessage().split()[0] for record in self._records(loop)]
        return [name for name in names if name.startswith(("database.", "loop.", "listener."))]

    def states(self, loop: str) -> set[str | None]:
        """The codes that the loop told of."""
        lines = [vars(record)["flowledger"] for record in self._records(loop)]
        return {line["sqlstate"] for line in lines if "sqlstate" in line}

    def _records(self, loop: str) -> list[logging.LogRecord]:
        return [record for record in self._caplog.records if record.name == f"flowledger.{loop}"]

    def assert_everything_ends_once(self) -> None:
        """Every task completes, each step of it once; so do new ones, and all is well."""
        self.submit(2)
        self.assert_tasks_end_once()
        assert all(health.ok for health in self.engine.health.values())

    def assert_tasks_end_once(self) -> None:
        """Every task completes, each step of it once."""
        for number, task in enumerate(self.tasks):
            assert task.wait(PATIENCE) is TaskState.COMPLETE
            history = task.history()
            assert_legal_order(history, flow.template)
            assert task.result()["second"] == number + 1
        counts = completions(self.harness)
        assert len(counts) == 2 * len(self.tasks)
        assert set(counts.values()) == {1}
