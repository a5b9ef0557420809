"""What handlers are given and what they may return."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from flowledger.engine import Engine, StepState, TaskNotCompleted, TaskState
from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.events.step import StepAttemptFailed, StepFailed
from flowledger.handlers import From, Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

NO_RETRY = Retry(max_attempts=1)


class Item(BaseModel):
    name: str
    due: date


@dataclass
class Parcel:
    items: list[Item]
    packed_at: datetime


typed = Workflow("typing", "typed", version="1", context=Item)


@typed.step(name="pack-items")
def pack(context: Item) -> Parcel:
    return Parcel([context], datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


@typed.step(after=["pack-items"])
def ship(parcel: Annotated[Parcel, From("pack-items")]) -> tuple[str, int]:
    assert isinstance(parcel, Parcel)
    return (f"{parcel.items[0].name} by {parcel.items[0].due:%d %B}", parcel.packed_at.year)


@typed.step(after=["ship"])
async def tell(ship: tuple[str, int], step: StepContext) -> dict[str, Any]:
    return {"told": ship, "parcel": step.results["pack-items"]}


results = Workflow("typing", "results", version="1")


@results.step(retry=Retry(max_attempts=5))
def returned(context: dict[str, Any]) -> Any:
    return {"value": RESULTS[context["case"]]}


@results.step(after=[returned])
def after(returned: Any) -> None:
    """Never reached."""


RESULTS: dict[str, Any] = {
    "nan": math.nan,
    "infinity": [1, {"deep": -math.inf}],
    "object": object(),
    "bytes": b"x",
    "key": {1: 2},
    "surrogate": "\ud800",
    "huge": "x" * 2_000,
}

wrong_type = Workflow("typing", "wrong_type", version="1")


@wrong_type.step(retry=Retry(max_attempts=5))
def counted() -> list[int]:
    answer: Any = [1, "two"]
    return answer


contexts = Workflow("typing", "contexts", version="1")
seen: dict[str, StepContext] = {}


@contexts.step
def first() -> str:
    return "one"


@contexts.step(after=[first], config={"colour": "red"}, retry=Retry(backoff="none"))
def second(step: StepContext) -> str:
    if step.attempt == 1:
        seen["failed"] = step
        raise RuntimeError("once more")
    seen["second"] = step
    return "two"


@contexts.step(after=[second])
def third(step: StepContext) -> dict[str, Any]:
    seen["third"] = step
    with pytest.raises(KeyError):
        step.results["third"]
    return dict(step.results)


failing = Workflow("typing", "failing", version="1")


@failing.step(retry=NO_RETRY)
def broken() -> None:
    raise RuntimeError("the printer is on fire")


@failing.step(retry=NO_RETRY)
def silent() -> None:
    raise ConnectionError


@failing.step(after=[broken])
def never() -> None:
    """Never reached."""


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(
        typed, results, wrong_type, contexts, failing, worker={"max_result_bytes": 1_000}
    )


def test_values_keep_their_types_from_step_to_step(engine: Engine) -> None:
    result = engine.submit(typed, Item(name="lamp", due=date(2026, 5, 4))).result(PATIENCE)

    assert result["ship"] == ["lamp by 04 May", 2026]
    assert result["tell"]["told"] == ["lamp by 04 May", 2026]
    assert result["tell"]["parcel"] == {
        "items": [{"name": "lamp", "due": "2026-05-04"}],
        "packed_at": "2026-01-02T03:04:05Z",
    }


@pytest.mark.parametrize(
    ("case", "place"),
    [
        ("nan", "result.value: nan is not JSON"),
        ("infinity", "result.value[1].deep: -inf is not JSON"),
        ("object", "result.value: object is not JSON"),
        ("bytes", "result.value: bytes is not JSON"),
        ("key", "result.value: the key 1 is not a string"),
        ("surrogate", "result.value: "),
        ("huge", "has 2012 bytes as JSON; worker.max_result_bytes is 1000"),
    ],
)
def test_a_result_that_cannot_be_stored_is_the_steps_error(
    engine: Engine, case: str, place: str
) -> None:
    task = engine.submit(results, {"case": case})

    with pytest.raises(TaskNotCompleted) as caught:
        task.result(PATIENCE)

    assert place in caught.value.errors["returned"]
    assert "'returned'" in caught.value.errors["returned"]
    assert kinds(task.history(), "returned") == [
        "StepEnqueued", "StepStarted", "StepAttemptFailed", "StepFailed",
    ]  # fmt: skip
    assert of_kind(task.history(), StepFailed)[0].reason == "permanent"


def test_a_result_of_another_type_than_annotated_is_the_steps_error(engine: Engine) -> None:
    task = engine.submit(wrong_type, {})

    with pytest.raises(TaskNotCompleted, match=r"step 'counted': result\[1\]: .*integer"):
        task.result(PATIENCE)

    error = of_kind(task.history(), StepAttemptFailed)[0].error
    assert (error.error_class, error.category, error.retryable) == (
        "InvalidResult", "validation", False,
    )  # fmt: skip


def test_a_failed_task_carries_the_message_of_each_failed_step(engine: Engine) -> None:
    task = engine.submit(failing, {})

    with pytest.raises(TaskNotCompleted, match="the printer is on fire") as caught:
        task.result(PATIENCE)

    assert caught.value.state is TaskState.ERROR
    assert caught.value.errors == {
        "broken": "failed 1 of 1 times: RuntimeError: the printer is on fire",
        "silent": "failed 1 of 1 times: ConnectionError: ConnectionError",
    }
    assert {name: step.state for name, step in task.steps().items()} == {
        "broken": StepState.ERROR,
        "silent": StepState.ERROR,
        "never": StepState.PENDING,
    }
    assert (
        "test_typing_and_results.py"
        in of_kind(task.history(), StepAttemptFailed)[0].error.traceback
    )


def test_a_handler_knows_the_step_that_it_runs(engine: Engine) -> None:
    task = engine.submit(contexts, {}, correlation_id="corr-1")
    result = task.result(PATIENCE)
    step, failed = seen["second"], seen["failed"]

    assert result["third"] == {"first": "one", "second": "two"}
    assert (step.task_id, step.step_id) == (task.id, step_id(task.id, "second"))
    assert (step.namespace, step.template, step.version, step.step) == (
        "typing", "contexts", "1", "second",
    )  # fmt: skip
    assert (failed.attempt, step.attempt, seen["third"].attempt) == (1, 2, 1)
    assert failed.idempotency_key == step.idempotency_key == str(step.step_id)
    assert seen["third"].idempotency_key != step.idempotency_key
    assert step.correlation_id == "corr-1"
    assert dict(step.config) == {"colour": "red"}
    assert dict(step.results) == {"first": "one"}
    assert len(seen["third"].results) == 2
