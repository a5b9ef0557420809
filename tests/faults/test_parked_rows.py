"""Rows of parked tasks that nothing stands behind are found, and go; those by right stay."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

flow = Workflow("parked_rows", "flow", version="1")
WHY: Any = {"reason": "ticket 7", "actor": "ann"}
PARK = """
    insert into flowledger.parked_task (task_id, reason, parked_at, tried_at, wanted)
    values (%s, 'by hand', now(), now(), %s)
"""
PARKED = "select task_id from flowledger.parked_task order by parked_at, task_id"


@flow.step
def only(context: dict[str, Any]) -> int:
    return int(context["number"])


def ended(harness: EngineHarness) -> tuple[Engine, TaskHandle]:
    """A client, and a task that is complete; no coordinator runs any more."""
    with harness.open(flow) as running:
        task = running.submit(flow, {"number": 1})
        assert task.wait(PATIENCE) is TaskState.COMPLETE
    engine = harness.open(flow, roles=())
    return engine, engine.task(task.id)


def assert_repaired(harness: EngineHarness, engine: Engine, task: UUID, said: str) -> None:
    """The row is found, and gone after a repair, which says so in the log."""
    (found,) = engine.verify()
    assert (found.task_id, str(found).endswith(said)) == (task, True), str(found)

    assert list(map(str, engine.repair(**WHY).repaired)) == [str(found)]

    assert harness.rows(PARKED) == []
    assert list(engine.verify()) == []
    told = "select count(*) from flowledger.event where topic like '%%.repaired'"
    assert harness.value(told) == 1


def test_a_task_that_has_ended_is_not_parked(harness: EngineHarness) -> None:
    engine, task = ended(harness)
    harness.rows(PARK, task.id, False)

    said = "row is there in flowledger.parked_task, and none, as it has ended by the log"
    assert_repaired(harness, engine, task.id, said)


def test_a_task_that_is_none_is_not_parked(harness: EngineHarness) -> None:
    engine, _ = ended(harness)
    nobody = uuid4()
    harness.rows(PARK, nobody, True)

    said = "row is a row in flowledger.parked_task, and none by the log"
    assert_repaired(harness, engine, nobody, said)


def test_a_parked_task_that_is_asked_something_or_is_open_or_is_to_be_tried_stays(
    harness: EngineHarness,
) -> None:
    engine, task = ended(harness)
    waiting = [engine.submit(flow, {"number": 2})]
    with harness.connect() as own:
        waiting.append(engine.submit(flow, {"number": 3}, connection=own))
        own.commit()
    for one in waiting:
        harness.rows(PARK, one.id, False)
    harness.rows(PARK, task.id, True)
    before = harness.rows(PARKED)

    for one in (task.id, *(one.id for one in waiting), None):
        assert not [found for found in engine.verify(one) if "parked" in found.place]
        engine.repair(one, **WHY)

    assert harness.rows(PARKED) == before


def test_a_task_that_ended_and_whose_request_nobody_could_decide_on_stays_parked(
    harness: EngineHarness,
) -> None:
    engine, task = ended(harness)
    task.reset(timeout=0, **WHY)
    harness.rows(PARK, task.id, False)
    end = "update flowledger.shard set position = (select max(notification_id) from {})"
    harness.rows(end.format("flowledger.event"))

    places = {found.place for found in engine.verify()}
    engine.repair(**WHY)

    assert places == {"the log"}
    assert harness.rows(PARKED) == [(task.id,)]
