"""Converts the state of limits to and from the JSON that SQL functions take and return."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from flowledger.engine.domain.limits.admission import LimitChanges, LimitState
from flowledger.engine.domain.limits.circuit_breaker import (
    Circuit,
    CircuitChanges,
    CircuitState,
    StoredCircuit,
)
from flowledger.engine.domain.limits.demand import MICROSECOND, Demand, RateLimit, SlotLimit
from flowledger.engine.domain.limits.wait_queue import Share, Waiter
from flowledger.engine.domain.machine.task_run import Wait
from flowledger.engine.store.connection.far_times import time_in_json

Json = dict[str, Any]


def changes_text(changes: LimitChanges) -> str:
    """The argument of flowledger.store_limit_state."""
    holders = sorted(changes.slots.holders.items())
    rates = sorted(changes.rates.items())
    parts: Json = {
        "gone": changes.gone,
        "waiters": [waiter_row(waiter) for waiter in changes.waiters],
        "holders": [{"step_id": step, "keys": keys} for step, keys in holders],
        "rates": [{"limit_key": key, **change._asdict()} for key, change in rates],
        "circuits": circuit_rows(changes.circuits),
    }
    parts = {name: rows for name, rows in parts.items() if rows}
    return orjson.dumps({**parts, "most": dict(changes.slots.max_before)}).decode()


def waiter_row(waiter: Waiter) -> Json:
    """A row of the held steps."""
    return {
        "step_id": waiter.step_id,
        "task_id": waiter.task_id,
        "step": waiter.step,
        "kind": waiter.wait.kind,
        "limit_key": waiter.wait.key,
        "sort_key": waiter.sort_key,
        "since": waiter.since,
        "until": waiter.wait.until,
        "demand": {**demand_json(waiter.demand), **share_json(waiter.share)},
    }


def demand_json(demand: Demand) -> Json:
    """A demand for a column; intervals are in microseconds."""
    return {
        "template_id": demand.template_id,
        "system": demand.system,
        "slots": [list(limit) for limit in demand.slots],
        "rates": [[key, interval // MICROSECOND, burst] for key, interval, burst in demand.rates],
    }


def share_json(share: Share | None) -> Json:
    """By what a step takes turns, beside its demand; nothing where it takes none."""
    return {} if share is None else {"share": list(share)}


def circuit_rows(changes: CircuitChanges) -> list[Json]:
    """Rows of circuits: the changed ones whole, of the others what was relied on."""
    changed = {circuit.system: circuit for circuit in changes.changed}
    return [
        {"system": system, "revision": revision, **circuit_fields(changed.get(system))}
        for system, revision in sorted(changes.expected_revisions.items())
    ]


def circuit_fields(circuit: Circuit | None) -> Json:
    """What is stored of a circuit; nothing of one that did not change."""
    if circuit is None:
        return {}
    return {
        "state": circuit.state,
        "failures": circuit.failures,
        "openings": circuit.openings,
        "open_until": circuit.open_until,
        "probes": sorted(circuit.probes),
        "stream_version": circuit.version,
        "changed_at": circuit.at,
    }


def state_of(stored: Json) -> LimitState:
    """What flowledger.load_limit_state returned."""
    holders: dict[str, list[str]] = stored["holders"] or {}
    expected: dict[str, str] = stored["expected"] or {}
    return LimitState(
        in_use=stored["in_use"] or {},
        holders={UUID(step): tuple(keys) for step, keys in holders.items()},
        expected={key: time_in_json(text) for key, text in expected.items()},
        circuits=tuple(circuits_of(stored["circuits"] or ())),
        paused=frozenset(UUID(template) for template in stored["paused"] or ()),
        waiters=tuple(waiter_of(row) for row in stored["waiters"] or ()),
    )


def circuits_of(rows: Iterable[Json]) -> list[StoredCircuit]:
    """Rows of circuits, read."""
    return [
        StoredCircuit(
            Circuit(
                system=row["system"],
                state=CircuitState(row["state"]),
                failures=row["failures"],
                openings=row["openings"],
                open_until=time_in_json(row["open_until"]) if row["open_until"] else None,
                probes=frozenset(map(UUID, row["probes"])),
                version=row["stream_version"],
                at=time_in_json(row["changed_at"]) if row["changed_at"] else None,
            ),
            row["revision"],
        )
        for row in rows
    ]


def waiter_of(row: Json) -> Waiter:
    """A row of the held steps, read."""
    until = time_in_json(row["until"]) if row["until"] else None
    return Waiter(
        sort_key=row["sort_key"],
        step_id=UUID(row["step_id"]),
        task_id=UUID(row["task_id"]),
        step=row["step"],
        since=time_in_json(row["since"]),
        wait=Wait(row["kind"], row["limit_key"], until),
        demand=demand_of_json(row["demand"]),
        share=share_of_json(row["demand"].get("share")),
    )


def share_of_json(stored: object) -> Share | None:
    """What is beside a demand, read; a step takes no turns where it cannot be."""
    match stored:
        case [int(priority), str(key), int(weight)] if weight > 0:
            return Share(priority, key, weight)
        case _:
            return None


def demand_of_json(stored: Json) -> Demand:
    """A demand out of its column."""
    return Demand(
        UUID(stored["template_id"]),
        stored["system"],
        tuple(SlotLimit(key, limit) for key, limit in stored["slots"]),
        tuple(
            RateLimit(key, timedelta(microseconds=interval), burst)
            for key, interval, burst in stored["rates"]
        ),
    )
