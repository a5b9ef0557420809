"""Events: frozen, named by topic, complete."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from flowledger.engine.events.base import Event, StepEvent, TaskEvent
from flowledger.engine.events.circuit import CIRCUITS, CircuitEvent
from flowledger.engine.events.engine_actions import (
    ENGINE_EVENTS,
    EngineAction,
    EngineEvent,
    ProjectionAction,
    ProjectionEventsAction,
)
from flowledger.engine.events.notes import NOTES, TaskNote
from flowledger.engine.events.registry import DECISION_TOPICS, DECISIONS, EVENTS, FACT_TOPICS, FACTS
from flowledger.engine.events.requests import ANSWERS, REQUESTS, StepRequest, TaskRequest
from flowledger.engine.events.step import StepEnqueued, StepStarted
from flowledger.engine.events.task import TaskStarted
from flowledger.engine.events.template import TemplateRegistered
from flowledger.engine.events.unreadable import UnreadableEvent
from support.builders import event

ENGINE = {EngineEvent, EngineAction, ProjectionAction, ProjectionEventsAction}
ABSTRACT = {Event, TaskEvent, StepEvent, TaskRequest, StepRequest, CircuitEvent, TaskNote, *ENGINE}


def descendants(kind: type[Event]) -> set[type[Event]]:
    return {kind}.union(*(descendants(child) for child in kind.__subclasses__()))


def test_every_event_class_is_known_by_its_topic() -> None:
    package = "flowledger.engine.events"
    defined = {
        kind
        for kind in descendants(Event) - ABSTRACT - {UnreadableEvent}
        if kind.__module__.startswith(package)
    }

    assert set(EVENTS.values()) == defined


@pytest.mark.parametrize(("topic", "kind"), EVENTS.items(), ids=EVENTS)
def test_a_topic_is_the_name_of_the_event_and_no_import_path(topic: str, kind: type[Event]) -> None:
    words = re.findall("[A-Z][a-z]+", kind.__name__)

    assert topic == f"{words[0]}.{'_'.join(words[1:])}".lower()


def test_a_task_event_is_either_a_fact_or_a_decision() -> None:
    assert not set(FACTS) & set(DECISIONS)
    others = {*CIRCUITS, *NOTES, *ENGINE_EVENTS, TemplateRegistered}
    assert {*FACTS, *DECISIONS} | others == set(EVENTS.values())
    assert not {*FACTS, *DECISIONS} & others
    assert set(FACT_TOPICS) == {kind.topic for kind in FACTS}
    assert set(DECISION_TOPICS) == {kind.topic for kind in DECISIONS}


def test_a_request_is_a_fact_and_its_answer_a_decision() -> None:
    assert set(REQUESTS) == descendants(TaskRequest) - ABSTRACT
    assert set(REQUESTS) < set(FACTS)
    assert set(ANSWERS) < set(DECISIONS)


@pytest.mark.parametrize("missing", ["actor", "reason"])
@pytest.mark.parametrize("kind", REQUESTS, ids=[kind.topic for kind in REQUESTS])
def test_a_request_says_who_asks_and_why(kind: type[TaskRequest], missing: str) -> None:
    step = {"step": "a"} if issubclass(kind, StepRequest) else {}

    with pytest.raises(ValidationError, match=missing):
        event(kind, **step, **{missing: ""})
    with pytest.raises(ValidationError, match="actor"):
        event(kind, **step, actor=None)


def test_a_note_is_no_part_of_what_a_task_is_folded_from() -> None:
    assert set(NOTES) == descendants(TaskNote) - ABSTRACT
    assert not [kind for kind in NOTES if issubclass(kind, TaskEvent)]


@pytest.mark.parametrize("kind", NOTES, ids=[kind.topic for kind in NOTES])
def test_a_note_says_whose_it_is(kind: type[TaskNote]) -> None:
    assert {"task_id", "namespace", "template"} <= kind.model_fields.keys()
    assert kind.model_fields["actor"].is_required()


def test_an_event_cannot_be_changed() -> None:
    started = event(TaskStarted)

    with pytest.raises(ValidationError, match="frozen"):
        started.actor = "someone"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "place"),
    [
        pytest.param({"note": "x"}, "note", id="a field that is not known"),
        pytest.param({"originator_version": 0}, "originator_version", id="a version below 1"),
        pytest.param({"event_id": "x"}, "event_id", id="an id that is no UUID"),
        pytest.param({"attempt": -1}, "attempt", id="an attempt below 0"),
        pytest.param({"step": None}, "step", id="no step"),
    ],
)
def test_an_event_refuses(data: dict[str, Any], place: str) -> None:
    fields = {**event(StepEnqueued, step="a").model_dump(), **data}

    with pytest.raises(ValidationError, match=place):
        StepEnqueued.model_validate(fields)


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_every_event_says_when_why_and_of_what_it_tells(kind: type[Event]) -> None:
    carried = {"event_id", "occurred_at", "correlation_id", "causation_id", "actor"}
    of_a_task = {"task_id", "namespace", "template"}

    assert carried | {"schema_version"} <= kind.model_fields.keys()
    assert not issubclass(kind, TaskEvent) or of_a_task <= kind.model_fields.keys()
    assert not issubclass(kind, StepEvent) or {"step", "attempt"} <= kind.model_fields.keys()


def test_a_start_names_the_worker() -> None:
    with pytest.raises(ValidationError, match="worker"):
        event(StepStarted, step="a")
