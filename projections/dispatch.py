"""Dispatches events to a projection's methods, in the order of the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from threading import current_thread, main_thread
from typing import Any, TypeVar, cast

from pydantic import JsonValue

from flowledger.engine.domain.failures.step_error_from_exception import words_of
from flowledger.engine.domain.failures.untrusted_exception import is_a, name_of
from flowledger.engine.errors import LogCorrupt
from flowledger.engine.events.base import Event, Recorded, Unreadable
from flowledger.engine.ports.fork_guard import EndsForks
from flowledger.projections.projection import Projection, Subscription, subscriptions_of
from flowledger.projections.restricted_cursor import Cursor

E = TypeVar("E", bound=Event)
SCALARS = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """A method of a projection with what it wants. `topics` are those of its subscription."""

    call: Callable[[Any, Cursor], None]
    subscription: Subscription
    topics: frozenset[str]

    def among(self, events: Sequence[Recorded]) -> list[Recorded]:
        """Those of the events that it wants."""
        wanted = [one for one in events if one.event.topic in self.topics]
        if self.subscription.filters:
            return [one for one in wanted if self.subscription.wants(one.event)]
        return wanted


class Routes:
    """Where the events of a projection go."""

    def __init__(self, projection: Projection) -> None:
        self._by_topic: dict[str, list[Route]] = {}
        self.all = [
            Route(getattr(projection, name), subscription, subscription.topics)
            for name, subscription in subscriptions_of(type(projection))
        ]
        self.batch = any(route.subscription.batch for route in self.all)
        self.effects = any(route.subscription.effect for route in self.all)
        for route in self.all:
            for topic in route.topics:
                self._by_topic.setdefault(topic, []).append(route)
        self.topics = frozenset(self._by_topic)
        self._choosy = frozenset(
            topic
            for topic, routes in self._by_topic.items()
            if any(route.subscription.filters for route in routes)
        )

    def of(self, event: Event) -> Sequence[Route]:
        """The methods that want the event, in the order of their definition."""
        routes = self._by_topic.get(event.topic, ())
        if event.topic not in self._choosy:
            return routes
        return [route for route in routes if route.subscription.wants(event)]


class Dispatcher:
    """A projection with its routes; `effects` says whether any method acts outside its tables."""

    def __init__(self, projection: Projection) -> None:
        self.projection = projection
        self.routes = Routes(projection)
        self.effects = self.routes.effects
        self._own: Callable[[Event], Event] = _shared if projection.builtin else own
        self._all_to_one = len(self.routes.all) == 1 and not self.routes.all[0].subscription.filters

    def apply(
        self, events: Sequence[Recorded | Unreadable], cursor: Cursor, no_effects_until: int | None
    ) -> None:
        """Call the methods that want these events; effects only behind `no_effects_until` (None:
        none).

        The events are of kinds that the projection subscribes to. Raises what they raise,
        LogCorrupt for an event that cannot be read, and RuntimeError where one tries to end the
        process: only who interrupts the main thread does that.
        """
        try:
            with EndsForks():
                self._apply(events, cursor, no_effects_until)
        except Exception:
            raise
        except BaseException as error:
            if is_a(error, KeyboardInterrupt) and current_thread() is main_thread():
                raise
            said = f"a method raised {name_of(error)}: {words_of(error)}"
            raise RuntimeError(said) from error

    def _apply(
        self, events: Sequence[Recorded | Unreadable], cursor: Cursor, no_effects_until: int | None
    ) -> None:
        if self.routes.batch:
            self._apply_batch(events, cursor)
            return
        for one in events:
            recorded = readable(one)
            event = recorded.event
            loud = no_effects_until is not None and recorded.position > no_effects_until
            for route in self.routes.of(event):
                if loud or not route.subscription.effect:
                    cursor.position, cursor.recorded_at = recorded.position, recorded.recorded_at
                    route.call(self._own(event), cursor)

    def _apply_batch(self, events: Sequence[Recorded | Unreadable], cursor: Cursor) -> None:
        readables = [one if isinstance(one, Recorded) else readable(one) for one in events]
        for route in self.routes.all:
            some = readables if self._all_to_one else route.among(readables)
            if some:
                cursor.position, cursor.recorded_at = some[-1].position, some[-1].recorded_at
                route.call(self._owned(some), cursor)

    def _owned(self, some: Sequence[Recorded]) -> Sequence[Recorded]:
        if self.projection.builtin:
            return some
        return [Recorded(one.position, one.recorded_at, own(one.event)) for one in some]


def readable(recorded: Recorded | Unreadable) -> Recorded:
    """The event. Raises LogCorrupt where it cannot be read."""
    if isinstance(recorded, Unreadable):
        raise LogCorrupt(recorded.reason)
    return recorded


def own(event: E) -> E:
    """An equal event that shares nothing with the other that could change."""
    kind = type(event)
    fields = dict(event.__dict__)
    for name in _json_fields(kind):
        if type(fields[name]) not in SCALARS:
            fields[name] = copied(fields[name])
    twin = kind.__new__(kind)
    object.__setattr__(twin, "__dict__", fields)
    object.__setattr__(twin, "__pydantic_fields_set__", set(event.model_fields_set))
    object.__setattr__(twin, "__pydantic_extra__", None)
    object.__setattr__(twin, "__pydantic_private__", None)
    return twin


def copied(value: Any) -> Any:
    """A JSON value whose objects and arrays are new; quicker than `deepcopy`, which does others."""
    kind = cast("type[object]", type(value))
    if kind in SCALARS:
        return value
    if kind is dict:
        entries = cast("dict[str, Any]", value).items()
        return {key: inner if type(inner) in SCALARS else copied(inner) for key, inner in entries}
    if kind is list:
        items = cast("list[Any]", value)
        return [inner if type(inner) in SCALARS else copied(inner) for inner in items]
    return deepcopy(value)


@cache
def _json_fields(kind: type[Event]) -> tuple[str, ...]:
    """The fields that hold whatever JSON there is; those of other types cannot be changed."""
    open_types: set[object] = {Any, dict[str, JsonValue]}
    return tuple(
        name
        for name, field in kind.model_fields.items()
        if cast("object", field.annotation) in open_types
    )


def _shared(event: Event) -> Event:
    return event
