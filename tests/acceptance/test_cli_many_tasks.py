"""The same asked of many tasks by command: of those that are named, or that options find."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from flowledger.engine import Engine, TaskHandle, TaskState
from support.builders import step
from support.cli import PATIENCE as PROGRAM_PATIENCE
from support.cli import PROGRAM, Command
from support.controlled_steps import begin, controlled_steps
from support.engines import PATIENCE, EngineHarness

ONCE = {"handler": {"callable": "act"}, "retry": {"max_attempts": 1}}
WHY = ("--reason", "ticket 7", "--actor", "ada")
flow = controlled_steps(step("a", **ONCE), step("b", "a", **ONCE), name="flow", on_failure="block")


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(flow)


@pytest.fixture
def command(shared_harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    """The command, on the engine's database."""
    with ExitStack() as opened:
        yield Command(shared_harness.url, tmp_path, opened)


def new_batch() -> str:
    """What the tasks of a test belong to."""
    return f"batch {uuid4()}"


def blocked(
    engine: Engine, harness: EngineHarness, batch: str | None = None, count: int = 1
) -> list[TaskHandle]:
    tasks = [begin(engine, flow, fails="a", correlation_id=batch)[1] for _ in range(count)]
    harness.until(lambda: all(task.state is TaskState.BLOCKED for task in tasks))
    return tasks


def complete(engine: Engine, batch: str | None = None) -> TaskHandle:
    _, task = begin(engine, flow, correlation_id=batch)
    assert task.wait(PATIENCE) is TaskState.COMPLETE
    return task


def asked(harness: EngineHarness) -> int:
    found: int = harness.value(
        "select count(*) from flowledger.event where topic like '%%_requested'"
    )
    return found


def test_each_of_many_tasks_is_asked_whatever_becomes_of_the_others(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    first, last = blocked(engine, shared_harness, count=2)
    done, unknown = complete(engine), uuid4()

    told = command("cancel", str(first.id), "7", str(unknown), str(done.id), str(last.id), *WHY)

    assert told.code == 1
    assert told.out.splitlines() == [
        f"granted: task {first.id} is cancelled",
        f"granted: task {last.id} is cancelled",
        "cancel: 2 of 5 tasks",
    ]
    assert told.error.splitlines() == [
        "error: '7' is not the id of a task, which is a UUID",
        f"error: there is no task {unknown}",
        f"refused: task {done.id}: the task has ended: it is complete",
    ]


def test_programs_get_an_object_for_each_task(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    (task,) = blocked(engine, shared_harness)
    done, unknown = complete(engine), uuid4()

    told = command("fail", str(task.id), str(done.id), str(unknown), *WHY, "--json")

    granted, refused, error = told.lines
    assert (told.code, told.error) == (1, "")
    assert (granted["task"], granted["state"], granted["answer"]) == (
        *(str(task.id), "error"),
        "granted",
    )
    assert (refused["task"], refused["answer"]) == (str(done.id), "refused")
    assert "only a task that is blocked can be given up" in refused["message"]
    assert error == {
        "task": str(unknown),
        "answer": "error",
        "message": f"there is no task {unknown}",
    }


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        ("cancel", TaskState.CANCELLED),
        ("fail", TaskState.ERROR),
        ("resolve", TaskState.RESOLVED_MANUALLY),
    ],
)
def test_all_that_options_find_are_asked_and_no_others(
    command: Command,
    engine: Engine,
    shared_harness: EngineHarness,
    verb: str,
    state: TaskState,
) -> None:
    """Those that have ended are none of them where no state is said."""
    batch = new_batch()
    tasks, done = blocked(engine, shared_harness, batch, 3), complete(engine, batch)
    (other,) = blocked(engine, shared_harness)

    told = command(verb, "--correlation-id", batch, *WHY, "--yes")

    assert (told.code, told.error) == (0, ""), told
    assert told.out.splitlines()[-1] == f"{verb}: 3 of 3 tasks"
    assert {task.state for task in tasks} == {state}
    assert (done.state, other.state) == (TaskState.COMPLETE, TaskState.BLOCKED)


