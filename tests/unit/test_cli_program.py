"""The command's list is what its commands are; texts for people say what happened."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from flowledger.engine.cli.program import COMMANDS, program, system_said
from flowledger.engine.cli.task_progress import Lines, Look, Repainted, Silent, painted, view_for
from flowledger.engine.cli.timeline import depths, event_facts
from flowledger.engine.display_text import LONGEST
from flowledger.engine.domain.event_text import actor_of, describe
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.domain.templates.compiled_template import compile_plan
from flowledger.engine.events.base import Recorded
from flowledger.engine.events.step import (
    StepCompleted,
    StepFailed,
    StepRetryScheduled,
    StepStarted,
)
from flowledger.engine.events.task import TaskFailed
from support.builders import NOON, Story, diamond, event

CONTEXT = click.Context(program, info_name="flowledger")
WORKER = UUID("01a20709-c5eb-7a66-a61c-ab2925abcdef")


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield f"{path} {name}", found
        if isinstance(found, click.Group):
            yield from commands(found, f"{path} {name}")


ALL = dict(commands(program, "flowledger"))


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help_with_an_example(name: str) -> None:
    shown = CliRunner().invoke(ALL[name], ["--help"], prog_name=name)

    assert shown.exit_code == 0
    assert "Example: " in shown.stdout
    assert name in shown.stdout.partition("Example: ")[2]


def test_the_list_of_commands_shows_each_with_a_sentence() -> None:
    shown = CliRunner().invoke(program, ["--help"]).stdout

    assert [name for name in COMMANDS if f"  {name} " not in shown] == []


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = (
        "import sys; from flowledger.engine.cli.program import program;"
        "program(['--help'], standalone_mode=False);"
        "sys.exit(any(name in sys.modules for name in"
        " ('flowledger.engine.cli.commands.run_workflow', 'flowledger.engine.bootstrap',"
        " 'psycopg')))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)  # noqa: S603

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("name", ALL)
def test_every_command_that_prints_data_does_so_as_json_too(name: str) -> None:
    runs = {"start", "coordinator", "worker", "projector", "reference"}
    command = ALL[name]
    if isinstance(command, click.Group) or name.rpartition(" ")[2] in runs:
        return

    assert "--json" in [option for one in command.params for option in one.opts]


WORDS = {
    "a result": (
        event(StepCompleted, 3, step="a", result={"x": 1}),
        'completed with {"x": 1}',
        "worker",
    ),
    "a start": (
        event(StepStarted, 2, step="a", attempt=2, worker=WORKER),
        "attempt 2 started",
        "worker abcdef",
    ),
    "a retry": (
        event(StepRetryScheduled, 4, step="a", due_at=NOON + timedelta(seconds=1.5)),
        "next attempt in 1.5 s",
        "coordinator",
    ),
    "an end": (
        event(StepFailed, 5, step="a", reason="exhausted", message="failed 3 of 3 times"),
        "given up (exhausted): failed 3 of 3 times",
        "coordinator",
    ),
    "a failure, by a person": (
        event(TaskFailed, 3, failed_steps=("a", "b"), actor="ada"),
        "failed, as these ended in error: a, b",
        "ada",
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_an_event_is_told_in_words(case: str) -> None:
    told, words, author = WORDS[case]

    assert (describe(told), actor_of(told)) == (words, author)


def test_long_results_are_cut() -> None:
    text = describe(event(StepCompleted, 3, step="a", result="x" * 500))

    assert text.endswith("…")
    assert len(text) < LONGEST + 20


def test_a_line_of_history_keeps_all_that_the_event_has() -> None:
    completed = event(StepCompleted, 3, step="a", result=[1], causation_id=WORKER)

    line = event_facts(Recorded(9, NOON, completed))

    assert line == {
        "position": 9,
        "recorded_at": "2026-01-01T12:00:00+00:00",
        "type": "StepCompleted",
        "task": str(completed.task_id),
        "step": "a",
        "version": 3,
        "actor": None,
        "writer": "worker",
        "data": {
            "event_id": str(completed.event_id),
            "occurred_at": "2026-01-01T12:00:00Z",
            "correlation_id": "c",
            "causation_id": str(WORKER),
            "schema_version": 1,
            "namespace": "shop",
            "template": "order",
            "attempt": 1,
            "result": [1],
        },
    }


def test_depths_are_the_longest_ways() -> None:
    assert depths(compile_plan(diamond())) == {"start": 1, "left": 2, "right": 2, "end": 3}


def look(**steps: int) -> Look:
    counts = {StepState(name): count for name, count in steps.items()}
    task = Story(diamond()).run.task_id
    return Look("shop/order@1", task, 4, counts, ("left", "right"), 2.0)


def test_lines_say_only_what_changed(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines() as lines:
        lines.show(look(complete=1, in_progress=3))
        lines.show(look(complete=1, in_progress=3))
        lines.show(look(complete=2, in_progress=2))

    assert capsys.readouterr().out == (
        "    2.0 s  1/4: 1 complete, 3 running (left, right and 1 more)\n"
        "    2.0 s  2/4: 2 complete, 2 running (left, right)\n"
    )


def test_a_painted_look_has_the_numbers_the_names_and_the_rate() -> None:
    console = Console(width=100)
    with console.capture() as shown:
        console.print(painted(look(complete=1, in_progress=2, pending=1), 100))

    text = shown.get()
    assert "1/4 steps" in text
    assert "2.0 s" in text
    assert "0.5 steps/s" in text
    assert "1 complete   2 running   1 pending" in text
    assert "running: left, right" in text


def test_the_view_suits_who_looks() -> None:
    terminal, pipe = Console(force_terminal=True), Console(force_terminal=False)

    assert type(view_for(terminal, 8, as_json=True)) is Silent
    assert type(view_for(terminal, 8, as_json=False)) is Repainted
    assert type(view_for(pipe, 8, as_json=False)) is Lines


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOENT, "No such file", "a.yaml"), "a.yaml: No such file"),
        (OSError(errno.ENOENT, "No such file", b"a.yaml"), "a.yaml: No such file"),
        (OSError(errno.EIO, "I/O error", 7), "7: I/O error"),
        (
            OSError(errno.EMFILE, "Too many open files"),
            "Too many open files: raise the limit of this process (ulimit -n)",
        ),
        (TimeoutError("timed out"), "timed out"),
    ],
    ids=str,
)
def test_what_the_system_refuses_is_said_with_its_place(error: OSError, said: str) -> None:
    assert system_said(error) == said


def test_without_a_file_the_place_in_the_program_is_named() -> None:
    def reads() -> None:
        raise OSError(errno.EIO, "I/O error")

    with pytest.raises(OSError, match="I/O") as caught:
        reads()

    assert system_said(caught.value) == f"I/O error (in reads, {__file__})"
