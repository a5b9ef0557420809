"""Tasks that no coordinator has met: shown, counted, stuck after a while, and said why."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from flowledger.engine import TaskState
from flowledger.engine.domain.explain.reasons import ReasonKind
from flowledger.engine.errors import UnknownStep
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

flow = Workflow("unmet", "flow", version="1")


@flow.step
def only(context: dict[str, Any]) -> int:
    return context["number"]


@pytest.mark.parametrize("own", [False, True], ids=["by the engine", "in a transaction of its own"])
def test_they_are_submitted_wherever_one_looks(harness: EngineHarness, *, own: bool) -> None:
    engine = harness.open(flow, roles=())
    with ExitStack() as opened:
        connection = opened.enter_context(harness.connect()) if own else None
        task = engine.submit(flow, {"number": 1}, priority=3, connection=connection)
        if connection is not None:
            connection.commit()

    shown = harness.rows(
        "select task_id, namespace, template, version, state, priority from flowledger_v1.tasks"
    )
    assert shown == [(task.id, "unmet", "flow", "1", "submitted", 3)]
    one = "select state from flowledger_v1.tasks where task_id = %s"
    assert harness.rows(one, task.id) == [("submitted",)]
    assert harness.value("select submitted_tasks from flowledger_v1.system_health()") == 1
    assert harness.rows("select * from flowledger_v1.stuck_tasks()") == []
    explanation = task.explain()
    assert (task.state, explanation.state) == (TaskState.SUBMITTED, TaskState.SUBMITTED)
    assert explanation.reasons[0].kind is ReasonKind.SUBMITTED
    assert task.explain("only").reasons[0].kind is ReasonKind.SUBMITTED
    if not own:
        with pytest.raises(UnknownStep):
            task.explain("nope")

    harness.move_clock("1 hour")

    query = "select task_id, template, state, reason from flowledger_v1.stuck_tasks()"
    assert harness.rows(query) == [(task.id, "flow", "submitted", "submitted")]

    harness.open(flow)
    assert task.result(PATIENCE) == {"only": 1}
    assert harness.rows(one, task.id) == [("complete",)]
    assert harness.value("select submitted_tasks from flowledger_v1.system_health()") == 0
    assert harness.rows(query) == []
