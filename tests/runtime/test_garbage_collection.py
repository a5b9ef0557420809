"""A program that plays roles keeps Python's collector from looking at what stays."""

from __future__ import annotations

from uuid import UUID

from support.cli import PATIENCE, Command, command, read_until
from support.engines import EngineHarness

__all__ = ["command"]

MODULE = """
import gc
from time import sleep
from flowledger.handlers import Workflow

flow = Workflow("heaps", "flow", version="1")

@flow.step
def look() -> dict[str, int]:
    while not gc.get_freeze_count():
        sleep(0.005)
    return {"frozen": gc.get_freeze_count(), "threshold": gc.get_threshold()[0]}
"""


def test_what_is_there_when_it_has_started_is_not_looked_at_again(
    command: Command, harness: EngineHarness
) -> None:
    command.write("heaps.py", MODULE)
    read_until(command.start("start", "heaps:flow"), "engine.opened")
    task = UUID(command("submit", "heaps:flow").out.strip())
    seen = harness.open(roles=()).task(task).result(timeout=PATIENCE)
    assert seen["look"]["frozen"] > 10_000  # what is imported is more than that
    assert seen["look"]["threshold"] == 10_000
