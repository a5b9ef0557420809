"""Every event that there is has words of its own, and says who wrote it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flowledger.engine import events as asked
from flowledger.engine import events as happened
from flowledger.engine.display_text import duration, some_of
from flowledger.engine.domain.event_text import actor_of, describe, stream_of
from flowledger.engine.events.base import Event
from flowledger.engine.events.registry import EVENTS
from flowledger.engine.events.requests import REQUESTS
from support.builders import NOON, TASK, WORKER, error, event

VALUES: dict[str, Any] = {
    "originator_id": TASK,
    "originator_version": 3,
    "event_id": TASK,
    "occurred_at": NOON,
    "correlation_id": "c",
    "task_id": TASK,
    "namespace": "shop",
    "template": "order",
    "version": "1",
    "definition_hash": "h",
    "definition": {},
    "template_id": TASK,
    "context": {"id": 7},
    "failed_steps": ("a", "b"),
    "step": "a",
    "attempt": 2,
    "result": {"x": 1},
    "state": [1],
    "worker": WORKER,
    "due_at": NOON + timedelta(seconds=90),
    "until": NOON + timedelta(seconds=90),
    "start_at": NOON + timedelta(hours=1),
    "deadline_at": NOON + timedelta(hours=2),
    "timeout_seconds": 2.0,
    "reason": "ticket\n7",
    "message": "no such step",
    "actor": "ada",
    "error": error(message="no"),
    "request": TASK,
    "system": "bank",
    "failures": 5,
    "kind": "comment",
    "value": "late",
    "tags": ("urgent", "vip"),
    "changes": ("task: priority is 3 in the row", "and so on"),
    "projection": "spend",
    "generation": 2,
    "position": 1234,
    "failure": "ValueError: eve is broken",
    "rebuild": 7,
    "task": TASK,
    "cancelled": 1,
    "events": 3,
    "tasks": (TASK,),
    "before": 1,
    "shards": 4,
    "by_seconds": 60.0,
    "ahead_seconds": 3600.0,
    "role": "flowledger_reader",
    "release": "1.2",
    "files": ("a.sql", "b.sql"),
}


def sample(kind: type[Event]) -> Event:
    """An event with a value in each field."""
    values = {name: VALUES[name] for name in kind.model_fields if name in VALUES}
    if kind is happened.StepFailed:
        values["reason"] = "start_timeout"
    return kind.model_validate(values)


@pytest.mark.parametrize("topic", EVENTS)
def test_every_event_has_a_sentence_of_its_own(topic: str) -> None:
    told = sample(EVENTS[topic])
    said = describe(told)

    assert type(told).__name__ not in said
    assert "\n" not in said
    assert "{" not in said.replace('{"id": 7}', "").replace('{"x": 1}', "")
    others = [describe(sample(kind)) for kind in EVENTS.values() if kind is not type(told)]
    task_and_step_alike = said.split(":")[0] in {"cancelled", "resolved by hand"}
    assert said not in others or task_and_step_alike


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_says_why_and_who(kind: type[asked.TaskRequest]) -> None:
    told = sample(kind)

    assert describe(told).startswith("asked to ")
    assert describe(told).endswith(": ticket 7")
    assert actor_of(told) == "ada"
    assert stream_of(told) == "request"
    assert (" step a" in describe(told)) is issubclass(kind, asked.StepRequest)


SENTENCES = {
    "a submission with times": (
        happened.TaskCreated,
        'submitted with {"id": 7}, to start at 2026-01-01 13:00:00 UTC,'
        " to end by 2026-01-01 14:00:00 UTC",
    ),
    "waiting": (happened.TaskWaiting, "waits for 1 min 30 s"),
    "blocked": (happened.TaskBlocked, "blocked, as these ended in error: a, b"),
    "past its deadline": (
        happened.TaskTimedOut,
        "had not ended by its deadline, 2026-01-01 14:00:00 UTC",
    ),
    "cancelled": (happened.TaskCancelled, "cancelled: ticket 7"),
    "done elsewhere": (happened.StepCompletedManually, 'completed by hand with {"x": 1}: ticket 7'),
    "not started": (happened.StepFailed, "given up (start timeout): no such step"),
    "a checkpoint": (happened.StepCheckpointed, "got as far as [1]"),
    "refused": (asked.RequestRefused, "request refused: no such step"),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_what_happened_is_said_in_words(case: str) -> None:
    kind, said = SENTENCES[case]

    assert describe(sample(kind)) == said


def test_who_waits_without_a_time_waits_for_room() -> None:
    assert describe(event(happened.TaskWaiting)) == "waits for room, or for an operator"


def test_the_coordinator_answers_and_the_operator_is_the_author_of_what_follows() -> None:
    assert actor_of(sample(asked.RequestGranted)) == "coordinator"
    assert actor_of(sample(happened.TaskCancelled)) == "ada"
    assert actor_of(event(happened.TaskCancelled)) == "coordinator"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.0415, "0.0415 s"),
        (1.5, "1.5 s"),
        (59.9, "59.9 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3605, "1 h"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
        (-90, "1 min 30 s"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, said: str) -> None:
    assert duration(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (list("abcd"), "a, b, c and d"),
        (list("abcde"), "a, b, c and 2 more"),
    ],
)
def test_some_names_are_listed_and_the_others_counted(names: list[str], said: str) -> None:
    assert some_of(names) == said
