"""Annotations and tags: who noted what of a task, in its history, and nothing comes of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from flowledger.engine import AsyncEngine, Engine, InvalidSubmission, TaskHandle, UnknownTask
from flowledger.engine.errors import InvalidRequest, TaskNotCreated
from flowledger.engine.events.notes import TaskAnnotated, TaskTagged, TaskUntagged
from flowledger.engine.events.task import TaskCreated
from support.builders import step
from support.cli import Command
from support.controlled_steps import begin, controlled_steps
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

ACT = {"handler": {"callable": "act"}}

GIVEN = (TaskAnnotated, TaskTagged, TaskUntagged)
line = controlled_steps(step("a", **ACT), step("b", "a", **ACT), name="line")


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(line)


@pytest.fixture
def command(shared_harness: EngineHarness, tmp_path: Path) -> Any:
    """The command, on the engine's database."""
    with ExitStack() as opened:
        yield Command(shared_harness.url, tmp_path, opened)


def test_notes_stand_in_the_history_and_change_nothing(engine: Engine, command: Command) -> None:
    world, task = begin(engine, line, waits="a", correlation_id="order-7")
    assert world.started["a"].wait(PATIENCE)

    task.annotate("comment", {"text": "call them"}, actor="ada", reason="they are angry")
    task.tag("urgent", "vip", "urgent", actor="ada")
    world.go["a"].set()
    task.result(PATIENCE)
    task.untag("vip", actor="bob")

    history = task.history()
    (annotated,), (tagged,), (untagged,) = (of_kind(history, kind) for kind in GIVEN)
    assert (annotated.kind, annotated.value) == ("comment", {"text": "call them"})
    assert (annotated.actor, annotated.reason) == ("ada", "they are angry")
    assert (annotated.namespace, annotated.template) == ("shop", "line")
    assert annotated.correlation_id == "order-7"
    assert (tagged.tags, untagged.tags, untagged.actor) == (("urgent", "vip"), ("vip",), "bob")
    assert kinds(history)[-2:] == ["TaskCompleted", "TaskUntagged"]
    assert command("replay", str(task.id)).code == 0
    assert "step 'a'" not in command("status", str(task.id)).error


def test_a_note_before_the_task_is_taken_on_keeps_it_from_nothing(harness: EngineHarness) -> None:
    client = harness.open(line, roles=())
    _, task = begin(client, line, tags=["early"])
    task.annotate("comment", 1, actor="ada")

    harness.open(line)

    assert task.result(PATIENCE)["b"] == "b 1"
    assert kinds(task.history())[:2] == ["TaskCreated", "TaskAnnotated"]


def test_a_task_may_have_tags_from_its_beginning(engine: Engine) -> None:
    _, tagged = begin(engine, line, tags=["urgent", "urgent", "vip"])
    _, plain = begin(engine, line)

    assert of_kind(tagged.history(), TaskCreated)[0].tags == ("urgent", "vip")
    assert of_kind(plain.history(), TaskCreated)[0].tags is None


