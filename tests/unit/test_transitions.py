"""The two life cycles: what is in the tables happens, what is not is refused in so many words."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from flowledger.engine.domain.machine.transitions import (
    STEP_ENDS,
    STEP_TRANSITIONS,
    TASK_ENDS,
    TASK_TRANSITIONS,
    StepState,
    TaskState,
    next_step_state,
    next_task_state,
)
from flowledger.engine.errors import IllegalTransition
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.registry import EVENTS
from flowledger.engine.events.requests import ANSWERS, REQUESTS
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCancelled,
    StepCompletedManually,
    StepFailed,
    StepLeaseExpired,
    StepReset,
    StepResolvedManually,
    StepRetryScheduled,
    StepSkipped,
    StepStarted,
    StepTimedOut,
)
from flowledger.engine.events.task import (
    TaskBlocked,
    TaskCreated,
    TaskFailed,
    TaskReopened,
    TaskResolvedManually,
    TaskTimedOut,
)
from support.builders import TASK, WORKER, error, event

STEP_EVENTS = [kind for kind in EVENTS.values() if issubclass(kind, StepEvent)]
TASK_EVENTS = [
    kind
    for kind in EVENTS.values()
    if issubclass(kind, TaskEvent) and not issubclass(kind, (StepEvent, *REQUESTS, *ANSWERS))
]
FIELDS: dict[type[TaskEvent], dict[str, Any]] = {
    StepStarted: {"worker": WORKER},
    StepLeaseExpired: {"worker": WORKER},
    StepAttemptFailed: {"error": error()},
    StepTimedOut: {"timeout_seconds": 1.0},
    StepRetryScheduled: {"due_at": "2026-01-01T13:00:00Z"},
    StepFailed: {"reason": "permanent", "message": "no"},
    TaskCreated: {"version": "1", "definition_hash": "v1:x", "template_id": TASK},
    TaskFailed: {"failed_steps": ("a",)},
    TaskBlocked: {"failed_steps": ("a",)},
    TaskTimedOut: {"deadline_at": "2026-01-01T13:00:00Z"},
}


def made(kind: type[TaskEvent]) -> Any:
    fields = FIELDS.get(kind, {})
    return event(kind, step="a", **fields) if issubclass(kind, StepEvent) else event(kind, **fields)


def named(pair: tuple[Any, type[TaskEvent]]) -> str:
    return f"{pair[0]}-{pair[1].__name__}"


@pytest.mark.parametrize("pair", STEP_TRANSITIONS, ids=named)
def test_a_step_moves_as_its_table_says(pair: tuple[StepState, type[StepEvent]]) -> None:
    assert next_step_state(pair[0], made(pair[1])) is STEP_TRANSITIONS[pair]


@pytest.mark.parametrize("pair", TASK_TRANSITIONS, ids=named)
def test_a_task_moves_as_its_table_says(pair: tuple[TaskState, type[TaskEvent]]) -> None:
    assert next_task_state(pair[0], made(pair[1])) is TASK_TRANSITIONS[pair]


@pytest.mark.parametrize(
    "pair", [p for p in product(StepState, STEP_EVENTS) if p not in STEP_TRANSITIONS], ids=named
)
def test_what_is_not_in_the_table_cannot_happen_to_a_step(
    pair: tuple[StepState, type[StepEvent]],
) -> None:
    state, kind = pair
    allowed = tuple(event.__name__ for source, event in STEP_TRANSITIONS if source is state)

    with pytest.raises(IllegalTransition) as caught:
        next_step_state(state, made(kind))

    refusal = caught.value
    assert (refusal.state, refusal.event, refusal.allowed) == (state, kind.__name__, allowed)
    assert str(refusal) == (
        f"step 'a' of task {TASK} is {state}: {kind.__name__} is not allowed,"
        f" only {', '.join(allowed) or 'nothing'}"
    )


@pytest.mark.parametrize(
    "pair", [p for p in product(TaskState, TASK_EVENTS) if p not in TASK_TRANSITIONS], ids=named
)
def test_what_is_not_in_the_table_cannot_happen_to_a_task(
    pair: tuple[TaskState, type[TaskEvent]],
) -> None:
    state, kind = pair
    allowed = tuple(event.__name__ for source, event in TASK_TRANSITIONS if source is state)

    with pytest.raises(IllegalTransition) as caught:
        next_task_state(state, made(kind))

    refusal = caught.value
    assert (refusal.state, refusal.event, refusal.allowed) == (state, kind.__name__, allowed)
    assert str(refusal) == (
        f"task {TASK} is {state}: {kind.__name__} is not allowed,"
        f" only {', '.join(allowed) or 'nothing'}"
    )


def test_a_step_can_come_into_every_state() -> None:
    assert reached(STEP_TRANSITIONS, StepState.PENDING) == set(StepState)


def test_a_task_can_come_into_every_state() -> None:
    assert reached(TASK_TRANSITIONS, TaskState.SUBMITTED) == set(TaskState)


def test_every_event_can_happen_in_some_state() -> None:
    assert {kind for _, kind in STEP_TRANSITIONS} == set(STEP_EVENTS)
    assert {kind for _, kind in TASK_TRANSITIONS} == set(TASK_EVENTS)


def test_what_has_ended_is_left_by_an_operators_word_alone() -> None:
    by_operators = {
        (StepState.ERROR, StepReset),
        (StepState.ERROR, StepCancelled),
        (StepState.ERROR, StepSkipped),
        (StepState.ERROR, StepResolvedManually),
        (StepState.ERROR, StepCompletedManually),
        (StepState.CANCELLED, StepReset),
        (TaskState.ERROR, TaskReopened),
        (TaskState.ERROR, TaskResolvedManually),
    }

    assert {pair for pair in STEP_TRANSITIONS if pair[0] in STEP_ENDS} <= by_operators
    assert {pair for pair in TASK_TRANSITIONS if pair[0] in TASK_ENDS} <= by_operators
    assert {p for p in (*STEP_TRANSITIONS, *TASK_TRANSITIONS) if p in by_operators} == by_operators


def test_no_end_is_forgotten() -> None:
    left = {source for source, _ in STEP_TRANSITIONS}
    assert set(StepState) - left < STEP_ENDS

    left_tasks = {source for source, _ in TASK_TRANSITIONS}
    assert set(TaskState) - left_tasks < TASK_ENDS


def reached(transitions: Any, first: Any) -> set[Any]:
    found = {first}
    while more := {to for (source, _), to in transitions.items() if source in found} - found:
        found |= more
    return found
