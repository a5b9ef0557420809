"""Events that only somebody who forges them would append: no read model of the engine's stops."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import cycle
from typing import Any, get_args
from uuid import UUID

import pytest

from flowledger.engine.errors import LogCorrupt
from flowledger.engine.events.base import Event
from flowledger.engine.events.registry import EVENTS
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.projections.builtin import BUILTIN
from support.builders import NOON
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import WORD, ProjectionHosts
from support.spend_projection import orders
from support.sql_calls import Row, columns, new_id

MODELS = [kind.name for kind in BUILTIN]
LAST, FIRST = "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"
LONG = "".join(sha256(bytes([number])).hexdigest() for number in range(200))
"""More than a row of an index holds, however it is compressed."""

TEXTS = ["\0", "a\0b", LONG, "\U0010ffff" * 9, "", "'; drop table x; --", "{}", "\\u0000"]
NUMBERS = [10**18, -(2**63), 2**63 - 1, 2**31, 10**30, -1, 1e300]
TIMES = [LAST, FIRST, "9999-12-31T23:59:59.999999-14:00", "0001-01-01T00:00:00+14:00"]
JSONS = [{"a\0": "\0"}, 1e308, 2**63, [["\0"]], {"steps": [7]}, LONG, None]
OBJECTS = [
    {"steps": 7},
    {"steps": [7, "a", None]},
    {"steps": {"a": 1}},
    {"steps": [{"system": "bank"}]},
    {"steps": [{"name": "\0", "system": "\0"}]},
    {"steps": [{"name": ["a"], "system": {"a": 1}}]},
    {"steps": [{"name": LONG, "system": LONG}]},
]
ERROR = {"error_class": "E", "message": "m", "category": "unknown", "retryable": True}
ERRORS = [ERROR | {part: text} for text in TEXTS for part in ("error_class", "message")]
ODD: dict[object, list[Any]] = {"text": TEXTS, "number": NUMBERS, "time": TIMES, "json": JSONS}


SORTS = {
    "datetime": "time",
    "tuple[str": "texts",
    "tuple[uuid": "ids",
    "StepError": "error",
    "UUID": "id",
    "Literal": "literal",
    "bool": "truth",
    "dict": "object",
    "Any": "json",
    "int": "number",
    "float": "number",
}
"""What a field is, by the first of these that its annotation names; text where it names none."""


def sort_of(annotation: object) -> str:
    said = str(annotation)
    return next((sort for part, sort in SORTS.items() if part in said), "text")


def odd(sort: str) -> list[Any]:
    if sort == "texts":
        return [[text] for text in TEXTS]
    if sort in {"error", "object"}:
        return ERRORS if sort == "error" else OBJECTS
    return ODD.get(sort, [])


def plain(annotation: object) -> Any:
    """A value that the field may have."""
    return {
        "time": NOON.isoformat(),
        "texts": ["a"],
        "ids": [str(new_id())],
        "error": ERROR,
        "id": str(new_id()),
        "literal": next((one for one in get_args(annotation) if one is not None), None),
        "truth": True,
        "object": {"steps": []},
        "json": 1,
        "number": 1,
    }.get(sort_of(annotation), "a")


def payload(kind: type[Event], task: UUID, /, **changed: Any) -> bytes:
    """An event as somebody may have written it, without what are columns."""
    fields = {
        name: plain(field.annotation)
        for name, field in kind.model_fields.items()
        if name not in {"originator_id", "originator_version", "schema_version", "task_id"}
        and field.is_required()
    }
    fields["correlation_id"] = str(task)
    return json.dumps(fields | changed).encode()


def forged(kind: type[Event], /, **changed: Any) -> Row:
    task = new_id()
    of_task = task if "task_id" in kind.model_fields else None
    return Row(task, 1, kind.topic, payload(kind, task, **changed), of_task)


def forgeries() -> Iterator[Row]:
    """For each field of each kind of event one after another of the values of its sort."""
    turns = {sort: cycle(odd(sort)) for sort in ("text", "number", "time", "json", "texts")}
    turns |= {sort: cycle(odd(sort)) for sort in ("error", "object")}
    for _, kind in sorted(EVENTS.items()):
        for name, field in kind.model_fields.items():
            sort = sort_of(field.annotation)
            if sort in turns and name not in {"originator_version", "schema_version"}:
                for _ in range(2):
                    yield forged(kind, **{name: next(turns[sort])})


def accepted(rows: Iterable[Row]) -> list[Row]:
    """Those that are read as events: the others are put aside as what cannot be read."""
    mapper, found = EventMapper(), []
    for row in rows:
        try:
            mapper.event(row.stream, row.version, row.topic, row.state, row.task)
        except LogCorrupt:
            continue
        found.append(row)
    return found


def append(harness: EngineHarness, rows: Sequence[Row]) -> None:
    query = "select flowledger.append_events(%s, %s, %s, %s, %s, %s)"
    for begins in range(0, len(rows), 50):
        harness.rows(query, *columns(rows[begins : begins + 50]))


CREATED, TAGGED = EVENTS["task.created"], EVENTS["task.tagged"]
SEEN = {
    "the last microsecond": forged(CREATED, occurred_at=LAST),
    "the last time of all": forged(CREATED, occurred_at="9999-12-31T00:00:00Z"),
    "a time without a zone": forged(CREATED, occurred_at="2026-03-01T12:00:00"),
    "a priority beyond bigint": forged(CREATED, priority=10**30),
    "a priority beyond integer": forged(CREATED, priority=10**18),
    "the least priority": forged(CREATED, priority=-(2**63)),
    "a correlation with NUL": forged(CREATED, correlation_id="a\0b"),
    "a tag of NUL": forged(CREATED, tags=["\0"]),
    "a tag of three megabytes": forged(CREATED, tags=["x" * 3_000_000]),
    "a tag of three megabytes, later": forged(TAGGED, tags=["x" * 3_000_000]),
    "a system of NUL": forged(EVENTS["circuit.opened"], system="\0"),
    "failures beyond bigint": forged(EVENTS["circuit.opened"], failures=10**30),
    "a definition of numbers": forged(EVENTS["template.registered"], definition={"steps": [7]}),
    "an actor with NUL": forged(EVENTS["task.cancel_requested"], actor="\0"),
    "a reason with NUL": forged(EVENTS["projection.paused"], reason="\0"),
    "an error with NUL": forged(
        EVENTS["step.attempt_failed"], error=ERROR | {"message": "\0", "error_class": "\0"}
    ),
    "an attempt beyond integer": forged(EVENTS["step.enqueued"], attempt=2**40),
}


def standings(hosts: ProjectionHosts) -> dict[str, str]:
    return {name: hosts.standing(name) for name in MODELS}


@pytest.mark.parametrize("event", SEEN.values(), ids=SEEN)
def test_one_that_no_release_would_write_is_put_aside(
    harness: EngineHarness, hosts: ProjectionHosts, event: Row
) -> None:
    sound = forged(CREATED, tags=["sound"])
    append(harness, [event, sound])

    hosts.host(*BUILTIN).settle()

    assert set(standings(hosts).values()) <= {"caught_up", "parked"}
    assert harness.value(
        "select count(*) from flowledger_history.task_history where task_id = %s", sound.stream
    )
    assert harness.rows("select tag from flowledger_v1.tags where task_id = %s", sound.stream)


def test_a_system_of_which_sums_were_driven_up_is_still_told_of(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    opened, closed = EVENTS["circuit.opened"], EVENTS["circuit.closed"]
    driven = [
        forged(opened, system="bank", failures=2**63 - 1, occurred_at="0001-01-02T00:00:00Z"),
        forged(closed, system="bank", occurred_at="9999-12-31T00:00:00Z"),
    ]
    sound = forged(opened, system="bank", failures=5)
    append(harness, [*driven, sound])

    hosts.host(*BUILTIN).settle()

    assert hosts.projections.parked("flowledger_systems") == []
    states = "select state, failures from flowledger_v1.dependent_systems where system = 'bank'"
    assert harness.rows(states) == [("open", 2**63 - 1)]


def test_whatever_is_forged_they_go_on_and_say_so(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    rows = accepted(forgeries())
    sound = [forged(CREATED, tags=["sound"]) for _ in range(3)]
    append(harness, [sound[0], *rows[::2], sound[1], *rows[1::2], sound[2]])

    host = hosts.host(*BUILTIN)
    host.settle()

    assert {row.topic for row in rows} == set(EVENTS)
    assert set(standings(hosts).values()) <= {"caught_up", "parked"}
    parked = {event.position for name in MODELS for event in hosts.projections.parked(name)}
    told = harness.rows("select kind, about from flowledger_v1.health_findings()")
    assert parked
    assert ("events_parked", "flowledger_history") in told
    tags = "select count(*) from flowledger_v1.tags where tag = 'sound' and task_id = any(%s)"
    assert harness.value(tags, [row.stream for row in sound]) == len(sound)

    for name in MODELS:
        hosts.projections.rebuild(name, **WORD)
    host.settle()

    assert set(standings(hosts).values()) <= {"caught_up", "parked"}
    assert (
        harness.value("select min(generation) from flowledger.projection where state = 'serving'")
        == 2
    )
    assert harness.value(tags, [row.stream for row in sound]) == len(sound)


def test_beside_what_is_forged_tasks_go_on_and_are_read(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    rows = accepted(forgeries())
    append(harness, rows)

    engine = hosts.engine(*BUILTIN)
    task = engine.submit(orders, {"customer": "ann", "cents": 1}, tags=["sound"])
    assert task.result(PATIENCE)

    seen = "select count(*) from flowledger_v1.timeline(%s)"
    harness.until(lambda: harness.value(seen, task.id))
    assert engine.health_report()
    assert list(engine.verify(task.id)) == []
    assert list(engine.verify())
    for view in ("events", "transitions", "tasks", "operator_actions", "annotations", "tags"):
        assert harness.rows(f"select * from flowledger_v1.{view}")  # noqa: S608
    for row in rows:
        if row.task is not None:
            assert engine.task(row.task).history()
