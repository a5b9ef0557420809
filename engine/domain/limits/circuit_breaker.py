"""A circuit breaker for each outside system: while it fails, steps wait and use no attempts.

Closed: steps run. Failures in a row open the circuit, and no step runs until a time. After it a few
steps run as probes (half-open): the first that succeeds closes the circuit, the first that fails
opens it again, for twice as long, up to a maximum. While the circuit is open or half-open, only
outcomes of probes count: attempts that started earlier say nothing new. The transitions are events
in a stream of the system's own; the count of failures is stored beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import caused_id, milliseconds
from flowledger.engine.errors import IllegalTransition
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.circuit import (
    CircuitClosed,
    CircuitEvent,
    CircuitHalfOpened,
    CircuitOpened,
)
from flowledger.engine.events.step import StepAttemptFailed, StepCompleted, StepTimedOut

C = TypeVar("C", bound=CircuitEvent)
NO_PROBES: frozenset[UUID] = frozenset()

CLOCKS_DIFFER = timedelta(seconds=10)
"""More than the clocks of two coordinators differ by."""


class CircuitState(StrEnum):
    """Whether steps of a system may go."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


CIRCUIT_TRANSITIONS: Mapping[tuple[CircuitState, type[CircuitEvent]], CircuitState] = (
    MappingProxyType(
        {
            (CircuitState.CLOSED, CircuitOpened): CircuitState.OPEN,
            (CircuitState.OPEN, CircuitHalfOpened): CircuitState.HALF_OPEN,
            (CircuitState.HALF_OPEN, CircuitOpened): CircuitState.OPEN,
            (CircuitState.HALF_OPEN, CircuitClosed): CircuitState.CLOSED,
        }
    )
)


class CircuitRules(NamedTuple):
    """When circuits open, and for how long. Times are in seconds."""

    failure_threshold: int
    open_seconds: float
    open_cap_seconds: float
    half_open_probes: int
    categories: frozenset[str]


class Circuit(NamedTuple):
    """The circuit of a system.

    `failures` is the count in a row, `openings` how often it opened since it was last closed,
    `probes` the steps on trial. `version` is its stream's, `at` the time of the last event there.
    """

    system: str
    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    openings: int = 0
    open_until: datetime | None = None
    probes: frozenset[UUID] = NO_PROBES
    version: int = 0
    at: datetime | None = None


Outcome = tuple[Circuit, CircuitEvent | None]


def circuit_id(system: str) -> UUID:
    """The stream of a system's circuit: the same in every process."""
    digest = int.from_bytes(sha256(f"circuit\0{system}".encode()).digest()[:16])
    return UUID(int=digest & ~(0xF << 76 | 0x3 << 62) | 0x8 << 76 | 0x2 << 62)


def evolve_circuit(circuit: Circuit, event: CircuitEvent) -> Circuit:
    """The circuit after the event. Raises IllegalTransition."""
    state = CIRCUIT_TRANSITIONS.get((circuit.state, type(event)))
    if state is None:
        raise IllegalTransition(
            f"the circuit of {circuit.system!r}",
            circuit.state,
            type(event).__name__,
            tuple(kind.__name__ for source, kind in CIRCUIT_TRANSITIONS if source is circuit.state),
        )
    version = event.originator_version
    following = Circuit(circuit.system, state, version=version, at=event.occurred_at)
    if isinstance(event, CircuitOpened):
        return following._replace(openings=circuit.openings + 1, open_until=event.until)
    if isinstance(event, CircuitHalfOpened):
        return following._replace(openings=circuit.openings)
    return following


def verdict(event: StepEvent, rules: CircuitRules) -> bool | None:
    """What an event says of the system: that it works, that it does not, or nothing."""
    if isinstance(event, StepCompleted):
        return True
    if isinstance(event, StepTimedOut):
        return False
    if isinstance(event, StepAttemptFailed) and event.error.category in rules.categories:
        return False
    return None


def after_outcome(
    circuit: Circuit, event: StepEvent, now: datetime, rules: CircuitRules
) -> Outcome:
    """The circuit after what became of an attempt."""
    works = verdict(event, rules)
    if works is None or circuit.state is CircuitState.OPEN:
        return circuit, None
    if circuit.state is CircuitState.HALF_OPEN:
        if event.originator_id not in circuit.probes:
            return circuit, None
        return close(circuit, event, now) if works else open_(circuit, event, now, rules)
    if works:
        return (circuit._replace(failures=0) if circuit.failures else circuit), None
    circuit = circuit._replace(failures=circuit.failures + 1)
    if circuit.failures < rules.failure_threshold:
        return circuit, None
    return open_(circuit, event, now, rules)


def open_(circuit: Circuit, cause: StepEvent, now: datetime, rules: CircuitRules) -> Outcome:
    """No step goes for a while."""
    doubled = rules.open_seconds * 2.0 ** min(circuit.openings, 60)
    until = now + timedelta(seconds=min(doubled, rules.open_cap_seconds))
    failures = max(circuit.failures, 1)
    return _then(
        circuit, _event(CircuitOpened, circuit, cause, now, failures=failures, until=until)
    )


