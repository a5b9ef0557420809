"""What is submitted: contexts of every annotation, and all that is said of a task beside them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from time import monotonic
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import UUID

import psycopg
from hostile import oddities
from hostile.draw import Draw, Oddities
from hostile.invariants import require
from hostile.stage import ManualCoordinator, keyed, plain, strict
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from flowledger.engine import AsyncEngine
from flowledger.engine.domain.handler_protocol import StepCall
from flowledger.engine.errors import EngineForked
from flowledger.handlers import Workflow

FAR = datetime(2099, 1, 1, tzinfo=UTC)


class Base(BaseModel):
    """A model that others are derived from."""

    a: int = 1


class Derived(Base):
    """A model with more than its base."""

    b: int = 2


class Secret(BaseModel):
    """A model whose text is written as stars."""

    token: SecretStr


class Aliased(BaseModel):
    """A model that reads one name and writes another."""

    a: int = Field(validation_alias="A")


class Excluded(BaseModel):
    """A model that does not write all that it has."""

    a: int = 1
    b: int = Field(default=2, exclude=True)


class Cents(BaseModel):
    """A model whose validator makes another value each time."""

    cents: Annotated[int, BeforeValidator(lambda euros: int(euros) * 100)]


class Cut(BaseModel):
    """A model whose validator changes what it is given."""

    name: Annotated[str, AfterValidator(lambda text: text[:3])]


class Alike(BaseModel):
    """Has the fields of `Twin`."""

    a: int = 1


class Twin(BaseModel):
    """Has the fields of `Alike`."""

    a: int = 1


class Free(BaseModel):
    """A model that takes what it does not know."""

    model_config = ConfigDict(extra="allow")


class Level(IntEnum):
    """Numbers as keys."""

    LOW = 1


class Corner(NamedTuple):
    """A tuple with names."""

    x: int
    y: int


class Row(TypedDict, total=False):
    """A dictionary that may lack keys."""

    a: int


@dataclass
class Plain:
    """A dataclass."""

    when: datetime
    amount: Decimal


CONTEXTS: Oddities = {
    "a secret": lambda draw: (Secret, Secret(token=SecretStr(draw.password()))),
    "a subclass where its base is declared": lambda _: (Base, Derived(a=5)),
    "an alias for reading only": lambda _: (Aliased, Aliased.model_validate({"A": 3})),
    "a field that is not written": lambda _: (Excluded, Excluded(a=3, b=4)),
    "a validator that is not idempotent": lambda _: (Cents, Cents(cents=19)),
    "a validator that cuts": lambda _: (Cut, Cut(name="abcdef")),
    "two types alike": lambda draw: (Alike | Twin, draw.one_of([Alike(), Twin(a=2)])),
    "a time or a text": lambda _: (datetime | str, datetime(2026, 1, 1, tzinfo=UTC)),
    "a number or a text": lambda draw: (int | str, draw.one_of(["12", 12, "١٢"])),
    "keys that are tuples": lambda _: (dict[tuple[int, int], int], {(1, 2): 3}),
    "keys that are nothing": lambda _: (dict[int | None, int], {None: 3}),
    "keys that are members": lambda _: (dict[Level, int], {Level.LOW: 3}),
    "keys that are days": lambda _: (dict[date, int], {date.min: 3}),
    "an offset with seconds in the context": lambda draw: (
        Plain,
        Plain(oddities.TIMES["an offset with seconds"](draw), Decimal("1.10")),
    ),
    "a tuple with names as context": lambda _: (Corner, Corner(1, 2)),
    "a dictionary that lacks its keys": lambda _: (Row, {}),
    "fields of any name": lambda _: (Free, Free(**{"a\0": 1, "model_config": 2})),
    "bytes as context": lambda _: (bytes, b"\xff\0"),
    "a set as context": lambda _: (set[str], {"a", "b", "c"}),
    "no type of data": lambda draw: (draw.one_of([object, type, Callable, "Nope", 7]), 1),
    "huge decimals": lambda _: (Decimal, Decimal("1e400")),
    "a float that is no number": lambda _: (float, float("nan")),
    "a duration as context": lambda _: (timedelta, timedelta(days=999_999_999, microseconds=1)),
    "an identifier as context": lambda _: (UUID, UUID(int=2**128 - 1)),
}


def context(draw: Draw, stage: ManualCoordinator) -> None:
    """A context of a declared type arrives as it went, or is refused."""
    draw.places = ("context",)
    annotation, value = draw.odd(CONTEXTS)
    seen: list[Any] = []
    flow: Any = Workflow("hostile", f"context-{draw.case.seed}", version="1", context=annotation)

    @flow.step
    def see(context: Any) -> None:
        seen.append(context)

    encoded = flow.encode_context(value)
    flow.handlers["see"](call_with(encoded))
    arrived = seen[0]
    require(
        type(arrived) is type(value) and arrived == value,
        "a context arrives as it went",
        (value, arrived),
    )
    stage.mark()
    stage.engine.submit(flow, value, start_at=FAR)


def call_with(context: Any) -> StepCall:
    """An execution of a step that asks for nothing but its context."""
    words = ("namespace", "template", "version", "step", "idempotency_key", "correlation_id")
    said: dict[str, Any] = dict.fromkeys(words, "hostile")
    ids = {"task_id": UUID(int=1), "step_id": UUID(int=1)}
    return StepCall(**said, **ids, attempt=1, config={}, context=context, results={})


def untyped(draw: Draw, stage: ManualCoordinator) -> None:
    """Anything where a dictionary, or anything at all, is declared."""
    draw.places = ("context",)
    value = oddities.json_like(draw)
    flow = draw.one_of([plain, strict])
    given = value if flow is strict or draw.chance(0.3) else {"case": "none", "value": value}
    stage.engine.submit(flow, given, start_at=FAR)


PARAMETERS: dict[str, Oddities] = {
    "priority": {**oddities.NUMBERS, "a priority that is a text": lambda _: "5"},
    "correlation_id": oddities.TEXTS,
    "actor": oddities.TEXTS,
    "idempotency_key": oddities.TEXTS,
    "start_at": oddities.TIMES,
    "deadline_at": oddities.TIMES,
    "tags": {**oddities.TEXTS, **oddities.SEVERAL},
    "on_duplicate": {"another word": lambda _: "ignore", **oddities.NUMBERS},
    "connection": {
        "no connection": lambda draw: draw.one_of([object(), "host=x", 1]),
    },
}


def about(draw: Draw, stage: ManualCoordinator) -> None:
    """Whatever is said of a task beside its context."""
    name, value = draw.odd_of(PARAMETERS)
    draw.places = (name, "tag" if name == "tags" else name)
    said: dict[str, Any] = {"start_at": FAR, "idempotency_key": str(draw.case)}
    said[name] = [value] if name == "tags" and isinstance(value, str) else value
    if name == "deadline_at":
        said.pop("start_at")
    task = stage.engine.submit(keyed, {}, **said)
    if name in STORED and said[name] is not None:
        stage.harness.until(lambda: task.state != "submitted")
        found = getattr(task.history()[0].event, name)
        require(found == as_stored(said[name]), f"{name} is stored as it was given", found)
    task.cancel(reason="it was strange", actor="hostile", timeout=0)


def as_stored(value: Any) -> Any:
    """What an event has of something that was given."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, list):
        return tuple(dict.fromkeys(str.__str__(one) for one in value))
    return str.__str__(value) if isinstance(value, str) else int(value)


