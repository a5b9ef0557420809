"""The events of a task's history that sentences about it are about, with their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowledger.engine.domain.verify.replay import Placed
from flowledger.engine.events import step as happened
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.requests import ANSWERS, TaskRequest
from flowledger.engine.events.step import FACTS

FAILURES = (
    happened.StepFailed,
    happened.StepTimedOut,
    happened.StepLeaseExpired,
    happened.StepHandedBack,
)
ASK_FOR_NOTHING = (happened.StepStarted, happened.StepCheckpointed)
ASK_FOR_DECISIONS = tuple(fact for fact in FACTS if fact not in ASK_FOR_NOTHING)
PlacedStep = tuple[int, StepEvent]


@dataclass(frozen=True, slots=True)
class Marks:
    """The last event of a task as a whole, the last pause, the last event of each step and kind.

    `facts` are those that ask a coordinator for a decision, and `last` the position of everything.
    """

    task: Placed
    paused: Placed | None
    steps: Mapping[str, PlacedStep]
    kinds: Mapping[tuple[str, type[StepEvent]], PlacedStep]
    facts: Sequence[Placed]
    last: int

    def failure(self, step: str) -> PlacedStep | None:
        """How the last attempt of the step ended that had no result."""
        found = [self.kinds[step, kind] for kind in FAILURES if (step, kind) in self.kinds]
        return max(found, key=lambda placed: placed[1].originator_version, default=None)


def marks(history: Sequence[Placed]) -> Marks:
    """Find them. The history is a task's, with at least its creation."""
    task, paused = history[0], None
    steps: dict[str, PlacedStep] = {}
    kinds: dict[tuple[str, type[StepEvent]], PlacedStep] = {}
    for position, event in history:
        if isinstance(event, StepEvent):
            steps[event.step] = kinds[event.step, type(event)] = position, event
        elif isinstance(event, happened.TaskPaused):
            paused = position, event
        elif _is_about_the_whole(event):
            task = position, event
    facts = [placed for placed in history if isinstance(placed[1], ASK_FOR_DECISIONS)]
    return Marks(task, paused, steps, kinds, facts, history[-1][0])


def _is_about_the_whole(event: TaskEvent) -> bool:
    return not isinstance(event, (TaskRequest, *ANSWERS, happened.TaskResumed))
