"""task_summary: a task, its words and its steps as one object."""

from __future__ import annotations

from support.builders import diamond, step, template
from support.sql_calls import Connection, call_public
from support.stored_tasks import context, given_task, readiness, submitted


def test_a_task_is_told_as_a_whole(connection: Connection) -> None:
    task = given_task(
        connection,
        diamond(),
        {"step": "start", "state": "complete", "attempt": 1},
        {"step": "left", "state": "in_progress", "attempt": 1},
    )

    (summary,) = call_public(connection, "task_summary", task)

    steps = summary.pop("steps")
    told = context(connection, task)
    assert {name: summary[name] for name in told} == told
    own = {"namespace": "shop", "template": "order", "version": "1", "paused": False, "priority": 0}
    assert {name: summary[name] for name in own} == own
    assert [row["step"] for row in steps] == ["start", "left", "right", "end"]
    ready = readiness(connection, task)
    for row in steps:
        place = {"number", "level", "dependencies"}
        assert row.keys() - place == ready[row["step"]].keys() - {"task_id"}
        assert row["ready_for_execution"] == ready[row["step"]]["ready_for_execution"]
    assert steps[3]["dependencies"] == ["left", "right"]
    assert [row["level"] for row in steps] == [0, 1, 1, 2]


def test_a_task_that_no_coordinator_has_met_has_no_summary_yet(connection: Connection) -> None:
    assert call_public(connection, "task_summary", submitted(connection)) == [None]


def test_a_large_task_is_told_in_the_templates_order(connection: Connection) -> None:
    names = [f"s{n}" for n in range(300)]
    task = given_task(connection, template(*(step(name) for name in names)))

    (summary,) = call_public(connection, "task_summary", task)

    assert [row["step"] for row in summary["steps"]] == names
    assert summary["ready_steps"] == 300