def close(circuit: Circuit, cause: StepEvent, now: datetime) -> Outcome:
    """Steps go again."""
    return _then(circuit, _event(CircuitClosed, circuit, cause, now))


def is_shut(circuit: Circuit, now: datetime, rules: CircuitRules) -> bool:
    """Whether a step of the system has to wait.

    What is open for longer than any circuit was opened by a clock that was ahead, and is tried.
    """
    if circuit.state is CircuitState.OPEN:
        longest = timedelta(seconds=rules.open_cap_seconds) + CLOCKS_DIFFER
        return circuit.open_until is not None and now < circuit.open_until <= now + longest
    return circuit.state is CircuitState.HALF_OPEN and len(circuit.probes) >= rules.half_open_probes


def let_through(circuit: Circuit, step: UUID, now: datetime) -> Outcome:
    """A step of the system goes now; the first after the circuit was open is a probe."""
    event = None
    if circuit.state is CircuitState.OPEN:
        event = _event(CircuitHalfOpened, circuit, None, now)
        circuit = evolve_circuit(circuit, event)
    if circuit.state is CircuitState.HALF_OPEN:
        circuit = circuit._replace(probes=circuit.probes | {step})
    return circuit, event


def _then(circuit: Circuit, event: CircuitEvent) -> Outcome:
    return evolve_circuit(circuit, event), event


def _event(
    kind: type[C], circuit: Circuit, cause: StepEvent | None, now: datetime, **data: Any
) -> C:
    stream, version = circuit_id(circuit.system), circuit.version + 1
    led_by = cause.event_id if cause else stream
    at = max(now, circuit.at or now, cause.occurred_at if cause else now)
    return kind.of(
        originator_id=stream,
        originator_version=version,
        event_id=caused_id(led_by, stream, version, milliseconds(at)),
        occurred_at=at,
        correlation_id=cause.correlation_id if cause else f"circuit:{circuit.system}",
        causation_id=cause.event_id if cause else None,
        system=circuit.system,
        **data,
    )


class StoredCircuit(NamedTuple):
    """A circuit as it is stored; `revision` counts its changes, 0 where it was never stored."""

    circuit: Circuit
    revision: int


class CircuitChanges(NamedTuple):
    """Circuits that changed, the revisions that were relied on by system, and the transitions."""

    changed: tuple[Circuit, ...]
    expected_revisions: Mapping[str, int]
    events: tuple[CircuitEvent, ...]


class Circuits:
    """Circuits by system; one that was never heard of is closed. `used`: there may be any."""

    def __init__(self, kept: Iterable[StoredCircuit], rules: CircuitRules) -> None:
        self._rules = rules
        self._circuits: dict[str, Circuit] = {}
        self._revisions: dict[str, int] = {}
        self._changed: set[str] = set()
        self._relied: dict[str, int] = {}
        self._events: list[CircuitEvent] = []
        self.used = False
        self.refresh(kept)

    def of(self, system: str) -> Circuit:
        """The circuit of the system."""
        return self._circuits.get(system) or Circuit(system)

    def shut(self, system: str, now: datetime) -> bool:
        """Whether a step of the system has to wait."""
        circuit = self._circuits.get(system)
        return circuit is not None and is_shut(circuit, now, self._rules)

    def after_outcome(self, system: str, event: StepEvent, now: datetime) -> CircuitEvent | None:
        """What became of an attempt is known. Returns the transition that follows, if one does."""
        return self._become(system, after_outcome(self.of(system), event, now, self._rules))

    def let_through(self, system: str, step: UUID, now: datetime) -> None:
        """A step of the system goes now."""
        self.used = True
        self._relied.setdefault(system, self._revisions.get(system, 0))
        self._become(system, let_through(self.of(system), step, now))

    def step_left(self, system: str, step: UUID) -> bool:
        """A step is not under way any more. Returns whether it was a probe without an outcome."""
        circuit = self._circuits.get(system)
        if circuit is None or step not in circuit.probes:
            return False
        self._become(system, (circuit._replace(probes=circuit.probes - {step}), None))
        return True

    def refresh(self, kept: Iterable[StoredCircuit]) -> Iterable[str]:
        """What is stored, which others may have changed. Returns the systems where they did."""
        moved: list[str] = []
        for circuit, revision in kept:
            system = circuit.system
            if system not in self._changed and revision != self._revisions.get(system):
                self._circuits[system] = circuit
                self._revisions[system] = revision
                self.used = True
                moved.append(system)
        return moved

    def drain(self) -> CircuitChanges:
        """What was changed and relied on since it was last asked."""
        relied = self._relied | {
            system: self._revisions.get(system, 0) for system in sorted(self._changed)
        }
        changed = tuple(self._circuits[system] for system in sorted(self._changed))
        for system in self._changed:
            self._revisions[system] = self._revisions.get(system, 0) + 1
        events = tuple(self._events)
        self._changed, self._relied, self._events = set(), {}, []
        return CircuitChanges(changed, relied, events)

    def _become(self, system: str, outcome: Outcome) -> CircuitEvent | None:
        circuit, event = outcome
        if circuit != self.of(system):
            self._circuits[system] = circuit
            self._changed.add(system)
        if event is not None:
            self._events.append(event)
        return event
