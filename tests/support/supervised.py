"""Processes of `flowledger start --processes`, and a workflow whose steps a test holds in them."""

from __future__ import annotations

from typing import Any

import pytest

from flowledger.engine import Engine
from flowledger.handlers import Workflow
from support.cli import Command
from support.engines import EngineHarness
from support.started_program import StartedProgram

GRACE = 1.0
MODULE = """
import os
import sys
from pathlib import Path
from time import sleep
from flowledger.handlers import Workflow

flow = Workflow("supervised", "flow", version="1")

@flow.step
def held(context: dict[str, str]) -> int:
    name = context["name"]
    Path(name + ".entering").write_text(str(os.getpid()))
    os.rename(name + ".entering", name + ".entered")
    while not Path(name + ".release").exists():
        sleep(0.005)
    return os.getpid()

if Path("ends").exists() and "--while-input" in sys.orig_argv:
    os._exit(7)
"""
LED = (
    "select c.pid, count(*) from flowledger.coordinator as c"
    " join flowledger.shard as s on s.leader = c.coordinator_id"
    " where s.lease_until >= flowledger.clock() group by c.pid"
)
flow = Workflow[Any]("supervised", "flow", version="1")


@flow.step
def held(context: dict[str, str]) -> int:
    raise NotImplementedError


class Supervised:
    """A supervisor, the processes that it has started, and tasks that they hold."""

    def __init__(self, command: Command, harness: EngineHarness) -> None:
        self.command, self.harness = command, harness
        self.client: Engine = harness.open(roles=())
        command.write("shared.py", MODULE)
        command.environment |= {
            "FLOWLEDGER_WORKER__GRACE_SECONDS": str(GRACE),
            "FLOWLEDGER_WORKER__CONCURRENCY": "1",
            "FLOWLEDGER_WORKER__LEASE_SECONDS": "1",
            "FLOWLEDGER_WORKER__LEASE_MARGIN_SECONDS": "0.2",
            "FLOWLEDGER_COORDINATOR__LEASE_SECONDS": "1",
            "FLOWLEDGER_PROJECTIONS__BUILTIN": "false",
        }

    def start(self, *options: str, processes: str = "2") -> StartedProgram:
        return self.command.start("start", "shared:flow", f"--processes={processes}", *options)

    def until_led(self, *counts: int) -> dict[int, int]:
        """Wait until so many shards are led by each process; by pid."""
        self.harness.until(lambda: sorted(self.led().values()) == sorted(counts))
        return self.led()

    def led(self) -> dict[int, int]:
        return dict(self.harness.rows(LED))

    def submit(self, name: str) -> Any:
        return self.client.submit(flow, {"name": name})

    def until_entered(self, name: str) -> int:
        """The process that runs the step."""
        entered = self.command.folder / f"{name}.entered"
        self.harness.until(entered.exists)
        return int(entered.read_text())

    def release(self, name: str) -> None:
        self.command.write(f"{name}.release", "")


@pytest.fixture
def supervised(command: Command, harness: EngineHarness) -> Supervised:
    return Supervised(command, harness)
