"""An engine goes on after an exception that some code throws into all of its threads."""

from __future__ import annotations

import ctypes
import threading

import pytest

from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

flow = Workflow("service", "lasting", version="1")


@flow.step
async def first() -> int:
    """On the event loop."""
    return 1


@flow.step(after=[first])
def second(first: int) -> int:
    """On a thread."""
    return first + 1


def engine_threads() -> set[threading.Thread]:
    """Those that serve it for as long as it is open."""
    return {one for one in threading.enumerate() if one.name.startswith("flowledger-")}


def throw(error: type[BaseException]) -> None:
    """Have it raised in each of them, at the next line that it executes."""
    for thread in engine_threads():
        ident = ctypes.c_ulong(thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(error))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error", [MemoryError, SystemExit])
def test_tasks_go_on_after_it(harness: EngineHarness, error: type[BaseException]) -> None:
    engine = harness.open(flow)
    assert engine.submit(flow, {}).result(PATIENCE)["second"] == 2
    before = engine_threads()

    throw(error)

    assert engine.submit(flow, {}).result(PATIENCE)["second"] == 2
    harness.until(lambda: all(found.ok for found in engine.health.values()))
    assert {one.name for one in before} <= {one.name for one in engine_threads()}
