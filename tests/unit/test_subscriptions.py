"""What a method of a projection subscribes to is held against what it says that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import pytest

from flowledger.engine.errors import InvalidProjection
from flowledger.engine.events import (
    Event,
    StepCompleted,
    StepEvent,
    StepRequest,
    StepStarted,
    TaskCompleted,
)
from flowledger.engine.events.base import Recorded
from flowledger.engine.events.engine_actions import EngineEvent
from flowledger.engine.events.registry import EVENTS
from flowledger.engine.events.unreadable import UnreadableEvent
from flowledger.projections import Cursor, Projection, on, on_batch
from flowledger.projections.builtin import BUILTIN
from flowledger.projections.projection import subscriptions_of

if TYPE_CHECKING:
    Unknown = StepCompleted

E = TypeVar("E", bound=Event)


class HasResult(Protocol):
    result: Any


class Homemade(Event):
    """It is derived from an event and in no log."""

    topic = "homemade"


def single(annotation: Any, *kinds: Any) -> type[Projection]:
    class Spend(Projection):
        name, version = "money", 1

        def charged(self, event: Any, cursor: Cursor) -> None: ...

        charged.__annotations__["event"] = annotation
        charged = on(*kinds)(charged)

    return Spend


def batched(annotation: Any, *kinds: Any) -> type[Projection]:
    class Spend(Projection):
        name, version = "money", 1

        def charged(self, events: Any, cursor: Cursor) -> None: ...

        charged.__annotations__["events"] = annotation
        charged = on_batch(*kinds)(charged)

    return Spend


@pytest.mark.parametrize(
    ("annotation", "kinds"),
    [
        ("StepCompleted", [StepCompleted]),
        (StepCompleted, [StepCompleted]),
        ("StepEvent", [StepCompleted, StepStarted]),
        ("StepEvent", [StepEvent]),
        ("Event", [StepCompleted, TaskCompleted, EngineEvent]),
        ("StepCompleted | TaskCompleted", [StepCompleted, TaskCompleted]),
        ("StepEvent | None", [StepCompleted]),
        ("Annotated[StepCompleted, 'charged']", [StepCompleted]),
        ("Any", [StepCompleted]),
        ("object", [StepCompleted]),
        ("E", [StepCompleted]),
        ("HasResult", [StepCompleted]),
        ("Unknown", [StepCompleted]),
        ("StepCompleted", [StepCompleted, StepCompleted]),
        ("Event", list(EVENTS.values())),
    ],
)
def test_what_takes_all_its_events_is_declared(annotation: Any, kinds: list[Any]) -> None:
    assert len(subscriptions_of(single(annotation, *kinds))) == 1


@pytest.mark.parametrize(
    ("annotation", "kinds", "given"),
    [
        ("StepCompleted", [StepStarted], "StepStarted"),
        ("StepCompleted", [StepCompleted, StepStarted], "StepStarted"),
        ("StepCompleted", [StepEvent], "StepEvent"),
        ("StepCompleted | TaskCompleted", [StepCompleted, StepStarted], "StepStarted"),
        ("int", [StepCompleted], "StepCompleted"),
        ("None", [StepCompleted], "StepCompleted"),
        ("dict[str, Any]", [StepCompleted], "StepCompleted"),
        ("Recorded", [StepCompleted], "StepCompleted"),
        ("Sequence[StepCompleted]", [StepCompleted], "StepCompleted"),
    ],
)
def test_what_cannot_take_one_of_its_events_is_refused_with_the_place(
    annotation: str, kinds: list[Any], given: str
) -> None:
    place = r"single\.<locals>\.Spend\.charged: parameter 'event' is annotated .*"
    with pytest.raises(InvalidProjection, match=rf"^{place}; @on gives it {given}: expected that"):
        single(annotation, *kinds)


@pytest.mark.parametrize(
    "annotation",
    ["Sequence[Recorded]", "list[Recorded]", "Iterable[Recorded]", "Sequence[Any]", "list", "Any"],
)
def test_a_batch_method_takes_what_was_recorded(annotation: str) -> None:
    assert len(subscriptions_of(batched(annotation, StepCompleted))) == 1


@pytest.mark.parametrize(
    "annotation", ["Sequence[StepCompleted]", "list[int]", "StepCompleted", "Recorded"]
)
def test_a_batch_method_that_takes_something_else_is_refused(annotation: str) -> None:
    said = r"Spend\.charged: parameter 'events' is annotated .*gives it a Sequence\[Recorded\]"
    with pytest.raises(InvalidProjection, match=said):
        batched(annotation, StepCompleted)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (int, "<class 'int'> is no kind of event"),
        ("StepCompleted", "'StepCompleted' is no kind of event"),
        (None, "None is no kind of event"),
        (Recorded, "is no kind of event"),
        (UnreadableEvent, "UnreadableEvent is no event that the log holds"),
        (Homemade, "Homemade is no event that the log holds"),
    ],
)
@pytest.mark.parametrize("declare", [single, batched])
def test_what_never_comes_is_refused_with_the_place(declare: Any, kind: Any, sentence: str) -> None:
    with pytest.raises(InvalidProjection, match=rf"Spend\.charged: .*{sentence}"):
        declare("Any", StepCompleted, kind)


def test_each_of_several_subscriptions_is_held_to_it() -> None:
    with pytest.raises(InvalidProjection, match="gives it StepStarted"):

        class Spend(Projection):
            name, version = "money", 1

            @on(StepStarted)
            @on(StepCompleted)
            def charged(self, event: StepCompleted, cursor: Cursor) -> None: ...


def test_the_read_models_of_the_engine_are_declared() -> None:
    assert all(subscriptions_of(kind) for kind in BUILTIN)


_ = (Annotated, Iterable, Sequence)  # named in annotations above


@pytest.mark.parametrize("effect", ["no", None, 1])
def test_an_effect_is_one_or_none(effect: Any) -> None:
    with pytest.raises(InvalidProjection, match="charged: effect should be True or False, got"):

        @on(StepCompleted, effect=effect)
        def charged(self: Any, event: StepCompleted, cursor: Cursor) -> None: ...


def test_what_happens_to_steps_and_what_is_asked_of_them_are_two_kinds() -> None:
    """Together they are all events whose topic is of a step."""
    both = {kind for kind in EVENTS.values() if issubclass(kind, StepEvent | StepRequest)}

    assert both == {kind for topic, kind in EVENTS.items() if topic.startswith("step.")}
    assert not issubclass(StepRequest, StepEvent)
