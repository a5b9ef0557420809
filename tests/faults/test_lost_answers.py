"""Writes whose answer is lost: the caller is told that they may be stored, and asks once more."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from flowledger.engine import DatabaseUnavailable, Engine, InvalidSubmission, TaskHandle
from flowledger.engine.errors import MaybeStored
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness
from support.pooled import Cutter

ASKING: Any = {"reason": "test", "actor": "ada", "timeout": 0}

flow = Workflow("lost", "flow", version="1")


@flow.step
def only(context: dict[str, Any]) -> int:
    return int(context["number"])


@pytest.fixture
def cutter(harness: EngineHarness) -> Generator[Cutter]:
    with closing(Cutter(harness.url)) as made:
        yield made


@pytest.fixture
def engine(harness: EngineHarness, cutter: Cutter) -> Engine:
    """A client that has one connection, through the cutter."""
    direct, harness.url = harness.url, cutter.url
    engine = harness.open(flow, roles=(), database={"pool_max_size": 1})
    harness.url = direct
    return engine


def lost(cutter: Cutter, marker: str, ask: Callable[[], object]) -> MaybeStored:
    """The error of something that is stored, and whose answer is lost."""
    cutter.cut(marker)
    with pytest.raises(MaybeStored, match="lost before the answer, and this may be stored") as told:
        ask()
    assert cutter.cuts == 1
    assert isinstance(told.value, DatabaseUnavailable)
    return told.value


def streams(harness: EngineHarness, topics: str) -> int:
    found: int = harness.value("select count(*) from flowledger.event where topic like %s", topics)
    return found


@pytest.mark.parametrize("key", [None, "an order"])
@pytest.mark.parametrize("on_duplicate", ["return", "raise"])
def test_a_submission_is_made_again_with_its_id(
    harness: EngineHarness, cutter: Cutter, engine: Engine, key: str | None, on_duplicate: Any
) -> None:
    given: Any = {"idempotency_key": key, "on_duplicate": on_duplicate}
    marker = "submit_tasks" if on_duplicate == "return" else "COMMIT"
    told = lost(cutter, marker, lambda: engine.submit(flow, {"number": 1}, **given))
    (task_id,) = told.task_ids
    assert f"task_id={task_id}" in str(told)
    assert streams(harness, "task.created") == 1

    again = [engine.submit(flow, {"number": 1}, task_id=task_id, **given) for _ in range(2)]

    assert {task.id for task in again} == {task_id}
    assert streams(harness, "task.created") == 1
    harness.open(flow)
    assert again[0].result(PATIENCE) == {"only": 1}


def test_many_submissions_are_made_again_with_their_ids(
    harness: EngineHarness, cutter: Cutter, engine: Engine
) -> None:
    contexts = [{"number": number} for number in range(3)]
    told = lost(cutter, "submit_tasks", lambda: engine.submit_many(flow, contexts))

    again = engine.submit_many(flow, contexts, task_ids=told.task_ids)

    assert tuple(task.id for task in again) == told.task_ids
    assert streams(harness, "task.created") == 3


def test_an_id_that_was_not_stored_is_stored(harness: EngineHarness, engine: Engine) -> None:
    task_id = uuid4()

    assert engine.submit(flow, {"number": 1}, task_id=task_id).id == task_id
    assert streams(harness, "task.created") == 1


def test_an_id_that_stands_for_another_task_is_refused(engine: Engine) -> None:
    task = engine.submit(flow, {"number": 1})

    with pytest.raises(InvalidSubmission, match=r"task_id .* lost/flow@1 with another context"):
        engine.submit(flow, {"number": 2}, task_id=task.id)


def test_an_id_is_stored_once_in_a_callers_transaction_too(
    harness: EngineHarness, engine: Engine
) -> None:
    task_id = uuid4()
    with harness.connect() as own:
        for _ in range(2):
            engine.submit(flow, {"number": 1}, task_id=task_id, connection=own)
        own.commit()
    harness.open(flow)
    assert engine.task(task_id).result(PATIENCE) == {"only": 1}

    with harness.connect() as own:
        engine.submit(flow, {"number": 1}, task_id=task_id, connection=own)
        own.commit()

    assert harness.value("select count(*) from flowledger.submission") == 0
    assert streams(harness, "task.created") == 1


REQUESTS: dict[str, Callable[[Engine, TaskHandle, Any], object]] = {
    "cancel": lambda _, task, more: task.cancel(**ASKING, **more),
    "pause": lambda _, task, more: task.pause(**ASKING, **more),
    "complete": lambda _, task, more: task.step("only").complete(1, **ASKING, **more),
    "cancel_many": lambda engine, task, more: engine.cancel_many([task.id], **ASKING, **more),
}
NOTES: dict[str, Callable[[Engine, TaskHandle, Any], object]] = {
    "annotate": lambda _, task, more: task.annotate("kind", 1, actor="ada", **more),
    "tag": lambda _, task, more: task.tag("one", actor="ada", **more),
}


@pytest.mark.parametrize("ask", {**REQUESTS, **NOTES}.values(), ids={**REQUESTS, **NOTES}.keys())
@pytest.mark.parametrize("key", [None, "mine"])
def test_a_request_or_a_note_is_made_again_with_its_key(
    harness: EngineHarness,
    cutter: Cutter,
    engine: Engine,
    ask: Callable[..., object],
    key: str | None,
) -> None:
    task = engine.submit(flow, {"number": 1})
    before = streams(harness, "%")

    told = lost(cutter, "append_per_stream", lambda: ask(engine, task, {"key": key}))
    assert told.key
    assert key in (None, told.key)
    assert streams(harness, "%") == before + 1
    for _ in range(2):
        ask(engine, task, {"key": told.key})

    assert streams(harness, "%") == before + 1


def test_what_may_be_asked_twice_is_asked_twice(
    harness: EngineHarness, cutter: Cutter, engine: Engine
) -> None:
    """Templates that are registered or paused once more are as they were."""
    asked = {"reason": "test", "actor": "ada"}
    cutter.cut("set_template_paused")
    with pytest.raises(DatabaseUnavailable):
        engine.pause_template("lost/flow@1", **asked)

    assert not engine.pause_template("lost/flow@1", **asked)
    assert streams(harness, "template.paused") == 1


def test_what_was_never_sent_is_not_said_to_be_stored(
    harness: EngineHarness, cutter: Cutter
) -> None:
    direct, harness.url = harness.url, cutter.url
    engine = harness.open(flow, roles=(), database={"pool_min_size": 0})
    harness.url = direct
    cutter.close()

    with pytest.raises(DatabaseUnavailable) as told:
        engine.submit(flow, {"number": 1})

    assert not isinstance(told.value, MaybeStored)
