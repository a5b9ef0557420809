"""`flowledger replay`: fold the log of a task again, and hold the result against its rows."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import click
from rich.text import Text

from flowledger.engine.cli.command_setup import program_settings, stored_tasks
from flowledger.engine.cli.options import json_option, task_argument
from flowledger.engine.cli.output import say, tell_json
from flowledger.engine.cli.timeline import task_events
from flowledger.engine.domain.event_text import describe, stream_of
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.domain.templates.compiled_template import Plan, compile_plan
from flowledger.engine.domain.verify.replay_and_compare_rows import (
    Difference,
    Frame,
    Replay,
    Row,
    differences,
    visible_at,
)
from flowledger.engine.errors import IllegalTransition, LogCorrupt, UnknownTask
from flowledger.engine.events.base import Placed, Recorded, TaskEvent
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.unreadable import UnreadableEvent
from flowledger.engine.ports.client import Snapshot, Tasks

DIFFERS = 1


@dataclass(frozen=True, slots=True)
class Told:
    """What a replay found: `waiting` counts the facts that no row can know of yet."""

    task_id: UUID
    position: int
    frames: Sequence[Frame]
    waiting: int
    differences: Sequence[Difference]


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


def replayed(tasks: Tasks, task_id: UUID) -> Told:
    """Fold and compare. Raises UnknownTask, LogCorrupt."""
    snapshot = tasks.snapshot(task_id)
    if not snapshot.history:
        if snapshot.task is None and not tasks.known(task_id):
            raise UnknownTask(task_id)
        return Told(task_id, snapshot.position, (), 0, _compared(None, snapshot))
    unreadable = list(_unreadable(snapshot.history))
    created = snapshot.history[0].event
    if not isinstance(created, TaskCreated):
        if unreadable:
            return Told(task_id, snapshot.position, (), 0, unreadable)
        raise LogCorrupt(f"the history of task {task_id} does not begin with its creation")
    plan = compile_plan(tasks.template(created.template_id))
    frames, faults = _folded(snapshot, plan)
    history = task_events(snapshot.history)
    seen = visible_at(history, snapshot.position)
    waiting = len(history) - len(seen)
    found = faults or _compared(_at_position(seen, plan), snapshot)
    return Told(task_id, snapshot.position, frames, waiting, [*unreadable, *found])


def told_lines(told: Told) -> Iterable[Text]:
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
    events = len(told.frames)
    if told.differences:
        yield Text(f"{events} events folded: {len(told.differences)} differences", "bold red")
    else:
        yield Text(f"{events} events folded: the rows say the same", "bold green")


def _frame_line(frame: Frame, wide: int) -> Text:
    event = frame.event
    done = f"{frame.steps[StepState.COMPLETE]}/{sum(frame.steps.values())}"
    return Text.assemble(
        (f"{frame.position:>8}  ", "dim"),
        f"{stream_of(event):<{wide}}  {event.originator_version:>3}  ",
        (f"{frame.state:<17}  {done:>5}  ", "bold"),
        describe(event),
    )


def _unreadable(history: Iterable[Recorded]) -> Iterator[Difference]:
    for one in history:
        if isinstance(one.event, UnreadableEvent):
            said = f"unreadable: {one.event.why}"
            yield Difference(f"position {one.position}", "event", "readable", said)


def _folded(snapshot: Snapshot, plan: Plan) -> tuple[list[Frame], list[Difference]]:
    """Frames, and the events that do not follow; what follows these in their stream is left out."""
    frames: list[Frame] = []
    faults: list[Difference] = []
    replay, broken, rest = Replay(plan), set[UUID](), task_events(snapshot.history)
    while rest:
        before = len(frames)
        try:
            for frame in replay.frames(rest):
                frames.append(frame)  # noqa: PERF402 - those before a fault are kept
            rest = []
        except (IllegalTransition, LookupError) as error:
            at = len(frames) - before
            position, event = rest[at]
            subject = f"position {position}"
            faults.append(Difference(subject, type(event).__name__, str(error), "stored"))
            broken.add(event.originator_id)
            rest = [one for one in rest[at + 1 :] if one[1].originator_id not in broken]
    return frames, faults


def _at_position(seen: Sequence[Placed[TaskEvent]], plan: Plan) -> Replay:
    replay = Replay(plan)
    for _ in replay.frames(seen):
        pass
    return replay


def _compared(replay: Replay | None, snapshot: Snapshot) -> Sequence[Difference]:
    task = snapshot.task
    row: Row | None = None
    if task is not None:
        row = {**asdict(task), "ended": task.ended_at is not None}
    steps = {step.step: asdict(step) for step in snapshot.steps}
    if replay is None:
        return differences(None, row, steps)
    return differences(replay.run, row, steps)


def _facts(told: Told) -> dict[str, Any]:
    last = told.frames[-1] if told.frames else None
    return {
        "task": told.task_id,
        "position": told.position,
        "waiting": told.waiting,
        "events": len(told.frames),
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
