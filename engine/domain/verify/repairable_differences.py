"""Decides which differences a repair can mend, and the rows that it stores.

Rows that were derived from the log can be derived again. What the log itself lacks or contradicts
cannot be known, and a definition that the log has lost is not thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from flowledger.engine.domain.limits.circuit_breaker import Circuit
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference, Row
from flowledger.engine.domain.verify.task import DECIDED, PARKED
from flowledger.engine.events.engine_actions import EngineRepaired
from flowledger.engine.events.notes import TaskRepaired

MOST_CHANGES = 50
LONGEST_CHANGE = 300
ROWS = "the row"
IDENTITIES = "flowledger.identity"
MENDED = frozenset(
    {
        ROWS,
        IDENTITIES,
        PARKED,
        DECIDED,
        "flowledger.queue",
        "flowledger.timer",
        "flowledger.waiting_step",
        "flowledger.slot",
        "flowledger.submission",
        "flowledger.shard",
        "flowledger.template",
        "flowledger.template_step",
        "flowledger.circuit",
        "flowledger.rate",
        "flowledger.clock_put_back",
        "flowledger.projection",
        "flowledger.projection_rebuild",
        "flowledger.slot_count",
        "flowledger.state_count",
    }
)
APPLIED = (
    "a migration applies the file again once its row in flowledger.applied_file is deleted; what no"
    " file makes is dropped by hand"
)
LEFT: Mapping[str, str] = MappingProxyType(
    {
        "the table": "a projection is made again by `flowledger projections rebuild`",
        "the public schema": APPLIED,
        "the schema flowledger": APPLIED,
        "the views of projections": "`flowledger projections rebuild` makes the views of a"
        " projection again; what no projection makes is dropped by hand",
        "the grants": "`flowledger db grants --apply` takes from the roles what is not theirs, and"
        " an administrator from others",
        "flowledger.event": "whoever changed the log must say why, and undo it",
        "flowledger.clock_offset": "it is moved back as it was moved, by "
        "flowledger.advance_test_clock",
    }
)
AHEAD = (
    "the server's clock was ahead, as flowledger.clock_put_back may say: nothing is to be done, and"
    " it is over when that time has come; if it never was, whoever changed the log must say why"
)
SET_BACK = (
    "the server's clock was set back there, and nothing is to be done; if it never was, whoever"
    " changed the log must say why, and undo it"
)
IN_THE_LOG = "it is in the log, which nothing can be made again from"


@dataclass(frozen=True, slots=True)
class TaskRows:
    """Rows of a task by relation, as flowledger.repair_task takes them, and what is recorded.

    There is no event where nobody knows whose the rows were.
    """

    rows: Mapping[str, Any]
    event: TaskRepaired | None


@dataclass(frozen=True, slots=True)
class ApartRows:
    """Rows of templates, with when each was registered, and circuits."""

    templates: Sequence[tuple[UUID, Row, datetime]]
    circuits: Sequence[Circuit]
    event: EngineRepaired


@dataclass(frozen=True, slots=True)
class Left:
    """A difference that a repair does not mend, and why."""

    difference: Difference
    why: str


def why_left(found: Difference) -> str | None:
    """Why a repair leaves the difference; None where it mends it."""
    place = found.place
    if place == "flowledger.clock_offset" and found.field == "row":
        return None
    if place == "flowledger.event" and found.field == "recorded_at":
        return AHEAD if found.log == "past" else SET_BACK
    if place in LEFT:
        return LEFT[place]
    if place == "flowledger.template" and found.field == "row" and found.log == "none":
        return "the row may be all that is left of the definition"
    if place == "flowledger.submission" and found.log != "none":
        return "what was submitted is nowhere else"
    return None if place in MENDED else IN_THE_LOG


def told(differences: Sequence[Difference]) -> dict[str, Any]:
    """What an event says of the differences that were mended."""
    said = [str(found) for found in differences[:MOST_CHANGES]]
    return {
        "changes": tuple(
            text if len(text) <= LONGEST_CHANGE else f"{text[: LONGEST_CHANGE - 1]}…"
            for text in said
        ),
        "more": len(differences) - len(said),
    }
