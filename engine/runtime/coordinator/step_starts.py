"""The starts of steps that a worker of the coordinator's own process runs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import caused_id, milliseconds, step_id
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.events.step import StepStarted
from flowledger.engine.ports.coordinator import Start
from flowledger.engine.ports.worker import Claim


def start_of(run: TaskRun, number: int, worker: UUID, now: datetime) -> Start:
    """The start of a queued step by that worker, now, and before nothing that led to it."""
    step, at = run.steps[number], max(now, run.latest)
    name = run.plan.steps[number].name
    stream = step_id(run.task_id, name)
    version = step.version + 1
    claim = Claim(
        stream,
        run.task_id,
        run.plan.template_id,
        version,
        step.attempt + 1,
        name,
        run.correlation_id,
        step.resets,
        at,
    )
    return Start(caused_id(worker, stream, version, milliseconds(at)), worker, claim)


def started(run: TaskRun, start: Start) -> StepStarted:
    """The event of a start."""
    template, claim = run.plan.template, start.claim
    return StepStarted.of(
        originator_id=claim.step_id,
        originator_version=claim.version,
        event_id=start.event_id,
        occurred_at=claim.at,
        correlation_id=claim.correlation_id,
        task_id=claim.task_id,
        namespace=template.namespace,
        template=template.name,
        step=claim.step,
        attempt=claim.attempt,
        worker=start.worker,
    )
