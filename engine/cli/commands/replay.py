"""`flowledger replay`: fold the log of a task again, and hold the result against its rows."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import click
from rich.text import Text

from flowledger.engine.cli.command_setup import program_settings, stored_tasks
from flowledger.engine.cli.options import json_option, task_argument
from flowledger.engine.cli.output import say, tell_json
from flowledger.engine.client.replay import Replayed, replayed
from flowledger.engine.domain.event_text import describe, stream_of
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.domain.verify.replay_and_compare_rows import Frame

DIFFERS = 1


@click.command("replay")
@task_argument
@json_option("Print one JSON object.")
def replay(task_id: UUID, *, as_json: bool) -> None:
    """Fold a task's events one by one, show the state after each, and compare with its rows.

    An event that cannot be read, or does not follow, is a difference; the others are folded.

    Exit code 1 where the rows of flowledger.task and flowledger.step are not the fold of the log,
    with each difference named.

    \b
    Example: flowledger replay 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071
    """
    with stored_tasks(program_settings(quiet=True)) as tasks:
        told = replayed(tasks, task_id)
    if as_json:
        tell_json(_facts(told))
    else:
        say(told_lines(told))
    if told.differences:
        sys.exit(DIFFERS)


def told_lines(told: Replayed) -> Iterable[Text]:
    """A replay for people."""
    wide = max((len(stream_of(frame.event)) for frame in told.frames), default=0)
    for frame in told.frames:
        yield _frame_line(frame, wide)
    if told.waiting:
        yield Text(
            f"{told.waiting} events are behind the coordinator's position {told.position}:"
            " no row can know of them yet",
            "yellow",
        )
    for difference in told.differences:
        yield Text(str(difference), "red")
    folded = f"{len(told.frames)} events folded{_beside(told.notes)}"
    if told.differences:
        yield Text(f"{folded}: {len(told.differences)} differences", "bold red")
    else:
        yield Text(f"{folded}: the rows say the same", "bold green")


def _beside(notes: int) -> str:
    if not notes:
        return ""
    return ", 1 note beside them" if notes == 1 else f", {notes} notes beside them"


def _frame_line(frame: Frame, wide: int) -> Text:
    event = frame.event
    done = f"{frame.steps[StepState.COMPLETE]}/{sum(frame.steps.values())}"
    return Text.assemble(
        (f"{frame.position:>8}  ", "dim"),
        f"{stream_of(event):<{wide}}  {event.originator_version:>3}  ",
        (f"{frame.state:<17}  {done:>5}  ", "bold"),
        describe(event),
    )


def _facts(told: Replayed) -> dict[str, Any]:
    last = told.frames[-1] if told.frames else None
    return {
        "task": told.task_id,
        "position": told.position,
        "waiting": told.waiting,
        "events": len(told.frames),
        "notes": told.notes,
        "steps": {state: last.steps[state] for state in StepState} if last else {},
        "frames": [_frame_facts(frame) for frame in told.frames],
        "differences": [
            {name: getattr(difference, name) for name in ("subject", "field", "log", "row")}
            for difference in told.differences
        ],
    }


def _frame_facts(frame: Frame) -> dict[str, Any]:
    return {
        "position": frame.position,
        "type": type(frame.event).__name__,
        "stream": stream_of(frame.event),
        "version": frame.event.originator_version,
        "state": frame.state,
    }
