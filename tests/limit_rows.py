"""Rows of steps that wait, and of circuits, as tests make them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from board import new_id, rows_of
from given import NOON

from flowledger.engine.domain.ids import step_id

PROBE = new_id()
OPEN: dict[str, Any] = {
    "state": "open",
    "failures": 0,
    "openings": 1,
    "open_until": NOON,
    "probes": [PROBE],
    "stream_version": 1,
}
"""A circuit that is open."""


def circuit(revision: int, system: str = "bank", **changed: Any) -> str:
    """Rows of one circuit, decided on at that revision; with no field, only relied on."""
    return rows_of([{"system": system, "revision": revision, **changed}])


def held_row(task: UUID, name: str = "a", **changed: Any) -> dict[str, Any]:
    """A row of the held steps."""
    row: dict[str, Any] = {
        "step_id": step_id(task, name),
        "task_id": task,
        "step": name,
        "kind": "slot",
        "limit_key": "k",
        "turn": 0.0,
        "since": NOON,
        "until": None,
        "demand": {"template_id": task, "system": None, "slots": [["k", 1]], "rates": []},
    }
    return {**row, **changed}