STORED = ("priority", "correlation_id", "actor", "start_at", "deadline_at", "tags")

CONNECTIONS: Oddities = {
    "another database of an engine": lambda _: True,
    "another database without an engine": lambda _: False,
    "a connection that is closed": lambda _: None,
}


def connection(draw: Draw, stage: ManualCoordinator) -> None:
    """A task in a transaction that is open elsewhere."""
    migrated = draw.odd(CONNECTIONS)
    draw.places = ("connection", "database")
    url = stage.url if migrated is None else stage.other_database(migrated=migrated)
    with psycopg.connect(url) as opened:
        if migrated is None:
            opened.close()
        stage.engine.submit(plain, {"case": "none"}, connection=opened)
        require(migrated is None, "a task is refused on another database")


EQUALS: Oddities = {
    "sets of another order": lambda _: ({0, 8, 16, "a"}, {"a", 16, 8, 0}),
    "one as two classes": lambda _: ({"n": 1}, {"n": 1.0}),
    "zero with two signs": lambda _: ({"n": 0.0}, {"n": -0.0}),
    "keys of another order": lambda _: ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
}


def identity(draw: Draw, stage: ManualCoordinator) -> None:
    """Equal contexts are one task."""
    draw.places = ("context",)
    first, second = draw.odd(EQUALS)
    flow: Any = strict
    if isinstance(first, set):
        flow = _of_sets
    tasks = [stage.engine.submit(flow, one, start_at=FAR).id for one in (first, second)]
    require(len(set(tasks)) == 1, "equal contexts are one task", (first, second))


_of_sets: Any = Workflow("hostile", "sets", version="1", context=set[int | str], identity="strict")


@_of_sets.step
def _nothing() -> None:
    """Done."""


def fork(draw: Draw, stage: ManualCoordinator) -> None:
    """A fork that uses its parent's engine is told so; the parent goes on."""
    draw.odd({"a fork": lambda _: None})
    child = os.fork()
    if child == 0:
        code = 1
        try:
            stage.engine.submit(plain, {"case": "none"})
        except EngineForked:
            code = 0
        finally:
            os._exit(code)
    require(os.waitpid(child, 0)[1] == 0, "a fork is told to open its own engine")


def waits(draw: Draw, stage: ManualCoordinator) -> None:
    """Six waits on an event loop hold up no submission beside them."""
    draw.odd({"many waits on an event loop": lambda _: None})

    async def beside() -> float:
        async with await AsyncEngine.open(roles=(), settings=stage.settings(stage.url)) as engine:
            far = 2**62
            waiting = [
                asyncio.ensure_future(engine.projections.wait_for("careless", far, timeout=1.0))
                for _ in range(6)
            ]
            await asyncio.sleep(0)
            started = monotonic()
            await engine.submit(plain, {"case": "none"}, start_at=FAR)
            took = monotonic() - started
            await asyncio.gather(*waiting, return_exceptions=True)
            return took

    took = asyncio.run(beside())
    require(took < 1.0, "waits hold up no submission", took)
