"""Folds a task's log again, event by event, and holds the result against the task's rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from flowledger.engine.client.explain import placed
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
from flowledger.engine.events.notes import TaskNote
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.unreadable import UnreadableEvent
from flowledger.engine.ports.client import Snapshot, Tasks


@dataclass(frozen=True, slots=True)
class Replayed:
    """A task event by event.

    Each of the `frames` has an event, its `position` in the log, the `state` after it (of the step
    that the event is of, else of the task), and how many `steps` are in which state then.
    `position` is how far the coordinator has come, and `waiting` counts the events behind it, of
    which no row can know. The `differences` say where the rows are not the fold of the log. `notes`
    counts those of people, which stand beside what is folded: the history has them, too.
    """

    task_id: UUID
    position: int
    frames: Sequence[Frame]
    waiting: int
    differences: Sequence[Difference]
    notes: int = 0


def replayed(tasks: Tasks, task_id: UUID) -> Replayed:
    """Fold and compare. Raises UnknownTask, LogCorrupt."""
    snapshot = tasks.snapshot(task_id)
    if not snapshot.history:
        if snapshot.task is None and not tasks.known(task_id):
            raise UnknownTask(task_id)
        return Replayed(task_id, snapshot.position, (), 0, _compared(None, snapshot))
    unreadable = list(_unreadable(snapshot.history))
    created = snapshot.history[0].event
    if not isinstance(created, TaskCreated):
        if unreadable:
            return Replayed(task_id, snapshot.position, (), 0, unreadable)
        raise LogCorrupt(f"the history of task {task_id} does not begin with its creation")
    plan = compile_plan(tasks.template(created.template_id))
    frames, faults = _folded(snapshot, plan)
    history = placed(snapshot.history)
    seen = visible_at(history, snapshot.position)
    waiting = len(history) - len(seen)
    found = faults or _compared(_at_position(seen, plan), snapshot)
    notes = sum(isinstance(one.event, TaskNote) for one in snapshot.history)
    return Replayed(task_id, snapshot.position, frames, waiting, [*unreadable, *found], notes)


def _unreadable(history: Iterable[Recorded]) -> Iterator[Difference]:
    for one in history:
        if isinstance(one.event, UnreadableEvent):
            said = f"unreadable: {one.event.why}"
            yield Difference(f"position {one.position}", "event", "readable", said)


def _folded(snapshot: Snapshot, plan: Plan) -> tuple[list[Frame], list[Difference]]:
    """Frames, and the events that do not follow; what follows these in their stream is left out."""
    frames: list[Frame] = []
    faults: list[Difference] = []
    replay, broken, rest = Replay(plan), set[UUID](), placed(snapshot.history)
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
