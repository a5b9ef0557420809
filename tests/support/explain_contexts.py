"""Scenes for explanations: a task told in memory, and what stands around it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flowledger.engine.domain.explain.context import ExplainContext, index_history
from flowledger.engine.domain.explain.live_state import (
    LiveState,
    QueueStatus,
    ShardStatus,
    WorkerStatus,
)
from flowledger.engine.domain.limits.admission import AdmissionRules
from flowledger.engine.domain.limits.circuit_breaker import CircuitRules
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.events.base import Event, Placed
from support.builders import NOON, WORKER, Story, step, template

RULES = AdmissionRules(
    namespaces={},
    circuit=CircuitRules(5, 30.0, 600.0, 1, frozenset({"network"})),
    priority_ageing_seconds=60.0,
    weights={},
)
LEADER = UUID(int=7)
FAR = NOON + timedelta(days=1)
LATER = Retry(max_attempts=3, backoff="fixed", base_seconds=90, cap_seconds=90, jitter="none")


def shard(**changed: Any) -> ShardStatus:
    """A shard that somebody leads, and that has come to the end of the log."""
    values = {
        "shard": 0,
        "position": 1_000,
        "leader": LEADER,
        "host": "here",
        "pid": 1,
        "lease_until": FAR,
        "head": 1_000,
    }
    return ShardStatus(**{**values, **changed})


def worker(**changed: Any) -> WorkerStatus:
    """A worker that serves the template and has room."""
    values = {
        "worker": WORKER,
        "host": "there",
        "pid": 2,
        "seen_at": NOON,
        "lease_until": FAR,
        "condition": "ready",
        "serves": True,
        "concurrency": 8,
        "running": 0,
    }
    return WorkerStatus(**{**values, **changed})


def in_queue(step: str, **changed: Any) -> QueueStatus:
    """A step that nobody has claimed yet."""
    return QueueStatus(**{"step": step, "exclusive": False, "before": 0, **changed})


def in_hand(step: str, **changed: Any) -> QueueStatus:
    """A step that a worker runs."""
    values = {
        "worker": WORKER,
        "host": "there",
        "pid": 2,
        "seen_at": NOON,
        "lease_until": FAR,
        "before": None,
    }
    return in_queue(step, **{**values, **changed})


def around(told: Story, now: datetime, **changed: Any) -> LiveState:
    """Surroundings in which everything is as it should be, but for what is given."""
    queue: dict[str, QueueStatus] = {}
    for planned, state in zip(told.plan.steps, told.run.steps, strict=True):
        if state.state is StepState.ENQUEUED:
            queue[planned.name] = in_queue(planned.name)
        elif state.state is StepState.IN_PROGRESS:
            queue[planned.name] = in_hand(planned.name)
    values = {"now": now, "shard": shard(), "queue": queue, "workers": (worker(),)}
    return LiveState(**{**values, **changed})


def scene(
    told: Story,
    *,
    after: float = 0.0,
    log_only: bool = False,
    elsewhere: Mapping[UUID, Placed[Event]] | None = None,
    **beside: Any,
) -> ExplainContext:
    """The task so many seconds later; its events have the positions 1, 2, …"""
    now = told.now + timedelta(seconds=after)
    return ExplainContext(
        run=told.run,
        index=index_history(list(enumerate(told.log, start=1))),
        now=now,
        rules=RULES,
        live=None if log_only else around(told, now, **beside),
        related_events=elsewhere or {},
    )


def chain(**fields: Any) -> Story:
    """A task of three steps in a row, of which the first is tried anew after 90 seconds."""
    told = Story(template(step("a", retry=LATER), step("b", "a"), step("c", "b")), **fields)
    told.decided()
    return told