def test_what_is_paused_is_resumed_and_what_failed_is_tried_anew(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    batch = new_batch()
    first, second = blocked(engine, shared_harness, batch, 2)
    first.pause(reason="ticket 7", actor="ada")
    of_batch = ("--correlation-id", batch, *WHY, "--yes")

    paused = command("pause", *of_batch).out.splitlines()
    resumed = command("resume", *of_batch).out.splitlines()
    reset = command("reset", *of_batch, "--limit", "1").out.splitlines()

    assert paused == [f"granted: task {second.id} is blocked, paused", "pause: 1 of 1 task"]
    assert resumed[-1] == "resume: 2 of 2 tasks"
    assert reset[-1] == "reset: 1 of 1 task"


def test_a_dry_run_tells_which_tasks_and_asks_nothing(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    batch = new_batch()
    (task,) = blocked(engine, shared_harness, batch)
    done, before = complete(engine, batch), asked(shared_harness)

    found = command("cancel", "--correlation-id", batch, "--dry-run")
    named = command("cancel", str(task.id), str(done.id), "--dry-run", "--json")
    wrong = command("cancel", str(uuid4()), "--dry-run")

    assert (found.code, found.error) == (0, "")
    assert found.out.splitlines() == [
        f"would cancel: task {task.id} is blocked",
        "1 task; nothing was asked",
    ]
    assert named.lines == [
        {
            "task": str(task.id),
            "state": "blocked",
            "paused": False,
            "dry_run": True,
            "grantable": True,
        },
        {
            "task": str(done.id),
            "state": "complete",
            "paused": False,
            "dry_run": True,
            "grantable": False,
        },
    ]
    assert (wrong.code, wrong.error.startswith("error: there is no task")) == (1, True)
    assert asked(shared_harness) == before
    assert task.state is TaskState.BLOCKED


def test_who_cannot_be_asked_must_say_yes(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    batch = new_batch()
    blocked(engine, shared_harness, batch, 2)
    before = asked(shared_harness)

    told = command("cancel", "--correlation-id", batch, *WHY)
    nothing = command("cancel", "--correlation-id", "nobody's", *WHY)

    assert (told.code, told.out) == (2, "")
    assert "this would cancel 2 tasks: say --yes, or look at them with --dry-run" in told.error
    assert (nothing.code, nothing.out) == (0, "there are no such tasks\n")
    assert asked(shared_harness) == before


@pytest.mark.parametrize(("typed", "state"), [("y", "cancelled"), ("n", "blocked")])
def test_who_sits_at_a_terminal_is_asked(
    command: Command,
    engine: Engine,
    shared_harness: EngineHarness,
    typed: str,
    state: str,
) -> None:
    batch = new_batch()
    (task,) = blocked(engine, shared_harness, batch)
    ours, theirs = pty.openpty()
    os.write(ours, f"{typed}\n".encode())

    done = subprocess.run(  # noqa: S603 - the program under test
        [*PROGRAM, "cancel", "--correlation-id", batch, *WHY],
        env=command.environment,
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=PROGRAM_PATIENCE,
        check=False,
    )
    os.close(ours)
    os.close(theirs)

    assert "cancel 1 task? [y/N]:" in done.stderr
    assert task.state.value == state
    assert done.returncode == (0 if typed == "y" else 1)


def test_bad_usage_exits_with_2_and_asks_nothing(
    command: Command, engine: Engine, shared_harness: EngineHarness
) -> None:
    batch = new_batch()
    tasks = [str(task.id) for task in blocked(engine, shared_harness, batch, 2)]
    before = asked(shared_harness)
    cases = {
        "expected a TASK, or options that find some": ("cancel", *WHY),
        "not both": ("cancel", tasks[0], "--state", "blocked", *WHY),
        "missing option '--reason'": ("cancel", *tasks),
        "reason must say something visible": ("cancel", *tasks, "--reason", " "),
        "'eror' is not one of": ("cancel", "--state", "eror", *WHY),
        "should be written as namespace": ("cancel", "--template", "a/b/c", *WHY),
    }

    for said, arguments in cases.items():
        done = command(*arguments)
        assert (done.code, done.out) == (2, ""), done
        assert said in done.error
        assert len(done.error.splitlines()) == 1
    assert asked(shared_harness) == before


def test_requests_that_nobody_answers_stand(harness: EngineHarness, tmp_path: Path) -> None:
    client = harness.open(flow, roles=())
    tasks = [str(begin(client, flow)[1].id) for _ in range(2)]
    with ExitStack() as opened:
        command = Command(harness.url, tmp_path, opened)
        waited = command("cancel", *tasks, *WHY, "--wait", "0.1", "--key", "k")
        left = command("cancel", "--state", "submitted", *WHY, "--wait", "0", "--key", "k", "--yes")

    assert (waited.code, waited.out) == (1, "cancel: 0 of 2 tasks\n")
    assert waited.error.count("no coordinator has answered within 0.1 s") == 2
    assert waited.error.count("the request stands") == 2
    assert left.code == 0
    assert left.out.count("the request is stored; a coordinator will answer it: task ") == 2
    assert left.out.splitlines()[-1] == "cancel: 2 of 2 tasks"
    assert asked(harness) == 2


def test_who_waits_for_an_answer_is_told_before_long_that_nobody_leads(
    harness: EngineHarness, tmp_path: Path
) -> None:
    client = harness.open(flow)
    _, task = begin(client, flow, waits="a")
    harness.until(lambda: task.state is TaskState.IN_PROGRESS)
    client.close()
    client = harness.open(roles=())
    with ExitStack() as opened:
        command = Command(harness.url, tmp_path, opened)
        waited = command("cancel", str(task.id), *WHY, "--wait", "3")
        status = command("status", str(task.id), "--json").value

        told, unanswered = waited.error.splitlines()
        assert (waited.code, waited.out) == (1, "")
        assert told.startswith("no coordinator leads shard 0, since ")
        assert told.endswith("; waiting for an answer for up to 3 s (--wait)")
        assert "no coordinator has answered within 3 s" in unanswered
        assert status["health_status"] == "unattended"
        assert status["recommended_action"] == "start_coordinator"

        harness.rows(
            "insert into flowledger.parked_task values (%s, 'a row', now(), now())", task.id
        )
        parked = command("cancel", str(task.id), *WHY, "--wait", "2")
        assert f"task {task.id} is parked for " in parked.error
        assert (
            f"task {task.id} is parked, so nothing that is asked of it is answered" in parked.error
        )
        assert f"`flowledger parked retry {task.id} --reason WHY`" in parked.error
        status = command("status", str(task.id), "--json").value
        assert status["recommended_action"] == "retry_parked"
