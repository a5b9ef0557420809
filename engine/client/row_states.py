"""The states that rows say, which whoever may write them may have made none."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.domain.templates.validation_message import shown
from flowledger.engine.errors import LogCorrupt
from flowledger.engine.ports.client import StepRow, TaskRow

S = TypeVar("S", bound=StrEnum)
MENDED = "`flowledger repair` makes the row anew from the log"


def state_of_task(row: TaskRow) -> TaskState:
    """Where the task stands. Raises LogCorrupt where its row says no state."""
    return _state(TaskState, row.state, f"task {row.task_id}")


def state_of_step(row: StepRow) -> StepState:
    """Where the step stands. Raises LogCorrupt where its row says no state."""
    return _state(StepState, row.state, f"step {row.step!r}")


def _state(kind: type[S], said: str, whose: str) -> S:
    try:
        return kind(said)
    except ValueError as error:
        sentence = f"{whose}: its row says {shown(said)}, which is no state; {MENDED}"
        raise LogCorrupt(sentence) from error
