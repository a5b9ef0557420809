"""A task whose history cannot be folded is left alone, and the others go on."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from flowledger.engine import TaskState
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

flow = Workflow("parking", "flow", version="1")

PLANT = """
    select flowledger.append_events(
        array[%(task)s::uuid], array[2::bigint], array['step.completed'],
        array[convert_to(%(state)s, 'utf8')], array[%(task)s::uuid], array[0::bigint]
    )
"""
ILLEGAL = (
    '{"event_id": "01a20000-0000-7000-8000-000000000001",'
    ' "occurred_at": "2026-01-01T00:00:00Z", "namespace": "parking", "template": "flow",'
    ' "step": "only", "attempt": 1}'
)


@flow.step
def only(context: dict[str, Any]) -> int:
    return context["number"]


@pytest.mark.parametrize("state", [ILLEGAL, ILLEGAL.replace('"only"', '"nowhere"')])
def test_an_illegal_fact_parks_its_task_and_no_other(
    harness: EngineHarness, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "flowledger")
    submitter = harness.open(flow, roles=())
    broken, before = (submitter.submit(flow, {"number": number}) for number in (1, 2))
    with harness.connect() as connection:
        connection.execute(PLANT.encode(), {"task": broken.id, "state": state})
    after = submitter.submit(flow, {"number": 3})

    harness.open(flow)

    assert before.result(PATIENCE) == {"only": 2}
    assert after.result(PATIENCE) == {"only": 3}
    assert broken.state is not TaskState.COMPLETE
    assert any("coordinator.task_parked" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("state", ["no JSON", "[]", "{}", ILLEGAL.replace("attempt", "atempt")])
def test_a_fact_that_cannot_be_read_parks_its_task_and_no_other(
    harness: EngineHarness, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It lies between the others; the coordinator goes on past it, and says so once."""
    caplog.set_level(logging.WARNING, "flowledger")
    engine = harness.open(flow, roles=["coordinator"])
    broken, before = (engine.submit(flow, {"number": number}) for number in (1, 2))
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 2)
    with harness.connect() as connection:
        plant = PLANT.replace("2::bigint", "9::bigint")
        connection.execute(plant.encode(), {"task": broken.id, "state": state})
    after = engine.submit(flow, {"number": 3})

    harness.open(flow, roles=["worker"])

    assert before.result(PATIENCE) == {"only": 2}
    assert after.result(PATIENCE) == {"only": 3}
    assert broken.state is TaskState.IN_PROGRESS
    told = [record.getMessage() for record in caplog.records]
    assert [line.split()[0] for line in told] == ["coordinator.task_parked"]
    assert str(broken.id) in told[0]


def test_a_submission_that_cannot_be_read_is_told_once_and_holds_up_no_other(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flowledger")
    submitter = harness.open(flow, roles=())
    with harness.connect() as connection:
        broken, whole = (
            submitter.submit(flow, {"number": number}, connection=connection) for number in (1, 2)
        )
        connection.commit()
    garbage = "update flowledger.submission set state = 'no JSON' where task_id = %s"
    harness.rows(garbage, broken.id)

    engine = harness.open(flow)

    assert whole.result(PATIENCE) == {"only": 2}
    assert engine.submit(flow, {"number": 3}).result(PATIENCE) == {"only": 3}
    assert broken.state is TaskState.SUBMITTED
    told = [record.getMessage() for record in caplog.records]
    assert [line.split()[0] for line in told] == ["coordinator.task_parked"]


def test_a_parked_task_that_goes_on_before_its_creation_is_met_wedges_nobody(
    harness: EngineHarness,
) -> None:
    """A leader parked it and died before it passed the event; the next one reads one at a time."""
    submitter = harness.open(flow, roles=())
    tasks = [submitter.submit(flow, {"number": number}) for number in range(4)]
    harness.rows(
        "insert into flowledger.parked_task (task_id, reason, parked_at, tried_at)"
        " values (%s, 'it could not be stored', now(), now())",
        tasks[2].id,
    )

    harness.open(flow, coordinator={"batch_size": 1})

    assert [task.result(PATIENCE)["only"] for task in tasks] == [0, 1, 2, 3]
    assert harness.rows("select from flowledger.parked_task") == []
