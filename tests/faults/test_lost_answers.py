"""Writes whose answer is lost: the caller is told that they may be stored, and asks once more."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from typing import Any
from uuid import uuid4

import pytest

from flowledger.engine import DatabaseUnavailable, Engine, InvalidSubmission, TaskHandle
from flowledger.engine.errors import (
    InvalidRequest,
    MaybeStored,
    ProjectionRefused,
    UnknownProjection,
)
from flowledger.handlers import Workflow
from support.cli import Command, command
from support.engines import PATIENCE, EngineHarness
from support.pooled import Cutter
from support.spend_projection import spending

__all__ = ["command"]

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


def test_the_command_makes_a_submission_again_with_its_id(
    harness: EngineHarness, cutter: Cutter, command: Command
) -> None:
    target = command.write("flow.yaml", "namespace: n\nname: f\nversion: '1'\nsteps: [{name: a}]\n")
    command.environment["FLOWLEDGER_DATABASE__URL"] = cutter.url
    cutter.cut("submit_tasks")

    told = command("submit", target)

    assert told.code == 2
    found = re.search(r"submit it again with task_id=(\S+)", told.error)
    assert found is not None, told.error
    for _ in range(2):
        assert command("submit", target, "--task-id", found[1]).out == f"{found[1]}\n"
    assert streams(harness, "task.created") == 1
    assert "'x' is not the id of a task" in command("submit", target, "--task-id", "x").error


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


Money = spending(forget=lambda *_: None)
ROWS: dict[str, dict[str, str]] = {"all": {}, "a template's tasks": {"template": "lost/flow@1"}}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("key", [None, "mine"])
def test_a_rebuild_whose_answer_is_lost_is_begun_once_also_when_it_is_done(
    harness: EngineHarness, cutter: Cutter, engine: Engine, key: str | None, rows: Any
) -> None:
    asked = {"reason": "test", "actor": "ada", **rows}
    host = harness.open(flow, roles=("projector",), projections=[Money])
    standing = engine.projections

    told = lost(cutter, "COMMIT", lambda: standing.rebuild("money", key=key, **asked))
    assert told.key
    assert key in (None, told.key)
    made = [standing.rebuild("money", key=told.key, **asked)]
    harness.until(lambda: built(harness))
    made += [standing.rebuild("money", key=told.key, **asked) for _ in range(2)]

    assert len(set(made)) == 1
    assert streams(harness, "projection.%rebuild_requested") == 1
    assert standing.rebuild("money", key="another", **asked).number == made[0].number + 1
    assert host.projections.status("money").name == "money"


def built(harness: EngineHarness) -> bool:
    """Whether nothing is being built."""
    return not harness.rows(
        "select from flowledger.projection where state = 'building' union all"
        " select from flowledger.projection_rebuild where state = 'asked'"
    )


AGAIN: dict[str, tuple[Callable[..., object], int, type[Exception] | None]] = {
    "paused": (lambda of, word: of.pause("money", **word), 1, None),
    "resumed": (lambda of, word: of.resume("money", **word), 1, None),
    "event_skipped": (lambda of, word: of.skip("money", position=1, **word), 1, ProjectionRefused),
    "parked_retry_requested": (
        lambda of, word: of.retry_parked("money", position=1, **word),
        2,
        None,
    ),
    "parked_drop_requested": (
        lambda of, word: of.drop_parked("money", position=1, **word),
        2,
        None,
    ),
    "removed": (lambda of, word: of.remove("money", **word), 1, UnknownProjection),
}
"""What has no key: how often it is recorded where it is asked twice, and what the second raises."""


def test_what_has_no_key_is_stored_too_and_may_be_asked_again(
    harness: EngineHarness, cutter: Cutter, engine: Engine
) -> None:
    word = {"reason": "test", "actor": "ada"}
    with harness.open(flow, roles=("projector",), projections=[Money]):
        pass
    engine.submit(flow, {"number": 1})
    harness.rows(
        "update flowledger.projection set position = 0, failed_position = 1, failure = 'broken',"
        " failed_at = now(), failures = 1 where name = 'money'"
    )

    for topic, (ask, recorded, refusal) in AGAIN.items():
        cutter.cut("COMMIT")
        with pytest.raises(DatabaseUnavailable) as told:
            ask(engine.projections, word)
        assert not isinstance(told.value, MaybeStored)
        assert streams(harness, f"projection.{topic}") == 1, topic
        with nullcontext() if refusal is None else pytest.raises(refusal):
            ask(engine.projections, word)
        assert streams(harness, f"projection.{topic}") == recorded, topic


def test_of_two_who_ask_with_one_key_at_once_one_begins(
    harness: EngineHarness, engine: Engine
) -> None:
    asked: Any = {"reason": "test", "actor": "ada", "template": "lost/flow@1", "key": "k"}
    harness.open(flow, roles=("projector",), projections=[Money])
    other = harness.open(flow, roles=())
    with harness.connect() as holding, ThreadPoolExecutor(2) as threads:
        holding.execute("lock table flowledger.log_lock in share update exclusive mode")
        made = [
            threads.submit(client.projections.rebuild, "money", **asked)
            for client in (engine, other)
        ]
        waiting = (
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
        harness.until(lambda: harness.value(waiting) >= 2)
        holding.commit()
        numbers = {one.result(PATIENCE) for one in made}

    assert len(numbers) == 1
    assert streams(harness, "projection.tasks_rebuild_requested") == 1
    assert harness.value("select count(*) from flowledger.projection_rebuild") == 1


def test_a_key_that_cannot_be_stored_rebuilds_nothing(
    harness: EngineHarness, engine: Engine
) -> None:
    harness.open(flow, roles=("projector",), projections=[Money])

    with pytest.raises(InvalidRequest, match=r"projection\.rebuild_requested: key"):
        engine.projections.rebuild("money", key="\0", reason="test", actor="ada")

    assert streams(harness, "projection.rebuild_requested") == 0
