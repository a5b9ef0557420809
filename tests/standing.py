"""Two tasks halfway, in every kind of table: what verification finds, tests plant there."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from uuid import UUID

from lab import Lab
from stepped import Stage

from flowledger.engine.domain.circuit import circuit_id
from flowledger.engine.domain.events import StepCompleted, StepError, StepFailed
from flowledger.engine.domain.ids import request_id, step_id
from flowledger.engine.domain.replay import Difference
from flowledger.handlers import Retry, Workflow

halfway = Workflow("shop", "order", version="1", identity="strict")
LATER = Retry(max_attempts=5, backoff="fixed", base_seconds=3600.0, jitter="none")
AWAY = StepError(error_class="OSError", message="away", category="network", retryable=True)


@halfway.step
def first() -> int:
    """Complete."""
    return 1


@halfway.step(after=[first], timeout=3600, concurrency={"limit": 1})
def runs() -> None:
    """In a worker's hands; of the second task held, since the limit is reached."""


@halfway.step(after=[first], retry=LATER, system="bank")
def fails() -> None:
    """Waits for a retry."""


@halfway.step(after=[first], start_timeout=7200)
def queued() -> None:
    """In the queue."""


@halfway.step(after=[runs, fails, queued])
def last() -> None:
    """Not ready."""


class Standing:
    """Two tasks at rest, with nobody at work; `names` has the ids of what statements may name."""

    def __init__(self, lab: Lab, opened: ExitStack) -> None:
        self.lab = lab
        self.stage = stage = Stage(lab, opened, halfway)
        self.engine = stage.client
        tasks = self.engine.submit_many(halfway, [{"number": 1}, {"number": 2}])
        self.one, self.two = sorted(task.id for task in tasks)
        stage.settle()
        claims = stage.worker.exchange(limit=2).claims
        stage.worker.exchange([stage.worker.fact(StepCompleted, each, result=1) for each in claims])
        stage.settle()
        taken = {claim.step: claim for claim in stage.worker.exchange(limit=2).claims}
        stage.worker.exchange([stage.worker.fact(StepFailed, taken["fails"], error=AWAY)])
        asked = {"reason": "asked", "actor": "ann", "key": "k", "wait": 0}
        self.engine.task(self.two).step("last").cancel(**asked)
        stage.settle()
        self.names = self._names()

    def plant(self, statements: str) -> None:
        """Change what nobody may change; `{name}` stands for an id of `names`."""
        self.lab.rows("alter table flowledger.event disable trigger user")
        for statement in statements.format(**self.names).split(";"):
            self.lab.rows(statement)

    def differences(self, task: UUID | None = None) -> list[Difference]:
        """What verification finds."""
        return list(self.engine.verify(task))

    def _names(self) -> dict[str, Any]:
        steps = {step.name: step_id(self.one, step.name) for step in halfway.template.steps}
        return {
            **steps,
            "held": step_id(self.two, "runs"),
            "one": self.one,
            "two": self.two,
            "request": request_id(self.two, "k"),
            "template": halfway.template.template_id,
            "circuit": circuit_id("bank"),
            "nobody": UUID("019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071"),
            "nobodys_step": UUID("019a2b3c-4d5e-8f60-8a1b-2c3d4e5f6071"),
        }
