"""The types a task's context may have, and what is said of one that does not fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from flowledger.engine.domain.handler_protocol import StepCall
from flowledger.engine.errors import InvalidContext, InvalidTemplate
from flowledger.handlers import Workflow


class ReadModel(BaseModel):
    id: int
    day: date


class StrictModel(BaseModel):
    model_config = ConfigDict(strict=True)
    id: int
    day: date


class Child(ReadModel):
    extra: str = "x"


@dataclass
class Data:
    id: int
    day: date


class Typed(TypedDict):
    id: int
    day: date


DAY = date(2024, 5, 6)
JSON = {"id": 7, "day": "2024-05-06"}
CONTEXTS: list[tuple[Any, Any]] = [
    (ReadModel, ReadModel(id=7, day=DAY)),
    (StrictModel, StrictModel(id=7, day=DAY)),
    (Data, Data(7, DAY)),
    (Typed, Typed(id=7, day=DAY)),
    (dict[str, Any], {"id": 7, "day": "2024-05-06"}),
    (ReadModel | None, ReadModel(id=7, day=DAY)),
]
NAMES = ["model", "strict model", "dataclass", "typed dictionary", "dictionary", "union"]


def workflow_of(kind: Any) -> Workflow[Any]:
    return Workflow("a", "b", version="1", context=kind)


def read_by(workflow: Workflow[Any], context: Any) -> Any:
    """The context as a handler without annotation gets it."""
    seen: list[Any] = []

    @workflow.step
    def look(context) -> None:  # type: ignore[no-untyped-def]
        seen.append(context)

    workflow.handlers["look"](
        StepCall(
            task_id=UUID(int=1),
            step_id=UUID(int=2),
            namespace="a",
            template="b",
            version="1",
            step="look",
            attempt=1,
            idempotency_key="k",
            correlation_id="c",
            config={},
            context=context,
            results={},
        )
    )
    return seen[0]


@pytest.mark.parametrize(("kind", "value"), CONTEXTS, ids=NAMES)
def test_a_context_is_stored_as_json_and_read_as_its_type(kind: Any, value: Any) -> None:
    workflow = workflow_of(kind)
    assert workflow.encode_context(value) == JSON
    expected = JSON if kind == dict[str, Any] else value
    assert read_by(workflow, JSON) == expected


@pytest.mark.parametrize("kind", [kind for kind, _ in CONTEXTS], ids=NAMES)
def test_raw_json_is_taken_for_every_type(kind: Any) -> None:
    assert workflow_of(kind).encode_context(dict(JSON)) == JSON


def test_a_mapping_of_python_objects_is_taken_for_a_model() -> None:
    assert workflow_of(ReadModel).encode_context({"id": 7, "day": DAY}) == JSON


def test_aliases_survive_the_way_to_the_handler() -> None:
    class Aliased(BaseModel):
        model_config = ConfigDict(alias_generator=str.upper, extra="forbid")
        id: int

    workflow = workflow_of(Aliased)
    stored = workflow.encode_context(Aliased(ID=3))
    assert stored == {"ID": 3}
    assert read_by(workflow, stored) == Aliased(ID=3)


def test_a_workflow_without_a_context_type_takes_a_dictionary() -> None:
    workflow = Workflow("a", "b", version="1")
    assert workflow.encode_context({"x": [1, None]}) == {"x": [1, None]}
    with pytest.raises(InvalidContext, match="context: should be a mapping, got list"):
        workflow.encode_context([])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (ReadModel, {"id": 7}, "a/b@1: context.day: is missing"),
        (
            ReadModel,
            {"id": "hunter2", "day": DAY},
            "a/b@1: context.id: should be a valid integer, unable to parse string as an integer,"
            " got str",
        ),
        (ReadModel, 3, "a/b@1: context: should be a mapping, got int"),
        (
            Data,
            ReadModel(id=7, day=DAY),
            "a/b@1: context: should be a dictionary or an instance of Data",
        ),
        (dict[str, Any], {"x": DAY}, "a/b@1: context.x: date is not JSON"),
        (dict[str, Any], {"x": math.nan}, "a/b@1: context.x: nan is not JSON"),
        (dict[str, Any], {"x": object()}, "a/b@1: context.x: object is not JSON"),
        (dict[str, Any], {"x": 2**64}, "a/b@1: context.x: an integer of more than 64 bits"),
        (dict[str, float | None], {"x": math.nan}, "a/b@1: context.x: nan is not JSON"),
    ],
)
def test_a_context_that_does_not_fit_names_the_place_and_never_shows_the_value(
    kind: Any, value: Any, message: str
) -> None:
    with pytest.raises(InvalidContext) as error:
        workflow_of(kind).encode_context(value)
    assert str(error.value).startswith(message)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("declared", "annotation"),
    [
        (Child, Child),
        (Child, ReadModel),
        (Child, BaseModel),
        (Child, Any),
        (Child, object),
        (Child, Child | None),
        (Child, ReadModel | int),
        (Typed, dict),
        (Typed, Mapping[str, Any]),
        (dict[str, Any], Mapping[str, Any]),
        (dict[str, Any], dict),
    ],
    ids=str,
)
def test_a_handler_may_annotate_the_context_with_its_type_or_a_supertype(
    declared: Any, annotation: Any
) -> None:
    workflow = workflow_of(declared)

    def look(context: Any) -> None: ...

    look.__annotations__["context"] = annotation
    workflow.step(look)
    assert workflow.handlers["look"].needs_context


@pytest.mark.parametrize(
    ("declared", "annotation"),
    [
        (ReadModel, Child),
        (ReadModel, dict[str, Any]),
        (dict[str, Any], Typed),
        (Typed, ReadModel),
        (ReadModel, int),
    ],
    ids=str,
)
def test_a_handler_may_not_annotate_the_context_with_another_type(
    declared: Any, annotation: Any
) -> None:
    def look(context: Any) -> None: ...

    look.__annotations__["context"] = annotation
    with pytest.raises(InvalidTemplate, match=r"step 'look': parameter 'context' is annotated"):
        workflow_of(declared).step(look)
