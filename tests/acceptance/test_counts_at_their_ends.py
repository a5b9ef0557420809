"""Counts at the end of what their checks let in, where one more of the engine would be refused."""

from __future__ import annotations

import pytest

from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness
from support.odd_rows import everything_told, queued, told

flow = Workflow("counts", "ends", version="1", concurrency={"limit": 9})


@flow.step
def only() -> int:
    return 1


ROWS = {
    "queue_version": "update flowledger.queue set stream_version = 1000000000000",
    "queue_attempt": "update flowledger.queue set attempt = 1000000000",
    "queue_resets": "update flowledger.queue set resets = 1000000000",
    "step_version": "update flowledger.step set stream_version = 1000000000000",
    "step_attempt": "update flowledger.step set attempt = 1000000000",
    "task_version": "update flowledger.task set stream_version = 1000000000000",
    "epoch": "update flowledger.shard set epoch = 1000000000000, leader = null",
    "steps": "update flowledger.state_count set steps_pending = 1000000000000,"
    " steps_complete = 1000000000000, steps_in_progress = -1000000000000",
    "tasks": "update flowledger.state_count set tasks_pending = 1000000000000,"
    " tasks_complete = 1000000000000, steps_of_tasks = 1000000000000",
    "circuit": "insert into flowledger.circuit (system, revision, state, failures, openings,"
    " probes, stream_version) values ('odd', 1000000000000, 'closed', 1000000000, 1000000000, '{}',"
    " 1000000000000)",
    "circuit_failures": "insert into flowledger.circuit (system, revision, state, failures,"
    " openings, probes, stream_version) values ('odd', 1, 'closed', 1000000000, 0, '{}', 0)",
}


@pytest.mark.parametrize("name", ROWS)
def test_others_go_on_and_it_is_named_and_mended(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    task = queued(harness, flow)
    harness.rows(ROWS[name])

    assert "nothing differs" not in everything_told(monkeypatch, harness, task)["verify"]
    engine = harness.open(flow)
    assert engine.submit(flow, {}).result(PATIENCE)
    told(monkeypatch, harness.url, "repair", "--all", "--reason", "odd counts")

    assert engine.task(task.id).result(PATIENCE)
    assert harness.value("select count(*) from flowledger.parked_task") == 0
    assert "nothing differs" in told(monkeypatch, harness.url, "verify", "--all")


def test_a_limit_of_which_as_many_are_in_use_as_can_be_is_freed_by_a_repair(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = queued(harness, flow)
    harness.rows("update flowledger.slot_count set in_use = 1000000000")
    told(monkeypatch, harness.url, "repair", "--all", "--reason", "odd counts")

    assert harness.open(flow).task(task.id).result(PATIENCE)
    assert "nothing differs" in told(monkeypatch, harness.url, "verify", "--all")
