"""The status of a task and of each of its steps, and what happens next, in sentences.

The words are those of explanations; of each step the first one that is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from flowledger.engine.domain.execution_status_from_counts import counts_of, summary_of
from flowledger.engine.domain.explain.context import ExplainContext
from flowledger.engine.domain.explain.explain import explain_task
from flowledger.engine.domain.explain.reasons import Reason, ReasonKind, in_order
from flowledger.engine.domain.explain.step_reasons import step_reasons
from flowledger.engine.domain.explain.task_reasons import concerns, task_reasons
from flowledger.engine.domain.machine.transitions import STEP_ENDS, StepState, TaskState

UNATTENDED = "unattended"
"""How well a task is that nobody decides about: no coordinator leads, or they leave it alone."""

START_COORDINATOR = "start_coordinator"
RETRY_PARKED = "retry_parked"


class Outlook:
    """Sentences about one task at one time."""

    def __init__(self, scene: ExplainContext) -> None:
        self._scene = scene
        self._obstacles = scene.obstacles()
        self._whole = in_order(task_reasons(scene))

    def task(self) -> list[str]:
        """What became of the task, and what happens next."""
        run = self._scene.run
        said: list[str] = []
        if run.started and run.task.state is TaskState.IN_PROGRESS:
            said.append(self._counts())
        elif run.started and run.task.state is TaskState.WAITING:
            said.append(self._waits())
        kinds = set(ReasonKind) - {ReasonKind.PROJECTION_BEHIND}
        return said + [reason.sentence for reason in self._whole if reason.kind in kinds]

    def summary(self) -> dict[str, str | float]:
        """The task in three words and a number, from its counts, and from who sees to it."""
        run, beside = self._scene.run, self._scene.live
        words = asdict(summary_of(counts_of(run)))
        if run.ended or beside is None:
            return words
        if beside.parked is not None:
            return {**words, "recommended_action": RETRY_PARKED, "health_status": UNATTENDED}
        if beside.shard.leader is None:
            return {**words, "recommended_action": START_COORDINATOR, "health_status": UNATTENDED}
        return words

    def step(self, name: str) -> str:
        """What became of a step, and what happens next."""
        scene = self._scene
        number = scene.run.plan.numbers[name]
        own: Sequence[Reason] = in_order(step_reasons(scene, number, self._obstacles))
        if not own:
            own = [reason for reason in self._whole if concerns(scene, reason, number)]
        if own[0].kind is ReasonKind.DEPENDENCY:
            return f"waits for {', '.join(reason.about for reason in own)}"
        return own[0].sentence

    def _counts(self) -> str:
        states = [step.state for step in self._scene.run.steps]
        done = sum(state in STEP_ENDS for state in states)
        counts = f"{done} of {len(states)} steps have ended"
        for state, word in ((StepState.IN_PROGRESS, "running"), (StepState.ENQUEUED, "queued")):
            if states.count(state):
                counts += f", {states.count(state)} {word}"
        return counts

    def _waits(self) -> str:
        """A task that waits goes on when the first of its steps can."""
        reasons = [reason for reason in explain_task(self._scene) if reason.steps]
        changes = [reason.earliest for reason in reasons if reason.earliest is not None]
        goes_on = f"; goes on {self._scene.until(min(changes))}" if changes else ""
        return f"{self._counts()}{goes_on}"
