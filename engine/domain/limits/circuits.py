"""The circuits of all systems, and what a transaction changes of them or relies on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from flowledger.engine.domain.limits.circuit_breaker import (
    Circuit,
    CircuitRules,
    Outcome,
    heard,
    is_shut,
    let_through,
)
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.circuit import CircuitEvent


class Kept(NamedTuple):
    """A circuit as it is stored; `revision` counts its changes, 0 where it was never stored."""

    circuit: Circuit
    revision: int


class CircuitChanges(NamedTuple):
    """Circuits that changed, the revisions that were relied on by system, and the transitions."""

    changed: tuple[Circuit, ...]
    relied: Mapping[str, int]
    events: tuple[CircuitEvent, ...]


class Circuits:
    """Circuits by system; one that was never heard of is closed. `used`: there may be any."""

    def __init__(self, kept: Iterable[Kept], rules: CircuitRules) -> None:
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

    def heard(self, system: str, event: StepEvent, now: datetime) -> CircuitEvent | None:
        """What became of an attempt is known. Returns the transition that follows, if one does."""
        return self._become(system, heard(self.of(system), event, now, self._rules))

    def let_through(self, system: str, step: UUID, now: datetime) -> None:
        """A step of the system goes now."""
        self.used = True
        self._relied.setdefault(system, self._revisions.get(system, 0))
        self._become(system, let_through(self.of(system), step, now))

    def left(self, system: str, step: UUID) -> bool:
        """A step is not under way any more. Returns whether it was a probe without an outcome."""
        circuit = self._circuits.get(system)
        if circuit is None or step not in circuit.probes:
            return False
        self._become(system, (circuit._replace(probes=circuit.probes - {step}), None))
        return True

    def refresh(self, kept: Iterable[Kept]) -> Iterable[str]:
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
