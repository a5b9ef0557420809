"""Numbers, strings and containers of other classes than JSON's own, wherever a value enters."""

from __future__ import annotations

from enum import IntEnum
from http import HTTPStatus
from typing import Any

import pytest
from lab import PATIENCE, Lab

from flowledger.engine import Engine, InvalidSubmission
from flowledger.handlers import Retry, StepContext, Workflow

NO_RETRY = Retry(max_attempts=1)


class Priority(IntEnum):
    LOW = -1
    HIGH = 5
    BEYOND = 2**40


class Celsius(int):
    pass


class Share(float):
    pass


odd = Workflow("odd", "values", version="1")


@odd.step(retry=NO_RETRY)
def returned(context: dict[str, Any]):  # type: ignore[no-untyped-def]
    return VALUES[context["case"]][0]


@odd.step(retry=NO_RETRY)
def said(context: dict[str, Any], step: StepContext) -> None:
    step.checkpoint(VALUES[context["case"]][0])
    step.heartbeat(VALUES[context["case"]][0])


VALUES: dict[str, tuple[Any, Any]] = {
    "a status beside null": (
        {"status": HTTPStatus.OK, "detail": None},
        {"status": 200, "detail": None},
    ),
}


@pytest.fixture(scope="module")
def engine(shared_lab: Lab) -> Engine:
    return shared_lab.open(odd)


@pytest.mark.parametrize("case", VALUES)
def test_a_value_is_stored_as_the_json_that_it_equals(engine: Engine, case: str) -> None:
    task = engine.submit(odd, {"case": case})

    assert task.result(PATIENCE)["returned"] == VALUES[case][1]


def test_a_priority_may_be_of_an_enumeration(engine: Engine) -> None:
    task = engine.submit(odd, {"case": "a status beside null"}, priority=Priority.HIGH)

    task.result(PATIENCE)
    created = task.history()[0].event
    assert type(created.priority) is int  # type: ignore[attr-defined]
    assert created.priority == 5  # type: ignore[attr-defined]


@pytest.mark.parametrize("priority", [Priority.BEYOND, Celsius(-(2**31) - 1), True, Share(1.0)])
def test_a_priority_that_cannot_be_stored_is_refused(engine: Engine, priority: Any) -> None:
    with pytest.raises(InvalidSubmission, match="priority should be a whole number"):
        engine.submit(odd, {"case": "x"}, priority=priority)
