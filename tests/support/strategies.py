"""Random templates, and what a run knows, for machines that play whole tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.events.base import TaskEvent
from support.builders import NOON, step, template

RETRIES = st.builds(
    Retry,
    max_attempts=st.integers(0, 3),
    backoff=st.sampled_from(["none", "fixed", "exponential", "fibonacci"]),
    jitter=st.sampled_from(["none", "full"]),
)
SECONDS = st.none() | st.floats(0.5, 100)
TIMES = st.none() | st.sampled_from([NOON, NOON + timedelta(seconds=10)])
DEADLINES = st.none() | st.sampled_from([NOON + timedelta(seconds=s) for s in (20, 1_000_000)])


@st.composite
def templates(draw: st.DrawFn) -> Template:
    """A DAG of one to eight steps; a step depends on steps before it."""
    steps = []
    for number in range(draw(st.integers(1, 8))):
        earlier = [str(n) for n in range(number)]
        parents = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        fields = {
            "retry": draw(RETRIES),
            "timeout_seconds": draw(SECONDS),
            "start_timeout_seconds": draw(SECONDS),
            "when_skipped": draw(st.sampled_from(["continue", "stop"])),
        }
        steps.append(step(str(number), *parents, **fields))
    return template(
        *draw(st.permutations(steps)), on_failure=draw(st.sampled_from(["fail", "block"]))
    )


class Curious(TaskRun):
    """A run that always asks, so that `decide` looks at everything."""

    __slots__ = ()
    asks = True  # type: ignore[assignment]


def slots(run: TaskRun) -> dict[str, Any]:
    """Everything that a run knows from its events: what is held is ready, and only remembered."""
    known = {name: getattr(run, name) for name in TaskRun.__slots__ if name != "waiting"}
    pending = {n for n in run.waiting if run.steps[n].state is StepState.PENDING}
    return {**known, "ready": run.ready | pending}


def interleaved(events: Sequence[TaskEvent], random: Any) -> list[TaskEvent]:
    """The same events in another order, in which every stream keeps its own."""
    streams: dict[UUID, list[TaskEvent]] = {}
    for event in events:
        streams.setdefault(event.originator_id, []).append(event)
    order = [event.originator_id for event in events]
    random.shuffle(order)
    return [streams[stream].pop(0) for stream in order]
