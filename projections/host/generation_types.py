"""The host's records of a generation: its key, its lease, its parked events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

from flowledger.engine.domain.shard_assignment import Members, ShardLease
from flowledger.projections.host.failure_from_exception import Failure


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation of a projection: its rows are in the schema `<name>__<generation>`."""

    name: str
    generation: int

    @property
    def schema(self) -> str:
        """Where its tables are."""
        return f"{self.name}__{self.generation}"

    def __str__(self) -> str:
        return f"{self.name} (generation {self.generation})"


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A generation that is not retired, and who leads it; `seconds_left` is negative if nobody.

    `code` is the fingerprint of what it was built with; None where nobody knows. `asked`: somebody
    asked for something of it.
    """

    place: Generation
    version: int
    state: str
    leader: UUID | None
    seconds_left: float
    code: str | None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class GenerationLease:
    """The right to move a generation on: valid while the epoch stands, from this position on."""

    epoch: int
    position: int
    state: str
    no_effects_until: int
    paused: bool
    failures: int = 0
    code_changed: bool = False

    @property
    def building(self) -> bool:
        """Whether another generation still serves."""
        return self.state == "building"


@dataclass(frozen=True, slots=True)
class Attendance:
    """Which hosts are there that run the same, and every generation that is not retired.

    `held` are those whose leases the host had and has renewed, and `head` is
    the end of the log. All of it was so `age` seconds ago.
    """

    live: Sequence[UUID]
    rows: Sequence[LeaseRow]
    held: Mapping[Generation, GenerationLease]
    head: int
    age: float = 0.0

    def members(self, rows: Sequence[LeaseRow]) -> Members:
        """The hosts, and who leads these rows, which are numbered."""
        leases = [ShardLease(n, row.leader, row.seconds_left) for n, row in enumerate(rows)]
        return Members(self.live, leases)

    def aged(self, seconds: float) -> Attendance:
        """What it says after so many seconds."""
        rows = [replace(row, seconds_left=row.seconds_left - seconds) for row in self.rows]
        return replace(self, rows=rows, age=seconds)


class Aside(NamedTuple):
    """An event that is put aside, and why."""

    position: int
    task_id: UUID | None
    failure: Failure


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked event, and what an operator asked for: `retry`, `drop` or nothing.

    One that is `skipped` was passed over because an operator said so, and holds up no other.
    """

    position: int
    task_id: UUID | None
    requested_action: str | None
    skipped: bool
