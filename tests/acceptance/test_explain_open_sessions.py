"""A queued step says whose open transaction slows the claims of all workers down."""

from __future__ import annotations

from contextlib import ExitStack

import psycopg
import pytest

from flowledger.engine.store import explain_snapshot
from flowledger.handlers import Workflow
from support.engines import EngineHarness
from support.manual_worker import ManualWorker

flow = Workflow("slow", "claims", version="1")


@flow.step
def only() -> None:
    """Nothing."""


def test_it_is_named_while_it_is_open(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain_snapshot, "LONG_OPEN_SECONDS", 0.0)
    task = harness.open(flow, roles=["coordinator"]).submit(flow, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 1)
    with ExitStack() as opened, psycopg.connect(harness.url) as other:
        ManualWorker(harness, opened, flow)
        other.execute("set transaction isolation level repeatable read")
        other.execute("select count(*) from flowledger.queue")
        told, pid = task.explain("only").reasons[0], other.info.backend_pid

    assert told.details["open_sessions"] == [pid]
    assert "claims are slowed down by a session of " in told.sentence