def test_the_payload_of_a_task_without_tags_does_not_name_them(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    _, task = begin(engine, line)

    state = shared_harness.value(
        "select flowledger.payload_json(state, encoding) from flowledger.event"
        " where originator_id = %s and originator_version = 1",
        task.id,
    )

    assert "tags" not in state


def test_a_note_wakes_no_coordinator(harness: EngineHarness) -> None:
    client = harness.open(line, roles=())
    _, task = begin(client, line)
    with psycopg.connect(harness.url, autocommit=True) as listening:
        for channel in ("log", "fact"):
            listening.execute(f'listen "flowledger.{channel}"'.encode())

        task.tag("urgent", actor="ada")

        harness.rows("select pg_notify('flowledger.log', 'the end')")
        heard = list(listening.notifies(timeout=PATIENCE, stop_after=1))
    assert [(one.channel, one.payload) for one in heard] == [("flowledger.log", "the end")]


def test_what_the_engine_appends_is_told_only_where_somebody_listens(
    harness: EngineHarness,
) -> None:
    with psycopg.connect(harness.url, autocommit=True) as listening:
        listening.execute('listen "flowledger.log"')
        engine = harness.open(line)
        _, task = begin(engine, line)
        task.wait(PATIENCE)

        harness.rows("select pg_notify('flowledger.log', 'the end')")
        heard = list(listening.notifies(timeout=PATIENCE, stop_after=1))
    assert [one.payload for one in heard] == ["the end"]


def test_one_key_notes_once(engine: Engine) -> None:
    _, task = begin(engine, line, start_at=datetime.now(UTC) + timedelta(days=1))

    for value in (1, 2):
        task.annotate("comment", value, actor="ada", key="k")
    task.pause(actor="ada", reason="a request may have the same key", key="k")

    task.cancel(actor="ada", reason="the test is over")
    assert [note.value for note in of_kind(task.history(), TaskAnnotated)] == [1]


async def test_an_asynchronous_application_notes_too(harness: EngineHarness) -> None:
    async with await AsyncEngine.open(roles=(), settings=harness.settings()) as engine:
        task = await engine.submit(line, {})
        await task.annotate("comment", "x", actor="ada")
        await task.tag("urgent", actor="ada")
        await task.untag("urgent", actor="ada")

        assert kinds(await task.history()) == ["TaskCreated", *(kind.__name__ for kind in GIVEN)]


NOTED: dict[str, tuple[Callable[[TaskHandle], object], str]] = {
    "no actor": (lambda task: task.tag("x", actor=""), "actor should have 1 to 1000"),
    "a blank kind": (
        lambda task: task.annotate(" ", 1, actor="a"),
        "kind must say something visible",
    ),
    "a value that is no JSON": (
        lambda task: task.annotate("k", {1, 2}, actor="a"),
        "the value cannot be stored: value: set is not JSON",
    ),
    "a reason that Postgres cannot store": (
        lambda task: task.tag("x", actor="a", reason="\0"),
        "reason should be text that Postgres can store",
    ),
    "a blank tag": (lambda task: task.tag("x", "  ", actor="a"), "a tag must say something"),
    "an empty tag": (lambda task: task.untag("", actor="a"), "a tag should have 1 to 1000"),
    "a tag that is no text": (
        lambda task: task.tag(7, actor="a"),  # type: ignore[arg-type]
        "a tag should be a string, got int",
    ),
}


@pytest.mark.parametrize("case", NOTED)
def test_what_cannot_be_stored_is_refused(engine: Engine, case: str) -> None:
    noting, said = NOTED[case]
    _, task = begin(engine, line)

    with pytest.raises(InvalidRequest, match=said):
        noting(task)

    assert not of_kind(task.history(), TaskAnnotated) + of_kind(task.history(), TaskTagged)


@pytest.mark.parametrize("tags", ["urgent", [7], [""], 7])
def test_a_task_is_not_submitted_with_what_are_no_tags(engine: Engine, tags: Any) -> None:
    with pytest.raises(InvalidSubmission, match="shop/line@1: "):
        begin(engine, line, tags=tags)


def test_who_notes_of_a_task_that_is_not_there_is_told_so(harness: EngineHarness) -> None:
    engine = harness.open(roles=(), submit={"request_timeout_seconds": 0.1})

    with pytest.raises(UnknownTask):
        engine.task(uuid4()).tag("x", actor="ada")
    engine.register(line)
    with harness.connect() as connection:
        task = engine.submit(line, {}, connection=connection)
    with pytest.raises(TaskNotCreated):
        task.tag("x", actor="ada")


def test_the_command_notes(engine: Engine, command: Command) -> None:
    _, task = begin(engine, line)
    name = str(task.id)

    annotated = command("annotate", name, "comment", '{"n": 1}', "--actor", "ada")
    tagged = command("tag", name, "urgent", "vip", "--json")
    untagged = command("tag", name, "vip", "--remove", "--reason", "left")
    shown = command("history", name)
    folded = command("replay", name)
    facts = command("replay", name, "--json").value

    assert " events folded, 3 notes beside them: the rows say the same" in folded.out
    assert facts["events"] + facts["notes"] == len(task.history())
    assert (annotated.code, annotated.out, annotated.error) == (0, "noted: comment\n", "")
    assert tagged.value == {"task": name, "tagged": ["urgent", "vip"]}
    assert untagged.out == "no longer tagged: vip\n"
    assert 'noted comment: {"n": 1}  [ada]' in shown.out
    assert "no longer tagged vip: left" in shown.out
    assert of_kind(task.history(), TaskUntagged)[0].tags == ("vip",)
    assert command("annotate", name, "comment", "{").code == 2
