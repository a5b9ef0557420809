"""Lists every event with its fields, for docs/events.md: `python docs/list_events.py`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

import orjson
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flowledger.engine.events.base import Event, StepEvent, TaskEvent
from flowledger.engine.events.registry import DECISION_TOPICS, EVENTS, FACT_TOPICS

PAGE = Path(__file__).parent / "events.md"
SHARED = (Event, TaskEvent, StepEvent)
NAMES = {
    Any: "any JSON", str: "text", int: "integer", float: "number", bool: "true or false",
    UUID: "id", datetime: "time", tuple: "list", dict: "object", type(None): "null",
}  # fmt: skip
BEGINNING = """\
# Events

Made from the code by `python docs/list_events.py`. Every change is one of these events, appended to
the log and never changed. A *topic* names an event in the log and in SQL (`type` of
`flowledger_v1.events`); its class is what Python is given, and `type` in `history --json`. Payloads
are JSON: times are texts in ISO 8601, UTC, ids are texts. Which part of the engine appends what,
and together with which rows, says [how it works](architecture.md#who-appends-what).

Facts are what happened (to a worker, by a person); decisions are what a coordinator makes of them;
the others tell of definitions, circuits, notes and of what people do to the engine itself.
"""


def shown(annotation: Any) -> str:
    """A type as a reader of JSON takes it."""
    kind, inner = get_origin(annotation), get_args(annotation)
    if kind in {Union, UnionType}:
        return " or ".join(map(shown, inner))
    if kind is dict:
        return NAMES[dict]
    if kind is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if inner:
        parts = ", ".join(shown(one) for one in inner if one is not Ellipsis)
        return f"{NAMES.get(kind, str(kind))} of {parts}"
    return NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def json(value: object) -> str:
    """A default as JSON."""
    return orjson.dumps(value).decode()


def default_of(field: FieldInfo) -> str:
    """What is taken where the field is not there."""
    return "" if field.is_required() else f"`{json(field.get_default(call_default_factory=True))}`"


def rows(kind: type[BaseModel], known: frozenset[str]) -> Iterator[str]:
    """A table of the fields that are not known by then; nothing where there is none."""
    own = {name: field for name, field in kind.model_fields.items() if name not in known}
    if not own:
        return
    yield from ("| field | type | without it |", "| --- | --- | --- |")
    for name, field in own.items():
        yield f"| `{name}` | {shown(field.annotation)} | {default_of(field)} |"
    yield ""


def parts(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is made of."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from parts(inner)


def sentence(kind: type[BaseModel]) -> str:
    """The class's own docstring, as one paragraph."""
    return " ".join((inspect.getdoc(kind) or "").split())


def standing(topic: str) -> str:
    """Whether it is a fact, a decision, or neither."""
    if topic in FACT_TOPICS:
        return ", a fact"
    return ", a decision" if topic in DECISION_TOPICS else ""


def section(kind: type[Event]) -> Iterator[str]:
    """One event."""
    base = next(shared for shared in reversed(SHARED) if issubclass(kind, shared))
    yield from (f"### {kind.topic}", "")
    yield f"`{kind.__name__}`{standing(kind.topic)}, {FIELDS[base]}. {sentence(kind)}"
    yield ""
    yield from rows(kind, frozenset(base.model_fields))


FIELDS = {
    Event: "with the fields of every event",
    TaskEvent: "of a task",
    StepEvent: "of a step",
}


def page() -> str:
    """The whole page."""
    lines = [BEGINNING, "## What all of them carry", ""]
    known = frozenset[str]()
    for shared in SHARED:
        lines += [f"`{shared.__name__}`: {sentence(shared)}", "", *rows(shared, known)]
        known |= shared.model_fields.keys()
    inner: dict[str, type[BaseModel]] = {}
    for family in dict.fromkeys(topic.partition(".")[0] for topic in EVENTS):
        lines += [f"## {family}", ""]
        for topic, kind in EVENTS.items():
            if topic.partition(".")[0] == family:
                lines += section(kind)
                for field in kind.model_fields.values():
                    inner |= {part.__name__: part for part in parts(field.annotation)}
    lines += ["## Parts of payloads", ""]
    for name, part in sorted(inner.items()):
        lines += [f"### {name}", "", sentence(part), "", *rows(part, frozenset())]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
