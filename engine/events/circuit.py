"""Events of a circuit breaker. Each outside system has a stream of its own."""

from __future__ import annotations

from datetime import datetime

from flowledger.engine.events.base import Event


class CircuitEvent(Event):
    """Something happened to the circuit of a system."""

    system: str


class CircuitOpened(CircuitEvent):
    """Attempts failed, `failures` in a row: no step of the system is queued before `until`."""

    topic = "circuit.opened"

    failures: int
    until: datetime


class CircuitHalfOpened(CircuitEvent):
    """The time is over; a few steps are queued to see whether the system works."""

    topic = "circuit.half_opened"


class CircuitClosed(CircuitEvent):
    """The system works again."""

    topic = "circuit.closed"


CIRCUITS: tuple[type[CircuitEvent], ...] = (CircuitOpened, CircuitHalfOpened, CircuitClosed)
