"""The engine for event loops has every verb of the other one, with the same arguments."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from flowledger.engine.client.async_engine import AsyncEngine
from flowledger.engine.client.async_handles import AsyncStepHandle, AsyncTaskHandle
from flowledger.engine.client.async_projections import AsyncProjections
from flowledger.engine.client.async_verification import AsyncVerification
from flowledger.engine.client.engine import Engine
from flowledger.engine.client.projections import Projections
from flowledger.engine.client.task import StepHandle, TaskHandle
from flowledger.engine.client.verification import Verification

TWINS = [
    (Engine, AsyncEngine),
    (TaskHandle, AsyncTaskHandle),
    (StepHandle, AsyncStepHandle),
    (Projections, AsyncProjections),
    (Verification, AsyncVerification),
]
MACHINERY: set[object] = {
    TaskHandle.end_state,
    TaskHandle.on_end,
    TaskHandle.taken_on,
    TaskHandle.answer_seconds,
    Projections.moved,
    Projections.tell_refusals,
    Projections.wanted,
    Projections.reached,
    Projections.behind,
    Projections.rebuild_state,
    Projections.look_seconds,
    Verification.look,
}
"""What the twins themselves are made of."""

BOTH = [
    pytest.param(one, other, name, id=f"{one.__name__}.{name}")
    for one, other in TWINS
    for name, member in vars(one).items()
    if not name.startswith("_") and member not in MACHINERY
]


def arguments(verb: Any) -> list[tuple[str, Any, Any, Any]]:
    """Names, kinds, defaults and types."""
    return [
        (each.name, each.kind, each.default, each.annotation)
        for each in inspect.signature(verb).parameters.values()
    ]


@pytest.mark.parametrize(("one", "other", "name"), BOTH)
def test_every_verb_has_its_twin_with_the_same_arguments(one: type, other: type, name: str) -> None:
    ours, theirs = inspect.getattr_static(one, name), inspect.getattr_static(other, name, None)

    assert theirs is not None, f"{other.__name__} has no {name}"
    if isinstance(ours, property):
        # What asks nobody is a property of both; what asks the database is to be awaited.
        assert isinstance(theirs, property) or len(arguments(theirs)) == 1
        return
    if isinstance(ours, classmethod):
        ours, theirs = ours.__func__, theirs.__func__
    assert arguments(ours) == arguments(theirs)


@pytest.mark.parametrize(("one", "other"), TWINS, ids=lambda kind: kind.__name__)
def test_neither_has_attributes_or_verbs_that_the_other_has_not(one: type, other: type) -> None:
    named = {name for name in vars(one) if not name.startswith("_")} | attributes(one)
    theirs = {name for name in vars(other) if not name.startswith("_")} | attributes(other)
    machinery = {name for name in named if vars(one).get(name) in MACHINERY}

    assert theirs == named - machinery


def attributes(kind: type) -> set[str]:
    """What is set on each object that is public."""
    source = inspect.getsource(kind.__init__)
    found = {
        part.partition(" ")[0].partition(":")[0].partition("=")[0].strip()
        for part in source.split("self.")[1:]
    }
    return {name for name in found if name.isidentifier() and not name.startswith("_")}
