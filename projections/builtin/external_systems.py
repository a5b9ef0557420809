"""The read model `flowledger_systems`: the outside systems that steps depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, LiteralString

from flowledger.engine.domain.limits.circuit_breaker import CircuitState
from flowledger.engine.events.base import Recorded
from flowledger.engine.events.circuit import (
    CircuitClosed,
    CircuitEvent,
    CircuitHalfOpened,
    CircuitOpened,
)
from flowledger.engine.events.template import TemplateRegistered
from flowledger.projections.builtin.rows_touched_by_batch import Row, fetch_rows, store, tables_of
from flowledger.projections.projection import Projection, on_batch
from flowledger.projections.restricted_cursor import Cursor

MOST_FAILURES = 2**63 - 1
LONGEST = timedelta(days=100_000_000)
"""Sums go no further: whoever drove one up with forged events would keep out all that follow."""

SYSTEMS: LiteralString = "select * from system where system = any(%s)"
STORE_SYSTEMS: LiteralString = """
    insert into system
    select * from json_populate_recordset(null::system, %s)
    on conflict (system) do update
    set state = excluded.state, openings = excluded.openings, failures = excluded.failures,
        opened_at = excluded.opened_at, open_until = excluded.open_until,
        closed_at = excluded.closed_at, shut_since = excluded.shut_since,
        shut_time = excluded.shut_time
"""
STORE_STEPS: LiteralString = """
    insert into dependent_step
    select * from json_populate_recordset(null::dependent_step, %s)
    on conflict do nothing
"""


class Systems(Projection):
    """A row in `system` for each system, and one in `dependent_step` for each step of a template.

    `shut_time` is for how long the circuit was not closed, up to when it last closed.
    """

    name, builtin = "flowledger_systems", True
    version, tables = tables_of("systems")

    @on_batch(TemplateRegistered, CircuitOpened, CircuitHalfOpened, CircuitClosed)
    def circuits_changed(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        """Note who depends on which system, and what became of the systems' circuits."""
        steps = [row for one in events for row in _dependent_steps(one.event)]
        circuits = [one.event for one in events if isinstance(one.event, CircuitEvent)]
        names = {row["system"] for row in steps} | {event.system for event in circuits}
        if not names:
            return
        systems = {name: _system(name) for name in sorted(names)}
        systems |= {row["system"]: row for row in fetch_rows(cursor, SYSTEMS, (sorted(names),))}
        for event in circuits:
            _evolve(systems[event.system], event)
        store(cursor, STORE_SYSTEMS, systems.values())
        store(cursor, STORE_STEPS, steps)


def _dependent_steps(event: object) -> Iterator[Row]:
    if not isinstance(event, TemplateRegistered):
        return
    steps: Any = event.definition.get("steps") or []
    for step in steps:
        if step.get("system"):
            yield {
                "system": step["system"],
                "namespace": event.namespace,
                "template": event.template,
                "version": event.version,
                "step": step["name"],
            }


def _system(name: str) -> Row:
    return {
        "system": name,
        "state": CircuitState.CLOSED,
        "openings": 0,
        "failures": 0,
        "opened_at": None,
        "open_until": None,
        "closed_at": None,
        "shut_since": None,
        "shut_time": timedelta(),
    }


def _evolve(system: Row, event: CircuitEvent) -> None:
    now = event.occurred_at
    match event:
        case CircuitOpened():
            system["state"] = CircuitState.OPEN
            system["openings"] += 1
            system["failures"] = min(system["failures"] + max(event.failures, 0), MOST_FAILURES)
            system["opened_at"], system["open_until"] = now, event.until
            system["shut_since"] = system["shut_since"] or now
        case CircuitHalfOpened():
            system["state"], system["open_until"] = CircuitState.HALF_OPEN, None
        case _:
            system["state"], system["open_until"] = CircuitState.CLOSED, None
            system["closed_at"] = now
            if system["shut_since"] is not None:
                added = max(now - system["shut_since"], timedelta())
                system["shut_time"] = min(system["shut_time"], LONGEST) + added
            system["shut_since"] = None
