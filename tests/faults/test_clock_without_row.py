"""Where somebody deleted the row of the engine's clock, all goes on by the server's time."""

from __future__ import annotations

from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

flow = Workflow("shop", "clockless", version="1")


@flow.step
def only() -> int:
    return 1


def test_tasks_run_and_views_tell_who_is_there(harness: EngineHarness) -> None:
    harness.rows("delete from flowledger.clock_offset")
    engine = harness.open(flow)

    task = engine.submit(flow, {})

    assert task.wait(PATIENCE) == "complete"
    assert harness.rows("select led from flowledger_v1.shards") == [(True,)]
    assert harness.rows("select live from flowledger_v1.workers") == [(True,)]
    assert [one.kind for one in engine.health_report().findings] == ["projection_unled"]
