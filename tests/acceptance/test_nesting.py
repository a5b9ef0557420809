"""Lists in lists: what every reader can take is stored, anything deeper is refused on entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowledger.engine import Engine, InvalidContext, InvalidTemplate, TaskNotCompleted
from flowledger.engine.domain.json_values import MOST_NESTED
from flowledger.engine.errors import InvalidRequest
from flowledger.handlers import Retry, StepContext, Workflow
from flowledger.projections.builtin import Notes
from support.engines import PATIENCE, EngineHarness

NO_RETRY = Retry(max_attempts=1)
SAYS = {"actor": "ann", "reason": "to see"}
TOO_DEEP = f"is nested deeper than {MOST_NESTED} levels"


def nested(levels: int) -> Any:
    value: Any = "inside"
    for level in range(levels):
        value = {"in": value} if level % 2 else [value]
    return value


deep = Workflow("nesting", "deep", version="1")


@deep.step(retry=NO_RETRY)
def returned(context: dict[str, Any]) -> Any:
    return nested(context["levels"])


@deep.step(retry=NO_RETRY, after=[returned])
def read(returned: list[Any] | dict[str, Any]) -> Any:
    return returned


@deep.step(retry=NO_RETRY)
def said(context: dict[str, Any], step: StepContext) -> None:
    step.heartbeat(nested(context["levels"]))
    step.checkpoint(nested(context["levels"]))


@deep.step(retry=NO_RETRY)
def is_left(context: dict[str, Any]) -> int:
    return context["levels"]


configured = Workflow("nesting", "configured", version="1")


@configured.step(config={"value": nested(MOST_NESTED - 1)})
def look(step: StepContext) -> Any:
    return step.config["value"]


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(deep, configured, projections=[Notes])


@pytest.fixture(scope="module")
def client(shared_harness: EngineHarness, engine: Engine) -> Engine:
    """Nobody serves its workflows, so its steps stay open."""
    return shared_harness.open(roles=())


def test_the_deepest_value_is_read_by_every_reader(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = engine.submit(deep, {"levels": MOST_NESTED, "also": nested(MOST_NESTED - 1)})
    result = task.result(PATIENCE)
    task.annotate("deep", nested(MOST_NESTED), actor="ann")

    assert result["read"] == nested(MOST_NESTED)
    assert list(engine.verify(task.id)) == []
    shared_harness.until(
        lambda: shared_harness.rows("select 1 from flowledger_v1.annotations where kind = 'deep'")
    )
    ((stored,),) = shared_harness.rows(
        "select data -> 'result' from flowledger_v1.events"
        " where type = 'step.completed' and step = 'read'"
    )
    assert stored == nested(MOST_NESTED)


@pytest.mark.parametrize("levels", [MOST_NESTED + 1, 253, 254, 255, 5_000])
def test_a_deeper_result_is_its_steps_error_and_the_worker_goes_on(
    engine: Engine, levels: int
) -> None:
    task = engine.submit(deep, {"levels": levels})

    with pytest.raises(TaskNotCompleted) as caught:
        task.result(PATIENCE)

    assert set(caught.value.errors) == {"returned", "said"}
    assert TOO_DEEP in caught.value.errors["returned"]
    assert TOO_DEEP in caught.value.errors["said"]
    assert engine.submit(deep, {"levels": 3}).result(PATIENCE)["is_left"] == 3


def ways(engine: Engine, value: Any) -> Iterator[Callable[[], object]]:
    other = Workflow("nesting", "waiting", version="1")
    other.step(name="open")(lambda: None)
    task = engine.submit(other, {})
    yield lambda: task.annotate("deep", value, actor="ann")
    yield lambda: task.step("open").complete(value, **SAYS)
    yield lambda: engine.submit(other, {"value": value})


@pytest.mark.parametrize("levels", [MOST_NESTED + 1, 253, 254, 255, 5_000])
def test_what_people_hand_in_is_refused_where_it_is_too_deep(client: Engine, levels: int) -> None:
    for hand_in in ways(client, nested(levels)):
        with pytest.raises((InvalidContext, InvalidRequest), match=TOO_DEEP):
            hand_in()


@pytest.mark.parametrize("levels", [MOST_NESTED, 253])
def test_a_configuration_that_is_too_deep_is_refused_at_its_declaration(levels: int) -> None:
    workflow = Workflow("nesting", "too_deep", version="1")

    with pytest.raises(InvalidTemplate, match=TOO_DEEP):
        workflow.step(name="a", config={"value": nested(levels)})(lambda: None)


def test_the_deepest_configuration_reaches_its_step(engine: Engine) -> None:
    task = engine.submit(configured, {})

    assert task.result(PATIENCE)["look"] == nested(MOST_NESTED - 1)
