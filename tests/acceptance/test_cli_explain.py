"""`flowledger explain`: what it prints, and how it exits."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flowledger.engine import TaskHandle
from flowledger.engine.cli.commands.task_inspection import explanation_lines
from flowledger.engine.display_text import moment
from flowledger.engine.domain.explain.reasons import ReasonKind
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from support.builders import step
from support.cli import Command
from support.controlled_steps import begin, controlled_steps
from support.engines import EngineHarness

LATER = Retry(max_attempts=3, backoff="fixed", base_seconds=90, cap_seconds=90, jitter="none")
ACT: dict[str, Any] = {"handler": {"callable": "act"}}
chain = controlled_steps(step("a", retry=LATER, **ACT), step("b", "a", **ACT), name="told")
NOBODY = "019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071"


@pytest.fixture(scope="module")
def task(shared_harness: EngineHarness) -> TaskHandle:
    """A task whose first step waits for its second attempt."""
    _, task = begin(shared_harness.open(chain), chain, fails="a")
    shared_harness.until(lambda: task.explain("a").kinds == (ReasonKind.RETRY,))
    return task


@pytest.fixture
def command(shared_harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    """The command, on the database that the tests of this file share."""
    with ExitStack() as opened:
        yield Command(shared_harness.url, tmp_path, opened)


def test_people_read_each_reason_its_event_and_when_it_may_change(
    command: Command, task: TaskHandle
) -> None:
    whole = command("explain", str(task.id))
    one = command("explain", str(task.id), "b")

    assert (whole.code, one.code) == (0, 0), whole.error + one.error
    lines = whole.out.splitlines()
    assert lines[0].startswith(f"task {task.id} is waiting (")
    assert lines[1].startswith("  retry       a: attempt 1 failed: RuntimeError: a is broken;")
    assert ", step.retry_scheduled; may change at " in lines[2]
    assert lines[3] == "  dependency  b waits for a"
    waits = "  dependency  waits for a, which is waiting for retry: attempt 1 failed: "
    assert one.out.splitlines()[1].startswith(waits)


def test_of_what_is_due_people_read_since_when(task: TaskHandle) -> None:
    found = task.explain("a")
    due = found[0].earliest
    assert due is not None

    at_last, before = (
        [line.plain for line in explanation_lines(replace(found, now=now))][2]
        for now in (due, due - timedelta(microseconds=1))
    )

    assert at_last.endswith(f"; due since {moment(due)}")
    assert before.endswith(f"; may change at {moment(due)}")


def test_programs_read_the_same_as_json(command: Command, task: TaskHandle) -> None:
    told = command("explain", str(task.id), "a", "--json").value

    (reason,) = told["reasons"]
    here = task.explain("a")[0]
    assert (told["task"], told["step"], told["state"]) == (str(task.id), "a", "waiting_for_retry")
    assert (reason["kind"], reason["steps"]) == ("retry", ["a"])
    assert here.cause is not None
    assert reason["cause"]["event_id"] == str(here.cause.event_id)
    assert reason["cause"]["position"] == here.cause.position
    assert here.earliest is not None
    assert reason["earliest"] == here.earliest.isoformat() == reason["details"]["due_at"]
    assert (told["log_only"], told["unrecorded"]) == (False, [])


def test_an_earlier_event_is_explained_by_its_position_and_by_its_time(
    command: Command, task: TaskHandle
) -> None:
    (started,) = [one for one in task.history() if one.event.topic == "step.started"]

    place = command("explain", str(task.id), "a", "--at", str(started.position))
    time = started.event.occurred_at.isoformat()
    by_time = command("explain", str(task.id), "a", "--at", time, "--json").value

    lines = place.out.splitlines()
    assert lines[0].startswith(f"step a is in_progress, as of position {started.position} ("), (
        place.error
    )
    assert lines[1].startswith("  running  attempt 1 began")
    assert lines[-1].startswith("not in the log: ")
    assert [one["kind"] for one in by_time["reasons"]] == ["running"]
    assert by_time["log_only"]


def test_bad_input_exits_with_2_and_one_line(command: Command, task: TaskHandle) -> None:
    cases = {
        "no task 019a2b3c": (NOBODY,),
        "has no step 'aa'; did you mean 'a'": (str(task.id), "aa"),
        "'noon' is neither a position nor a time": (str(task.id), "--at", "noon"),
        "nothing is recorded of task": (str(task.id), "--at", "2020-01-01"),
        "is not the id of a task": ("order",),
    }
    for said, arguments in cases.items():
        done = command("explain", *arguments)
        assert (done.code, done.out) == (2, ""), done
        assert said in done.error
        assert len(done.error.splitlines()) == 1
