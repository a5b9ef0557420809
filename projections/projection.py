"""A projection as its author writes it: a class with tables and a method for each kind of event."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType, SimpleNamespace, UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from flowledger.engine.domain.failures.step_error_from_exception import words_of
from flowledger.engine.domain.failures.untrusted_exception import name_of
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
        return _topics_of(self.kinds)


def on(
    *kinds: type[Event],
    namespace: str | None = None,
    template: str | None = None,
    step: str | None = None,
    effect: bool = False,
) -> Callable[[F], F]:
    """Call the method, as `(self, event, cursor)`, for each such event, in the order of the log.

    A kind stands for all that are derived from it: `StepEvent` is everything that happens to a
    step, `StepRequest` all that operators ask about one. With `effect=True` the method does
    something outside of its tables, such as sending a letter: it is not called for what an earlier
    generation of the projection has seen already.
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
    if not isinstance(method, FunctionType):
        yield "expected a method below the decorator"
    elif inspect.iscoroutinefunction(method):
        yield "a projection's methods are plain functions, not coroutines"
    elif len(inspect.signature(method).parameters) != 3:
        what = "events" if subscription.batch else "event"
        yield f"expected the parameters (self, {what}, cursor)"
    if not isinstance(cast("object", subscription.effect), bool):
        yield f"effect should be True or False, got {subscription.effect!r}"
    yield from _kind_problems(subscription)
    if isinstance(method, FunctionType):
        yield from _parameter_problems(subscription, method)


def _kind_problems(subscription: Subscription) -> Iterator[str]:
    """What cannot be subscribed to. The first of the problems stops whoever looks for more."""
    if not subscription.kinds:
        yield "expected at least one kind of event"
    for kind in cast("tuple[object, ...]", subscription.kinds):
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            yield f"{kind!r} is no kind of event; flowledger.engine.events has them"
        elif not _topics_of((kind,)):
            yield (
                f"{kind.__name__} is no event that the log holds, so it would never be called;"
                " flowledger.engine.events has those"
            )
    for field in ("namespace", "template", "step"):
        for kind in subscription.kinds:
            if getattr(subscription, field) is not None and field not in kind.model_fields:
                yield f"{kind.__name__} has no {field} to filter by"


def _parameter_problems(subscription: Subscription, method: FunctionType) -> Iterator[str]:
    """What is annotated of the second parameter that cannot be what it is called with."""
    name, annotation = _second_parameter(method)
    if subscription.batch:
        if not _takes_batches(annotation):
            yield (
                f"parameter {name!r} is annotated {_named(annotation)}; @on_batch gives it a"
                " Sequence[Recorded], whose `event` each is"
            )
        return
    for kind in subscription.kinds:
        if not _takes(annotation, kind):
            yield (
                f"parameter {name!r} is annotated {_named(annotation)}; @on gives it"
                f" {kind.__name__}: expected that, a base of it, or a union with it"
            )


def _second_parameter(method: FunctionType) -> tuple[str, Any]:
    """Its name and annotation; Any where there is none, or none that can be resolved here."""
    parameters = list(inspect.signature(method).parameters.values())
    if len(parameters) < 2 or parameters[1].annotation is inspect.Parameter.empty:
        return "", Any
    name = parameters[1].name
    holder = SimpleNamespace(__annotations__={name: parameters[1].annotation})
    try:
        return name, get_type_hints(holder, method.__globals__)[name]
    except Exception:  # noqa: BLE001 - of a name that is there for type checkers only, say
        return name, Any


def _takes(annotation: Any, kind: type[object]) -> bool:
    """Whether a value of the class is what is annotated, or may be: type variables, protocols."""
    if get_origin(annotation) in {Union, UnionType}:
        return any(_takes(arm, kind) for arm in get_args(annotation))
    upper: object = get_origin(annotation) or annotation
    if upper is Any or not isinstance(upper, type) or getattr(upper, "_is_protocol", False):
        return True
    return issubclass(kind, cast("type[object]", upper))


def _takes_batches(annotation: Any) -> bool:
    if get_origin(annotation) in {Union, UnionType}:
        return any(map(_takes_batches, get_args(annotation)))
    container, items = get_origin(annotation) or annotation, get_args(annotation)
    if isinstance(container, type) and issubclass(container, Event | Recorded):
        return False
    return not items or any(item is Ellipsis or _takes(item, Recorded) for item in items[:1])


def _named(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _topics_of(kinds: tuple[type[Event], ...]) -> frozenset[str]:
    return frozenset(topic for topic, kind in EVENTS.items() if issubclass(kind, kinds))


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
        said = f"{name_of(error)}: {words_of(error)}"
        raise InvalidProjection(f"{given!r} cannot be made: {said}") from error
    if not isinstance(made, Projection) or not hasattr(made, "name"):
        raise InvalidProjection(f"{given!r} is no projection with a name")
    return made


__all__ = ["OnError", "Projection", "Recorded", "Subscription", "on", "on_batch"]
