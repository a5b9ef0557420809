"""The input of an explanation: one task at one moment, with its history and live state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from flowledger.engine import events as happened
from flowledger.engine.display_text import duration, moment, on_one_line
from flowledger.engine.domain.event_text import actor_name, describe
from flowledger.engine.domain.explain.live_state import LiveState
from flowledger.engine.domain.explain.reasons import Cause, Reason, ReasonKind, cause_of
from flowledger.engine.domain.limits.admission import AdmissionRules
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.machine.transitions import DONE, STEP_ENDS, StepState
from flowledger.engine.events.base import Event, Placed, StepEvent, TaskEvent
from flowledger.engine.events.registry import FACTS
from flowledger.engine.events.requests import ANSWERS, TaskRequest
from flowledger.engine.events.template import TemplatePaused

FAILURES = (
    happened.StepAttemptFailed,
    happened.StepTimedOut,
    happened.StepLeaseExpired,
    happened.StepReleased,
)
ASK_FOR_NOTHING = (happened.StepStarted, happened.StepCheckpointed)
ASK_FOR_DECISIONS = tuple(fact for fact in FACTS if fact not in ASK_FOR_NOTHING)


@dataclass(frozen=True, slots=True)
class HistoryIndex:
    """The last event of a task as a whole, the last pause, the last event of each step and kind.

    `facts` are those that ask a coordinator for a decision, and `last` the position of everything.
    """

    task: Placed[TaskEvent]
    paused: Placed[TaskEvent] | None
    steps: Mapping[str, Placed[StepEvent]]
    kinds: Mapping[tuple[str, type[StepEvent]], Placed[StepEvent]]
    facts: Sequence[Placed[TaskEvent]]
    last: int

    def failure(self, step: str) -> Placed[StepEvent] | None:
        """How the last attempt of the step ended that had no result."""
        found = [self.kinds[step, kind] for kind in FAILURES if (step, kind) in self.kinds]
        return max(found, key=lambda placed: placed[1].originator_version, default=None)


def index_history(history: Sequence[Placed[TaskEvent]]) -> HistoryIndex:
    """Find them. The history is a task's, with at least its creation."""
    task, paused = history[0], None
    steps: dict[str, Placed[StepEvent]] = {}
    kinds: dict[tuple[str, type[StepEvent]], Placed[StepEvent]] = {}
    for position, event in history:
        if isinstance(event, StepEvent):
            steps[event.step] = kinds[event.step, type(event)] = position, event
        elif isinstance(event, happened.TaskPaused):
            paused = position, event
        elif _is_about_the_whole(event):
            task = position, event
    facts = [placed for placed in history if isinstance(placed[1], ASK_FOR_DECISIONS)]
    return HistoryIndex(task, paused, steps, kinds, facts, history[-1][0])


def _is_about_the_whole(event: TaskEvent) -> bool:
    return not isinstance(event, (TaskRequest, *ANSWERS, happened.TaskResumed))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainContext:
    """The task as it was folded, its history's marks, and what stands around it.

    `live` is None as of an earlier event, which only the log tells of. `related_events` has, by
    stream, the last events of the template, of circuits and of steps of other tasks.
    """

    run: TaskRun
    index: HistoryIndex
    now: datetime
    rules: AdmissionRules
    live: LiveState | None = None
    related_events: Mapping[UUID, Placed[Event]] = field(default_factory=dict[UUID, Placed[Event]])

    def name(self, number: int) -> str:
        """The name of a step."""
        return self.run.plan.steps[number].name

    def last(self, number: int) -> Placed[TaskEvent]:
        """The last event of a step that has any."""
        return self.index.steps[self.name(number)]

    def satisfies(self, number: int) -> bool:
        """Whether what depends on the step may start, as far as this step goes."""
        state = self.run.steps[number].state
        return state in DONE or (
            state is StepState.SKIPPED and self.run.plan.steps[number].when_skipped == "continue"
        )

    def waits_for(self, number: int) -> list[int]:
        """The dependencies of a step that do not let it go: those that were settled early too."""
        if not self.run.open[number]:
            return []
        parents = self.run.plan.parents[number]
        return [n for n in parents if not self.satisfies(n) or self.run.unended[n]]

    def obstacles(self) -> dict[int, int]:
        """The steps that cannot start, and for each a step before it whose end does not let it.

        Of several that is a skipped one, which no reset of the task mends.
        """
        plan, found = self.run.plan, dict[int, int]()
        stack: list[tuple[int, int]] = []
        for number, step in enumerate(self.run.steps):
            if step.state in STEP_ENDS and not self.satisfies(number):
                stack.append((number, number))
        stack.sort(key=lambda one: self.run.steps[one[0]].state is StepState.SKIPPED)
        while stack:
            number, root = stack.pop()
            for child in plan.children[number]:
                if child not in found and self.run.steps[child].state is StepState.PENDING:
                    found[child] = root
                    stack.append((child, root))
        return found

    @property
    def earliest_decision(self) -> datetime | None:
        """When a coordinator can do something at the earliest: at once, if one leads the shard."""
        return self.now if self.live is None or self.live.shard.reads else None

    @property
    def all_decided(self) -> bool:
        """Whether a coordinator has stored what follows from every fact of the task."""
        last = self.index.facts[-1][0] if self.index.facts else self.index.last
        return self.live is not None and self.live.shard.position >= last

    @property
    def template_paused(self) -> Placed[Event] | None:
        """The event by which the template is paused; None where it is not."""
        placed = self.related_events.get(self.run.plan.template_id)
        return placed if placed is not None and isinstance(placed[1], TemplatePaused) else None

    def age(self, event: Event) -> str:
        """How long ago it happened, as `5 s`."""
        return duration(self.now - event.occurred_at)

    def ago(self, event: Event) -> str:
        """How long ago it happened, as `5 s ago`."""
        return f"{self.age(event)} ago"

    def since(self, time: datetime) -> str:
        """How long ago a time is."""
        return f"{duration(self.now - time)} ago"

    def until(self, time: datetime) -> str:
        """When it is, from now."""
        if time <= self.now:
            return f"at once (it was due at {moment(time)})"
        return f"in {duration(time - self.now)} ({moment(time)})"

    def by(self, event: Event) -> str:
        """By whom, why and when it happened."""
        who = f"by {actor_name(event.actor)}" if event.actor is not None else "by the engine"
        reason: str | None = getattr(event, "reason", None)
        return f"{who}{f': {on_one_line(reason)}' if reason else ''}, {self.ago(event)}"

    def what(self, event: Event) -> str:
        """What happened, by whom, and when."""
        by = f" (by {actor_name(event.actor)})" if event.actor is not None else ""
        return f"{describe(event)}{by}, {self.ago(event)}"


def cause(placed: Placed[Event] | None) -> Cause | None:
    """The event as a cause, where there is one."""
    return None if placed is None else cause_of(*placed)


def behind(scene: ExplainContext, sentence: str, event: Placed[Event], number: int) -> Reason:
    """A coordinator is yet to decide about the event."""
    position = scene.live.shard.position if scene.live else None
    return Reason(
        kind=ReasonKind.COORDINATOR_BEHIND,
        sentence=sentence,
        cause=cause(event),
        earliest=scene.earliest_decision,
        details={"position": position, "needed": event[0]},
        steps=(scene.name(number),),
    )


def iso(time: datetime | None) -> str | None:
    """A time in details."""
    return None if time is None else time.isoformat()
