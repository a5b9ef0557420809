"""Numbers, strings and containers of other classes than JSON's own, wherever a value enters."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from enum import Enum, IntEnum, StrEnum
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel, BeforeValidator

from flowledger.engine import Engine, InvalidContext, InvalidSubmission, TaskNotCompleted
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness

NO_RETRY = Retry(max_attempts=1)


class Priority(IntEnum):
    LOW = -1
    HIGH = 5
    BEYOND = 2**40


class Celsius(int):
    pass


class Share(float):
    pass


class Colour(StrEnum):
    RED = "red"


class Text(str):
    __slots__ = ()


class Other(str):
    """Unequal to everything else."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class Place(NamedTuple):
    x: int
    y: float


TASK = UUID(int=1)

odd = Workflow("odd", "values", version="1")


@odd.step(retry=NO_RETRY)
def returned(context: dict[str, Any]):  # type: ignore[no-untyped-def]
    return VALUES[context["case"]][0]


@odd.step(retry=NO_RETRY)
def said(context: dict[str, Any], step: StepContext) -> None:
    step.checkpoint(VALUES[context["case"]][0])
    step.heartbeat(VALUES[context["case"]][0])


VALUES: dict[str, tuple[Any, Any]] = {
    "a status beside null": ([HTTPStatus.OK, None], [200, None]),
    "an integer of one's own": ({"t": Celsius(-3)}, {"t": -3}),
    "a float of one's own": ([Share(0.5), None], [0.5, None]),
    "a string of one's own": ([Colour.RED, None], ["red", None]),
    "a counter": (Counter("aab"), {"a": 2, "b": 1}),
    "a dictionary with a default": (defaultdict(int, a=1), {"a": 1}),
    "a dictionary in order": ({"x": OrderedDict(b=1, a=None)}, {"x": {"b": 1, "a": None}}),
    "a named tuple": ([Place(1, 2.5), None], [[1, 2.5], None]),
    "a tuple": ((1, (2, None)), [1, [2, None]]),
    "a key of one's own": ({Colour.RED: 1}, {"red": 1}),
}


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(odd, charging, converting)


@pytest.mark.parametrize("case", VALUES)
def test_a_value_is_stored_as_the_json_that_it_equals(engine: Engine, case: str) -> None:
    task = engine.submit(odd, {"case": case})

    assert task.result(PATIENCE)["returned"] == VALUES[case][1]


def test_a_priority_may_be_of_an_enumeration(engine: Engine) -> None:
    task = engine.submit(odd, {"case": "an integer of one's own"}, priority=Priority.HIGH)

    task.result(PATIENCE)
    created = task.history()[0].event
    assert type(created.priority) is int  # type: ignore[attr-defined]
    assert created.priority == 5  # type: ignore[attr-defined]


@pytest.mark.parametrize("priority", [Priority.BEYOND, Celsius(-(2**31) - 1), True, Share(1.0)])
def test_a_priority_that_cannot_be_stored_is_refused(engine: Engine, priority: Any) -> None:
    with pytest.raises(InvalidSubmission, match="priority should be a whole number"):
        engine.submit(odd, {"case": "x"}, priority=priority)


class Level(Enum):
    LOW = "low"


REFUSED: dict[str, tuple[Any, str]] = {
    "an enumeration": ({"level": Level.LOW, "x": None}, "result.level: Level is not JSON"),
    "an id": ([1, TASK], "result[1]: UUID is not JSON"),
    "a float that JSON lacks": ([Share("nan")], "result[0]: nan is not JSON"),
    "an integer beyond": ({"t": Celsius(2**64)}, "result.t: an integer of more than 64 bits"),
    "text that is none": ({"s": Text("\ud800")}, "result.s: str is not valid UTF-8"),
    "a default that is none": (defaultdict(set, a={1}), "result.a: set is not JSON"),
    "keys that are one": ({Other("a"): 1, Text("a"): 2}, "result: there are two keys 'a'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_that_is_no_json_is_refused_for_its_true_reason(engine: Engine, case: str) -> None:
    VALUES[case] = REFUSED[case]
    task = engine.submit(odd, {"case": case})

    with pytest.raises(TaskNotCompleted) as caught:
        task.result(PATIENCE)

    assert REFUSED[case][1] in caught.value.errors["returned"]
    assert REFUSED[case][1].replace("result", "checkpoint") in caught.value.errors["said"]


class Charged(BaseModel):
    """In cents; an amount that is read is in euros."""

    cents: Annotated[int, BeforeValidator(lambda euros: round(euros * 100))]


charging = Workflow("odd", "charging", version="1", context=Charged)


@charging.step(retry=NO_RETRY)
def charge(context: Charged) -> Charged:
    return context


converting = Workflow("odd", "converting", version="1")


@converting.step(retry=NO_RETRY)
def convert() -> Charged:
    return Charged(cents=19.99)  # type: ignore[arg-type]


def test_a_context_that_would_be_read_as_another_is_not_stored(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    before = shared_harness.counts()

    with pytest.raises(InvalidContext, match=r"charging@1: context.cents: comes back as another"):
        engine.submit(charging, {"cents": 19.99})  # type: ignore[arg-type]

    assert shared_harness.counts() == before


def test_a_result_that_would_be_read_as_another_is_its_steps_error(engine: Engine) -> None:
    task = engine.submit(converting, {})

    with pytest.raises(TaskNotCompleted, match=r"result\.cents: comes back as another int"):
        task.result(PATIENCE)
