"""`flowledger tasks list`: tasks by what they are, for people and for programs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from flowledger.engine import Engine, TaskHandle
from support.builders import step
from support.cli import Command
from support.controlled_steps import begin, controlled_steps
from support.engines import PATIENCE, EngineHarness

ONCE = {"handler": {"callable": "act"}, "retry": {"max_attempts": 1}}
flow = controlled_steps(step("a", **ONCE), name="flow")
other = controlled_steps(step("a", **ONCE), name="other")


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(flow, other)


@pytest.fixture(scope="module")
def tasks(engine: Engine) -> list[TaskHandle]:
    """A task that ended well, one in error, and one of another template; the oldest first."""
    found = [
        begin(engine, flow)[1],
        begin(engine, flow, fails="a", correlation_id="batch 7")[1],
        begin(engine, other)[1],
    ]
    for task in found:
        task.wait(PATIENCE)
    return found


@pytest.fixture
def command(shared_harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    """The command, on the engine's database."""
    with ExitStack() as opened:
        yield Command(shared_harness.url, tmp_path, opened)


def test_tasks_are_told_in_a_table_the_newest_first(
    command: Command, tasks: list[TaskHandle]
) -> None:
    told = command("tasks", "list")

    assert told.code == 0
    head, *lines = told.out.splitlines()
    assert head.split() == [
        "task",
        "state",
        "submitted",
        "(UTC)",
        "template",
        "correlation",
        "tags",
    ]
    assert [line.split()[0] for line in lines] == [str(task.id) for task in reversed(tasks)]
    assert "  error     " in lines[1]
    assert lines[1].endswith("  shop/flow@1   batch 7      -")
    assert lines[2].endswith("  shop/flow@1   -            -")
    assert len({line.index("shop/") for line in lines}) == 1


@pytest.mark.parametrize(
    ("words", "columns"),
    [("tasks list", 80), ("templates list", 80), ("projections list", 60), ("db shards", 60)],
)
def test_lists_fit_a_terminal_and_are_whole_in_a_pipe(
    command: Command, tasks: list[TaskHandle], words: str, columns: int
) -> None:
    shown = command.on_terminal(*words.split(), columns=columns)
    piped = command(*words.split()).out.splitlines()

    assert max(map(len, shown)) <= columns < max(map(len, piped))
    if words == "tasks list":
        assert [line[:36] for line in shown[3::2]] == [str(task.id) for task in reversed(tasks)]


def test_a_page_says_how_to_get_the_next(command: Command, tasks: list[TaskHandle]) -> None:
    first = command("tasks", "list", "--limit", "2").out.splitlines()
    cursor = first[-1].rpartition(" --after ")[2]

    second = command("tasks", "list", "--limit", "2", "--after", cursor).out.splitlines()

    assert first[-1] == f"there are more: the same with --after {cursor}"
    assert len(first) == 1 + 2 + 1
    assert [line.split()[0] for line in second[1:]] == [str(tasks[0].id)]


def test_programs_get_one_object_with_the_next_page(
    command: Command, tasks: list[TaskHandle]
) -> None:
    told = command("tasks", "list", "--limit", "2", "--json").value
    rest = command("tasks", "list", "--json", "--after", told["next"]).value

    assert (told["tags_as_of"], told["tags_as_of_position"]) == (None, None)
    assert [task["task"] for task in told["tasks"]] == [str(tasks[2].id), str(tasks[1].id)]
    failed = told["tasks"][1]
    assert datetime.fromisoformat(failed.pop("created_at")) < datetime.fromisoformat(
        failed.pop("ended_at")
    )
    assert failed == {
        "task": str(tasks[1].id),
        "state": "error",
        "paused": False,
        "parked": False,
        "template": "shop/flow@1",
        "correlation_id": "batch 7",
        "tags": [],
    }
    assert ([task["task"] for task in rest["tasks"]], rest["next"]) == ([str(tasks[0].id)], None)


def test_options_leave_out_all_others(command: Command, tasks: list[TaskHandle]) -> None:
    first, failed, last = (str(task.id) for task in tasks)
    listed = command("tasks", "list", "--json").value["tasks"]
    at = {task["task"]: task["created_at"] for task in listed}
    soon = (datetime.fromisoformat(at[last]) + timedelta(days=1)).isoformat()
    cases: dict[tuple[str, ...], list[str]] = {
        ("--state", "error"): [failed],
        ("--state", "error", "--state", "complete"): [last, failed, first],
        ("--template", "shop"): [last, failed, first],
        ("--template", "shop/flow"): [failed, first],
        ("--template", "shop/flow@1", "--state", "complete"): [first],
        ("--template", "shop/flow@2"): [],
        ("--correlation-id", "batch 7"): [failed],
        ("--since", at[failed]): [last, failed],
        ("--until", at[failed]): [first],
        ("--since", soon): [],
        ("--paused",): [],
        ("--not-paused", "--not-parked"): [last, failed, first],
        ("--parked",): [],
    }

    for options, expected in cases.items():
        found = command("tasks", "list", "--json", *options)
        assert [task["task"] for task in found.value["tasks"]] == expected, options


def test_nothing_found_and_tags_that_nobody_reads_are_told(
    command: Command, tasks: list[TaskHandle]
) -> None:
    nothing = command("tasks", "list", "--state", "blocked")
    tagged = command("tasks", "list", "--tag", "vip")

    assert (nothing.code, nothing.out, nothing.error) == (0, "there are no such tasks\n", "")
    assert (tagged.code, tagged.out) == (0, "there are no such tasks\n")
    assert "flowledger_notes" in tagged.error


def test_tags_that_are_shown_say_where_their_read_model_is_behind(
    command: Command, tasks: list[TaskHandle]
) -> None:
    told, as_json = command("tasks", "list"), command("tasks", "list", "--json")

    for one in (told, as_json):
        assert one.code == 0
        (line,) = one.error.splitlines()
        assert line.startswith("tags may be missing: flowledger_notes is ")


def test_bad_options_exit_with_2(command: Command, tasks: list[TaskHandle]) -> None:
    cases = {
        "'eror' is not one of": ("--state", "eror"),
        "should be written as namespace, namespace/name": ("--template", "a/b/c"),
        "is no time such as": ("--since", "yesterday"),
        "0 is not in the range": ("--limit", "0"),
        "after should be what a page of tasks has named": ("--after", "x"),
        "correlation_id should have 1 to 1000 bytes": ("--correlation-id", "x" * 2000),
        "created_before": ("--since", "2026-01-02", "--until", "2026-01-01"),
    }

    for said, options in cases.items():
        done = command("tasks", "list", *options)
        assert (done.code, done.out) == (2, ""), done
        assert said in done.error
        assert len(done.error.splitlines()) == 1
