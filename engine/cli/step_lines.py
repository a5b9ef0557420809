"""What a live display says of each step: where it stands, why it failed, when it is tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from flowledger.engine.display_text import on_one_line
from flowledger.engine.domain.event_text import STATE_LABELS, describe
from flowledger.engine.domain.machine.transitions import STEP_TRANSITIONS, StepState
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.events.base import Recorded, StepEvent
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepFailed,
    StepLeaseExpired,
    StepReset,
    StepRetryScheduled,
    StepStarted,
    StepTimedOut,
)

LINES_SHOWN = 20
STEPS_FOLLOWED = 100
"""Of larger tasks only numbers are shown: a look must not read a long history."""

AT_WORK = (StepState.ERROR, StepState.WAITING_FOR_RETRY, StepState.IN_PROGRESS)


@dataclass(slots=True)
class StepLine:
    """A step at one look. `seconds` are left until its retry, or passed since its start."""

    name: str
    most_retries: int
    state: StepState = StepState.PENDING
    failures: int = 0
    reason: str = ""
    seconds: float | None = None

    @property
    def words(self) -> str:
        """All but the name."""
        if self.state is StepState.WAITING_FOR_RETRY:
            due = "" if self.seconds is None else f" in {shown(self.seconds)}"
            return f"{self.retry}{due}: {self.reason}"
        said = [STATE_LABELS[self.state]]
        if self.state in {StepState.IN_PROGRESS, StepState.COMPLETE} and self.seconds is not None:
            said.append(shown(self.seconds))
        if self.state is StepState.ERROR:
            return f"{said[0]}: {self.reason}"
        return ", ".join([*said, self.retry] if self.failures else said)

    @property
    def retry(self) -> str:
        """Which of its retries it is at."""
        return f"retry {self.failures} of {self.most_retries}"


class StepLines:
    """Follows the steps of one task by its history. Time passes by this process's own count."""

    def __init__(self, template: Template, elapsed: Callable[[], float] = monotonic) -> None:
        self._most = {step.name: max(0, step.retry.max_attempts - 1) for step in template.steps}
        self._elapsed = elapsed
        self._seen: dict[UUID, float] = {}

    @property
    def few(self) -> bool:
        """Whether there are so few steps that each may be followed."""
        return len(self._most) <= STEPS_FOLLOWED

    def look(self, history: Iterable[Recorded]) -> tuple[StepLine, ...]:
        """A line for each step, in the order of the definition."""
        lines = {name: StepLine(name, most) for name, most in self._most.items()}
        began: dict[str, StepStarted] = {}
        for recorded in history:
            event = recorded.event
            if isinstance(event, StepEvent) and event.step in lines:
                self._fold(lines[event.step], event, began)
        return tuple(lines.values())

    def _fold(self, line: StepLine, event: StepEvent, began: dict[str, StepStarted]) -> None:
        state = STEP_TRANSITIONS.get((line.state, type(event)), line.state)
        line.state = state
        match event:
            case StepStarted():
                began[line.name] = event
                line.seconds = self._since(event)
            case StepAttemptFailed():
                line.failures += 1
                line.reason = on_one_line(f"{event.error.error_class}: {event.error.message}")
            case StepTimedOut() | StepLeaseExpired():
                line.failures += 1
                line.reason = describe(event)
            case StepRetryScheduled():
                pause = (event.due_at - event.occurred_at).total_seconds()
                line.seconds = max(0.0, pause - self._since(event))
            case StepFailed():
                line.reason = on_one_line(event.message)
            case StepReset():
                line.failures, line.reason, line.seconds = 0, "", None
            case _ if state is StepState.COMPLETE and line.name in began:
                passed = event.occurred_at - began[line.name].occurred_at
                line.seconds = passed.total_seconds()
            case _:
                pass

    def _since(self, event: StepEvent) -> float:
        """Seconds since this process first saw the event."""
        now = self._elapsed()
        return now - self._seen.setdefault(event.event_id, now)


def shown(seconds: float) -> str:
    """Seconds for a display that is repainted: tenths below ten."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def middle(text: str, width: int) -> str:
    """The text, without its middle where it is longer than so many characters."""
    if len(text) <= width:
        return text
    head = width // 2
    tail = max(0, width - head - 1)
    return f"{text[:head]}…{text[len(text) - tail :]}"


def most_telling(lines: Sequence[StepLine]) -> Sequence[StepLine]:
    """All lines where they are few; else those of steps that failed, or that are at work."""
    if len(lines) <= LINES_SHOWN:
        return lines
    return [line for state in AT_WORK for line in lines if line.state is state][:LINES_SHOWN]
