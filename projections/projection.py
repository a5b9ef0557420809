"""A projection as its author writes it: a class with tables and a method for each kind of event."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, ClassVar, Literal, TypeVar, cast, get_args
from uuid import UUID

from flowledger.engine.errors import InvalidProjection, ProjectionRefused
from flowledger.engine.events.base import Event, Recorded
from flowledger.engine.events.registry import EVENTS
from flowledger.projections.restricted_cursor import Cursor

OnError = Literal["stop", "park_event", "park_task"]

F = TypeVar("F", bound=Callable[..., None])
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
GENERATION = re.compile(r".*__\d+")
RESERVED = frozenset(
    {"public", "flowledger", "flowledger_v1", "information_schema", "step_readiness"}
)
MARK = "__flowledger_subscriptions__"
PLACE = "{schema}"
GIVEN = ("name", "version", "tables")


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a method wants to see: kinds of events, and of which namespace, template and step.

    A `batch` method is called once for each batch; an `effect` is silent during a rebuild.
    """

    kinds: tuple[type[Event], ...]
    namespace: str | None = None
    template: str | None = None
    step: str | None = None
    batch: bool = False
    effect: bool = False

    def wants(self, event: Event) -> bool:
        """Whether the event passes the filters; its kind is known to fit."""
        return all(
            wanted is None or getattr(event, field, None) == wanted
            for field, wanted in (
                ("namespace", self.namespace),
                ("template", self.template),
                ("step", self.step),
            )
        )

    @property
    def filters(self) -> bool:
        """Whether it does not want every event of its kinds."""
        return any(wanted is not None for wanted in (self.namespace, self.template, self.step))

    @property
    def topics(self) -> frozenset[str]:
        """The topics of the kinds, and of all that are kinds of them."""
        return frozenset(t for t, kind in EVENTS.items() if issubclass(kind, self.kinds))


def on(
    *kinds: type[Event],
    namespace: str | None = None,
    template: str | None = None,
    step: str | None = None,
    effect: bool = False,
) -> Callable[[F], F]:
    """Call the method, as `(self, event, cursor)`, for each such event, in the order of the log.

    A kind stands for all that are derived from it: `StepEvent` is every event of a step. With
    `effect=True` the method does something outside of its tables, such as sending a letter: it is
    not called for what an earlier generation of the projection has seen already.
    """
    return _subscribed(Subscription(kinds, namespace, template, step, effect=effect))


def on_batch(
    *kinds: type[Event],
    namespace: str | None = None,
    template: str | None = None,
    step: str | None = None,
) -> Callable[[F], F]:
    """Call the method, as `(self, events, cursor)`, with all such events of a batch at once.

    `events` are `Recorded`: position, time of recording and event, in the order of the log, at
    least one of them. How the log is cut into batches says nothing and must change nothing.
    """
    return _subscribed(Subscription(kinds, namespace, template, step, batch=True))


def _subscribed(subscription: Subscription) -> Callable[[F], F]:
    def mark(method: F) -> F:
        place = f"{getattr(method, '__qualname__', method)}"
        for problem in _problems(subscription, method):
            raise InvalidProjection(f"{place}: {problem}")
        marks: list[Subscription] = getattr(method, MARK, [])
        setattr(method, MARK, [*marks, subscription])
        return method

    return mark


def _problems(subscription: Subscription, method: object) -> Iterator[str]:
    kinds = cast("tuple[object, ...]", subscription.kinds)
    if not isinstance(method, FunctionType):
        yield "expected a method below the decorator"
    elif inspect.iscoroutinefunction(method):
        yield "a projection's methods are plain functions, not coroutines"
    elif len(inspect.signature(method).parameters) != 3:
        what = "events" if subscription.batch else "event"
        yield f"expected the parameters (self, {what}, cursor)"
    if not subscription.kinds:
        yield "expected at least one kind of event"
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            yield f"{kind!r} is no kind of event; flowledger.engine.events has them"
            return
    for field in ("namespace", "template", "step"):
        for kind in subscription.kinds:
            if getattr(subscription, field) is not None and field not in kind.model_fields:
                yield f"{kind.__name__} has no {field} to filter by"


class Projection:
    """Rows made from events. Derive from it; `name`, `version` and `tables` are class attributes.

    `tables` is SQL in which `{schema}` stands for the schema of the projection's own. Rows are read
    from the schema that is called like the projection. What the methods write and how far the
    projection has come are one transaction, so each event counts exactly once. When the methods or
    the tables change, the version goes up: the new one is built beside the old one, which serves
    until then.

    `on_error` says what happens to an event on which a method raises: the projection waits there
    (`stop`), the event is parked (`park_event`), or it and all that follow of its task are
    (`park_task`).
    """

    name: ClassVar[str]
    version: ClassVar[int]
    tables: ClassVar[str] = ""
    on_error: ClassVar[OnError] = "stop"
    builtin: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Raises InvalidProjection for a definition that cannot work."""
        super().__init_subclass__(**kwargs)
        if "name" in vars(cls):
            for problem in _class_problems(cls):
                raise InvalidProjection(f"{cls.__qualname__}: {problem}")

    def forget(self, tasks: Sequence[UUID], cursor: Cursor) -> None:
        """Delete the rows of these tasks. Where it is defined, single tasks can be rebuilt."""
        raise ProjectionRefused(
            f"{type(self).__qualname__} has no forget(tasks, cursor), which deletes the rows of"
            " tasks: only all of it can be rebuilt"
        )


def _class_problems(cls: type[Projection]) -> Iterator[str]:
    name, version, tables = (cast("object", getattr(cls, at, None)) for at in GIVEN)
    if not isinstance(name, str) or not NAME.fullmatch(name) or GENERATION.fullmatch(name):
        yield f"name is {name!r}; expected {NAME.pattern}, without a number behind two underscores"
    elif name in RESERVED or name.startswith("pg_"):
        yield f"{name!r} is a name that is somebody else's"
    elif name.startswith("flowledger_") and not cls.builtin:
        yield "names that begin with flowledger_ are the engine's own"
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        yield f"version is {version!r}; expected a whole number from 1 on"
    if cls.on_error not in get_args(OnError):
        yield f"on_error is {cls.on_error!r}; expected {', '.join(get_args(OnError))}"
    if not isinstance(tables, str) or (tables.strip() and PLACE not in tables):
        yield f"tables must create them in {PLACE}, as in `create table {PLACE}.name (…)`"
    found = [subscription for _, subscription in subscriptions_of(cls)]
    if not found:
        yield "no method is marked with @on or @on_batch"
    if len({subscription.batch for subscription in found}) > 1:
        yield "@on and @on_batch do not mix: within a batch nobody could say which comes first"


def subscriptions_of(cls: type[Projection]) -> list[tuple[str, Subscription]]:
    """The names of the marked methods with what each wants, in the order of their definition."""
    names: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        names.update(dict.fromkeys(vars(base)))
    return [
        (name, subscription)
        for name in names
        for subscription in cast("list[Subscription]", getattr(getattr(cls, name), MARK, []))
    ]


def instance_of(given: object) -> Projection:
    """A projection, given itself or by its class. Raises InvalidProjection for anything else."""
    try:
        made: object = cast("type[object]", given)() if isinstance(given, type) else given
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise InvalidProjection(f"{given!r} cannot be made: {said}") from error
    if not isinstance(made, Projection) or not hasattr(made, "name"):
        raise InvalidProjection(f"{given!r} is no projection with a name")
    return made


__all__ = ["OnError", "Projection", "Recorded", "Subscription", "on", "on_batch"]
