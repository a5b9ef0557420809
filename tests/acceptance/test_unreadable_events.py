"""One event that cannot be read hides nothing: the rest is told, and it is marked."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine import Engine
from flowledger.engine.domain.explain.reasons import ReasonKind
from flowledger.engine.errors import LogCorrupt
from flowledger.engine.events import TaskCompleted
from flowledger.engine.events.unreadable import UnreadableEvent
from flowledger.engine.ports.projection_admin import ParkedEvent
from flowledger.handlers import Workflow
from flowledger.projections.builtin import BUILTIN
from support.cli import Command
from support.engines import PATIENCE, EngineHarness, of_kind

flow = Workflow("shop", "flow", version="1")


@flow.step
def first() -> int:
    """Completes."""
    return 1


@flow.step(after=[first])
def second(first: int) -> int:
    """Completes behind it."""
    return first + 1


def completed(harness: EngineHarness, count: int = 1) -> list[Any]:
    """Tasks that are complete, and an event of the first that is of no known kind."""
    engine = harness.open(flow)
    tasks = [engine.submit(flow, {}) for _ in range(count)]
    for task in tasks:
        task.wait(timeout=PATIENCE)
    engine.close()
    harness.rows("alter table flowledger.event disable trigger user")
    return tasks


def spoil(
    harness: EngineHarness, task: UUID, topic: str = "step.completed", *, new: str = "step.vanished"
) -> int:
    """Give the first event of the topic another; where it lies."""
    position: int = harness.value(
        "update flowledger.event set topic = %s where notification_id = (select"
        " min(notification_id) from flowledger.event where task_id = %s and topic = %s)"
        " returning notification_id",
        new,
        task,
        topic,
    )
    return position


@pytest.fixture
def program(harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    with ExitStack() as opened:
        yield Command(harness.url, tmp_path, opened)


def test_a_history_has_it_in_its_place(harness: EngineHarness, program: Command) -> None:
    (task,) = completed(harness)
    position = spoil(harness, task.id)
    client = harness.open(roles=())

    history = client.task(task.id).history()
    told = program("history", str(task.id))
    facts = program("history", str(task.id), "--json").lines

    ((found),) = of_kind(history, UnreadableEvent)
    assert (found.stored_topic, found.why) == ("step.vanished", "unknown topic 'step.vanished'")
    assert of_kind(history, TaskCompleted)
    assert (told.code, told.error) == (0, "")
    (line,) = [one for one in told.out.splitlines() if "unreadable" in one]
    assert line.split()[0] == str(position)
    assert "unreadable: unknown topic 'step.vanished'  [unknown]" in line
    assert len(told.out.splitlines()) == len(history) + 1
    (fact,) = [one for one in facts if one["type"] == "UnreadableEvent"]
    assert fact["data"]["why"] == "unknown topic 'step.vanished'"


def test_an_explanation_and_a_status_tell_it_and_the_rest(
    harness: EngineHarness, program: Command
) -> None:
    (task,) = completed(harness)
    position = spoil(harness, task.id)
    sentence = f"position {position}: unreadable: unknown topic 'step.vanished'"
    client = harness.open(roles=())

    explained = client.explain(task.id)
    then = client.explain(task.id, at=position)
    status = program("status", str(task.id))

    assert (ReasonKind.PARKED, sentence) in [(one.kind, one.sentence) for one in explained]
    assert sentence in [reason.sentence for reason in then]
    assert explained.state.value == "complete"
    assert status.code == 0
    assert sentence in status.out.splitlines()
    assert "second" in status.out


def test_results_are_told_with_the_one_that_cannot_be_read(
    harness: EngineHarness, program: Command
) -> None:
    (task,) = completed(harness)
    position = spoil(harness, task.id)
    sentence = f"position {position}: unreadable: unknown topic 'step.vanished'"
    found = harness.open(flow, roles=()).task(task.id)

    told, as_json = program("result", str(task.id)), program("result", str(task.id), "--json")
    lost, other = (program("result", str(task.id), name) for name in ("first", "second"))
    with pytest.raises(LogCorrupt) as refused:
        found.result()

    assert (told.code, told.out, told.error) == (1, "second: 2\n", f"{sentence}\n")
    assert (as_json.code, as_json.value, as_json.error) == (1, {"second": 2}, f"{sentence}\n")
    assert (lost.code, lost.out, lost.error) == (1, "", f"{sentence}\n")
    assert (other.code, other.out, other.error) == (0, "2\n", "")
    assert sentence in str(refused.value)
    assert found.steps()["first"].error == sentence
    assert found.steps()["second"].error is None


def test_what_people_noted_hides_no_result(harness: EngineHarness, program: Command) -> None:
    (task,) = completed(harness)
    client = harness.open(flow, roles=())
    client.task(task.id).tag("kept", actor="ada")
    harness.rows("update flowledger.event set state = '{' where topic = 'task.tagged'")

    told = program("result", str(task.id))

    assert client.task(task.id).result() == {"first": 1, "second": 2}
    assert (told.code, told.out) == (1, "first: 1\nsecond: 2\n")
    assert "unreadable" in told.error


def test_a_replay_folds_the_rest(harness: EngineHarness, program: Command) -> None:
    (task,) = completed(harness)
    position = spoil(harness, task.id)

    done = program("replay", str(task.id))

    assert done.code == 1
    assert "complete" in done.out
    assert f"position {position}: event is unreadable: unknown topic" in done.out


def test_a_task_whose_beginning_is_unreadable_is_told_by_its_rows(
    harness: EngineHarness, program: Command
) -> None:
    (task,) = completed(harness)
    position = spoil(harness, task.id, "task.created", new="task.vanished")
    sentence = f"position {position}: unreadable: unknown topic 'task.vanished'"

    status, explained = program("status", str(task.id)), program("explain", str(task.id))
    replay = program("replay", str(task.id))

    assert (status.code, explained.code, replay.code) == (0, 0, 1)
    assert sentence in status.out
    assert sentence in explained.out
    assert "state                 complete" in status.out


def test_verification_names_each_and_goes_on(harness: EngineHarness) -> None:
    tasks = completed(harness, 3)
    for task in tasks[:2]:
        spoil(harness, task.id)
    harness.rows(
        "insert into flowledger.submission (task_id, encoding, topic, state)"
        " values ('019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071', 0, 'task.vanished', '')"
    )
    run = harness.open(roles=()).verify()

    found = list(run)

    assert run.tasks == 3
    assert [str(one.task_id) for one in found if one.field == "payload"] == sorted(
        str(task.id) for task in tasks[:2]
    )
    assert [one.field for one in found if one.place == "flowledger.submission"] == ["submission"]


def test_built_in_read_models_leave_that_task_alone_and_go_on(harness: EngineHarness) -> None:
    tasks = completed(harness, 3)
    harness.rows(
        "update flowledger.event set state = '{' where task_id = %s and topic = 'step.completed'",
        tasks[0].id,
    )

    engine = harness.open(flow, projections=BUILTIN)
    later = engine.submit(flow, {})
    later.wait(timeout=PATIENCE)

    harness.until(lambda: all(one.behind == 0 for one in engine.projections.list()))
    standing = {one.name: one for one in engine.projections.list()}
    assert all(one.healthy for one in standing.values())
    assert standing["flowledger_history"].parked > 0
    assert {one.task_id for name in standing for one in parked(engine, name)} == {tasks[0].id}
    for task in (*tasks[1:], later):
        assert (
            harness.value("select count(*) from flowledger_v1.task_transitions(%s)", task.id) == 9
        )
    assert [str(one) for one in engine.verify() if one.place == "the table"] == []


def parked(engine: Engine, name: str) -> Sequence[ParkedEvent]:
    return engine.projections.parked(name) if name.startswith("flowledger_") else ()
