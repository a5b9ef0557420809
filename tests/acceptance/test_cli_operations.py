"""What operators do on the command line, and what it tells them."""

from __future__ import annotations

import getpass
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from flowledger.engine import Engine, TaskHandle, TaskState
from support.builders import step
from support.cli import Command
from support.controlled_steps import begin, controlled_steps
from support.engines import PATIENCE, EngineHarness

ACT = {"handler": {"callable": "act"}}
ONCE = {**ACT, "retry": {"max_attempts": 1}}
LATER = {**ACT, "retry": {"max_attempts": 3, "base_seconds": 600, "cap_seconds": 600}}
WHY = ("--reason", "ticket 7", "--actor", "ada")

blocking = controlled_steps(
    step("a", **ONCE), step("b", "a", **ONCE), name="blocking", on_failure="block"
)
patient = controlled_steps(step("a", **LATER), step("b", "a", **ACT), name="patient")


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(blocking, patient)


@pytest.fixture
def command(shared_harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    """The command, on the engine's database."""
    with ExitStack() as opened:
        yield Command(shared_harness.url, tmp_path, opened)


def blocked(engine: Engine, harness: EngineHarness) -> TaskHandle:
    _, task = begin(engine, blocking, fails="a")
    harness.until(lambda: task.state is TaskState.BLOCKED)
    return task


def test_a_request_is_granted_and_the_state_after_it_is_told(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    task = blocked(engine, shared_harness)

    done = command("fail", str(task.id), *WHY)
    as_json = command("reset", str(task.id), *WHY, "--json", "--key", "k")

    assert (done.code, done.error) == (0, "")
    assert done.out == f"granted: task {task.id} is error\n"
    assert as_json.code == 0
    assert as_json.value["task"] == str(task.id)
    assert as_json.value["answer"] == "granted"
    assert set(as_json.value) == {"task", "state", "paused", "request", "answer"}


def test_the_user_of_the_system_is_the_actor_where_none_is_named(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    task = blocked(engine, shared_harness)

    command("cancel", str(task.id), "--reason", "ticket 7")

    asked = [
        line
        for line in command("history", str(task.id), "--json").lines
        if line["type"] == "TaskCancelRequested"
    ]
    assert [(line["actor"], line["data"]["reason"]) for line in asked] == [
        (getpass.getuser(), "ticket 7")
    ]


def test_what_is_refused_says_why_and_exits_with_1(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    task = blocked(engine, shared_harness)

    refused = command("resume", str(task.id), *WHY)
    as_json = command("step", "reset", str(task.id), "b", *WHY, "--json")

    assert (refused.code, refused.out) == (1, "")
    assert refused.error == "refused: the task is not paused\n"
    assert as_json.code == 1
    assert as_json.value["answer"] == "refused"
    assert as_json.value["message"] == (
        "step 'b' is pending: only a step that is cancelled, error or waiting_for_retry"
        " can be reset"
    )


def test_a_step_is_settled(command: Command, engine: Engine, shared_harness: EngineHarness) -> None:
    task = blocked(engine, shared_harness)

    done = command("step", "complete", str(task.id), "a", *WHY, "--result", '{"paid": 5}', "--json")

    assert done.code == 0, done.error
    assert done.value["step_state"] == "complete"
    assert task.result(PATIENCE) == {"a": {"paid": 5}, "b": "b 1"}


@pytest.mark.parametrize("verb", ["cancel", "reset", "resolve", "skip"])
def test_every_verb_of_a_step_is_there(
    command: Command, engine: Engine, shared_harness: EngineHarness, verb: str
) -> None:
    task = blocked(engine, shared_harness)

    assert command("step", verb, str(task.id), "a", *WHY).code == 0

    if verb != "reset":
        assert task.wait(PATIENCE) in {TaskState.COMPLETE, TaskState.CANCELLED}


def test_bad_input_exits_with_2(command: Command, engine: Engine) -> None:
    _, task = begin(engine, blocking)
    task.result(PATIENCE)
    cases = {
        "missing option '--reason'": ("cancel", str(task.id)),
        "reason must say something visible": ("cancel", str(task.id), "--reason", " "),
        "there is no task": ("cancel", str(uuid4()), *WHY),
        "is not the id of a task": ("cancel", "7", *WHY),
        "broken JSON": ("step", "complete", str(task.id), "a", *WHY, "--result", "{"),
    }

    for said, arguments in cases.items():
        done = command(*arguments)
        assert (done.code, done.out) == (2, ""), done
        assert said in done.error
        assert len(done.error.splitlines()) == 1


def test_a_request_that_nobody_answers_exits_with_1_and_stands(
    harness: EngineHarness, tmp_path: Path
) -> None:
    client = harness.open(blocking, roles=())
    _, task = begin(client, blocking)
    with ExitStack() as opened:
        command = Command(harness.url, tmp_path, opened)
        waited = command("cancel", str(task.id), *WHY, "--wait", "0.1", "--key", "k")
        left = command("cancel", str(task.id), *WHY, "--wait", "0", "--key", "k", "--json")

    assert waited.code == 1
    assert "the request stands" in waited.error
    assert left.code == 0
    assert left.value["answer"] == "stored"


def test_status_tells_a_task_that_waits_for_a_retry_and_is_paused(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    _, task = begin(engine, patient, fails="a")
    shared_harness.until(lambda: task.state is TaskState.WAITING)
    done = command("pause", str(task.id), *WHY)

    assert done.out == f"granted: task {task.id} is waiting, paused\n"
    told = command("status", str(task.id)).out.splitlines()

    assert any(line.startswith("paused by ada: ticket 7") for line in told)
    assert f"{'state':<21} waiting, paused" in told
    (a,) = [line for line in told if line.startswith("  a ")]
    assert "attempt 1 failed: RuntimeError: a is broken; attempt 2 in" in a
    assert a.endswith(", once the task is resumed")
    (b,) = [line for line in told if line.startswith("  b ")]
    assert b.split(maxsplit=2) == ["b", "pending", "waits for a"]


def test_status_and_history_tell_who_asked_for_what_and_what_came_of_it(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    task = blocked(engine, shared_harness)
    before = command("status", str(task.id), "--json").value
    command("step", "skip", str(task.id), "aa", *WHY)
    command("step", "skip", str(task.id), "a", *WHY)
    assert task.wait(PATIENCE) is TaskState.COMPLETE

    after = command("status", str(task.id), "--json").value
    lines = command("history", str(task.id)).out.splitlines()
    told = command("history", str(task.id), "--timeline").out
    folded = command("replay", str(task.id))

    assert before["state"] == "blocked"
    assert before["words"][0].startswith("blocked, as these ended in error: a")
    assert before["steps"]["b"]["words"].startswith("does not start, since a is in error;")
    assert after["state"] == "complete"
    assert after["steps"]["a"]["words"].startswith("skipped: ticket 7 (by ada)")
    said = [line.split(maxsplit=5)[5] for line in lines[1:]]
    assert "asked to do without step a: ticket 7  [ada]" in said
    assert "skipped: ticket 7  [ada]" in said
    assert "request granted  [coordinator]" in said
    refused = [one for one in said if one.startswith("request refused: ")]
    assert refused == [
        "request refused: the task has no step 'aa'; did you mean 'a'?  [coordinator]"
    ]
    assert "asked to do without step a: ticket 7" in told
    assert folded.code == 0, folded.out


def test_every_event_of_the_log_has_its_words_on_the_command_line(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    task = blocked(engine, shared_harness)
    for arguments in (
        ("pause", str(task.id)),
        ("resume", str(task.id)),
        ("step", "reset", str(task.id), "a"),
        ("cancel", str(task.id)),
    ):
        command(*arguments, *WHY)
    types = {line["type"] for line in command("history", str(task.id), "--json").lines}

    text = command("history", str(task.id)).out

    assert not any(name in text for name in types)


def test_a_template_is_paused_and_resumed(command: Command, engine: Engine) -> None:
    paused = command("templates", "pause", "shop/patient@1", *WHY)
    again = command("templates", "pause", "shop/patient@1", *WHY, "--json")
    resumed = command("templates", "resume", "shop/patient@1", *WHY)
    unknown = command("templates", "pause", "shop/nobody@1", *WHY)

    assert (paused.code, paused.out) == (0, "shop/patient@1: paused\n"), paused.error
    assert again.value == {"template": "shop/patient@1", "state": "paused", "changed": False}
    assert resumed.out == "shop/patient@1: resumed\n"
    assert unknown.code == 2
    assert unknown.error.startswith("error: there is no template shop/nobody@1")
