"""The worker's store in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from simulation.database import LONG_AGO, Database, Queued, Registered
from simulation.local_clock import LocalClock

from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import (
    StepCheckpointed,
    StepCompleted,
    StepCompletedManually,
    StepReset,
    StepStarted,
)
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.worker import NOWHERE, Claim, ClaimStatus, Exchange, Nearby


class MemoryWorkerStore:
    """The board as one worker's process sees it."""

    def __init__(self, database: Database, clock: LocalClock, new_id: Callable[[], UUID]) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    def renew(self, worker: UUID, lease_seconds: float) -> datetime:
        """Register the worker, or renew its lease. Returns when that was asked for."""
        asked_at = self._clock.now()
        until = self._database.until(lease_seconds)
        self._database.workers.setdefault(worker, Registered(until)).lease_until = until
        self._clock.observe(self._database.clock())
        return asked_at

    def retire(self, worker: UUID) -> None:
        """Forget the worker; what it still holds counts as lost."""
        if self._database.holds(worker):
            if worker in self._database.workers:
                self._database.workers[worker].lease_until = LONG_AGO
        else:
            self._database.workers.pop(worker, None)

    def exchange(  # noqa: PLR0913 - what one call brings and asks for
        self,
        worker: UUID,
        facts: Sequence[StepEvent],
        templates: Sequence[UUID],
        limit: int,
        *,
        quiet: bool,
        near: Nearby = NOWHERE,
    ) -> Exchange:
        """Append facts and release their steps; claim up to `limit` steps and append their starts.

        A fact about a step that is claimed anew here is of an attempt that no longer counts, and is
        left out; unless that attempt is the one to be started: then it is the claim that does not
        count.
        """
        database = self._database
        if limit:
            self._clock.observe(database.clock())
        rows = database.claim_steps(worker, templates, limit, near)
        claims = [self._claimed(row) for row in rows]
        claims = [claim for claim in claims if not self._is_outrun(claim, facts)]
        anew = {claim.step_id for claim in claims}
        facts = [fact for fact in facts if fact.originator_id not in anew]
        if not facts and not claims:
            return Exchange([], frozenset())
        starts = [self._started(worker, claim) for claim in claims]
        refused = database.report_outcomes(
            worker,
            (*facts, *starts),
            [fact.originator_id for fact in facts],
            quiet=quiet and limit > 0,
        )
        dated = [
            replace(claim, at=start.occurred_at)
            for claim, start in zip(claims, starts, strict=True)
            if claim.step_id not in refused
        ]
        return Exchange(dated, refused)

    def try_out(self, worker: UUID, fact: StepEvent) -> None:
        """Memory refuses nothing."""

    def _started(self, worker: UUID, claim: Claim) -> StepStarted:
        """The start of a claimed step: now, and never before the last event of its stream."""
        now = self._database.clock()
        template = self._database.templates[claim.template_id]
        return StepStarted.of(
            originator_id=claim.step_id,
            originator_version=claim.version,
            event_id=self._new_id(),
            occurred_at=now if claim.at is None else max(now, claim.at),
            correlation_id=claim.correlation_id,
            task_id=claim.task_id,
            namespace=template.namespace,
            template=template.name,
            step=claim.step,
            attempt=claim.attempt,
            worker=worker,
        )

    def _is_outrun(self, claim: Claim, facts: Sequence[StepEvent]) -> bool:
        step, start = claim.step_id, claim.version
        continued = any(f.originator_id == step and f.originator_version > start for f in facts)
        return continued and self._database.log.version(step) >= start

    def claims_of(self, worker: UUID) -> Sequence[Claim]:
        """The steps that the board believes this worker to run."""
        rows = self._database.queue.values()
        return [self._claimed(row) for row in rows if row.worker_id == worker]

    @property
    def sessions(self) -> int:
        return 0

    def claim_statuses(
        self, worker: UUID, beats: Mapping[UUID, bytes | None]
    ) -> Mapping[UUID, ClaimStatus]:
        """Those of the steps that the worker still holds; notes heartbeats, JSON each, of some."""
        rows = {step: self._database.queue.get(step) for step in beats}
        mine = {step: row for step, row in rows.items() if row and row.worker_id == worker}
        for step, row in mine.items():
            row.details = beats[step] or row.details
        return {step: self._held(row) for step, row in mine.items()}

    def _held(self, row: Queued) -> ClaimStatus:
        """A row of the queue whose step runs; when it was told to stop, where it was."""
        found = held(row)
        last = self._database.log.stream(row.step_id)[-1:]
        return replace(found, at=last[0].occurred_at) if last and row.cancelling else found

    def _claimed(self, row: Queued) -> Claim:
        """A row of the queue, with the time of the last event of its stream."""
        found, last = claimed(row), self._database.log.stream(row.step_id)[-1:]
        return replace(found, at=last[0].occurred_at) if last else found

    def checkpoint(self, worker: UUID, checkpoint: StepCheckpointed) -> ClaimStatus | None:
        """Append it, at whatever version the board knows of; None where the step is another's."""
        row = self._database.queue.get(checkpoint.originator_id)
        if row is None or (row.worker_id, row.attempt) != (worker, checkpoint.attempt):
            return None
        row.version += 1
        last = self._database.log.stream(row.step_id)[-1]
        at = max(checkpoint.occurred_at, last.occurred_at)
        event = checkpoint.model_copy(
            update={"originator_version": row.version + 1, "occurred_at": at}
        )
        if self._database.log.append_per_stream([event]):
            raise AssertionError(f"the board is behind the log: {event}")
        return replace(held(row), at=at)

    def checkpoints(self, steps: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """What was recorded last of each step; steps without a checkpoint are left out."""
        kept = (StepCheckpointed, StepReset)
        found = {
            step: [e for e in self._database.log.stream(step) if isinstance(e, kept)][-1:]
            for step in steps
        }
        return {
            step: event.state
            for step, events in found.items()
            for event in events
            if isinstance(event, StepCheckpointed)
        }

    def elect_isolated(self, worker: UUID, templates: Sequence[UUID]) -> bool:
        """Whether the worker shall take only steps that are to run alone, one at a time."""
        database = self._database
        waiting = any(
            row.exclusive and row.worker_id is None and row.template_id in templates
            for row in database.queue.values()
        )
        now = database.clock()
        other = any(
            one.condition == "isolated" and one.lease_until > now
            for identity, one in database.workers.items()
            if identity != worker
        )
        isolated = waiting and not other
        row = database.workers.get(worker)
        if row is not None and (row.condition == "isolated") is not isolated:
            row.condition = "isolated" if isolated else "ready"
        return isolated

    def set_stuck(self, worker: UUID, *, stuck: bool) -> None:
        """Note for people whether abandoned handlers keep the worker from claiming."""
        if worker in self._database.workers:
            self._database.workers[worker].condition = "stuck" if stuck else "ready"

    def contexts(self, tasks: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """The contexts of tasks."""
        found = {task: self._database.log.stream(task)[:1] for task in tasks}
        return {
            task: created.context
            for task, events in found.items()
            for created in events
            if isinstance(created, TaskCreated)
        }

    def results(self, steps: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """The results of completed steps; the others are left out."""
        return {
            step: event.result
            for step in steps
            for event in self._database.log.stream(step)
            if isinstance(event, (StepCompleted, StepCompletedManually))
        }


def held(row: Queued) -> ClaimStatus:
    """A row of the queue whose step runs."""
    return ClaimStatus(row.version + 1, row.attempt, row.cancelling)


def claimed(row: Queued) -> Claim:
    """A row of the queue, whose stream the start has moved on by one."""
    correlation = row.correlation or str(row.task_id)
    return Claim(
        row.step_id,
        row.task_id,
        row.template_id,
        row.version + 1,
        row.attempt,
        row.step,
        correlation,
        row.resets,
    )
