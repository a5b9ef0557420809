"""A task whose history cannot be folded is left alone, and the others go on."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from lab import PATIENCE, Lab

from flowledger.engine import TaskState
from flowledger.handlers import Workflow

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
    lab: Lab, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "flowledger")
    submitter = lab.open(flow, roles=())
    broken, before = (submitter.submit(flow, {"number": number}) for number in (1, 2))
    with lab.connect() as connection:
        connection.execute(PLANT.encode(), {"task": broken.id, "state": state})
    after = submitter.submit(flow, {"number": 3})

    lab.open(flow)

    assert before.result(PATIENCE) == {"only": 2}
    assert after.result(PATIENCE) == {"only": 3}
    assert broken.state is not TaskState.COMPLETE
    assert any("coordinator.task_parked" in record.getMessage() for record in caplog.records)
