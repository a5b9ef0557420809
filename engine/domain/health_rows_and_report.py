"""What health looks at and what it finds, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that needs somebody: `sentence` says what, and `command` what mends it.

    `about` names the shard, template, task, projection, session or loop. `since` is None where
    nobody knows. `details` are JSON values by name, times in ISO 8601, durations in seconds.
    """

    kind: str
    sentence: str
    about: str | None = None
    since: datetime | None = None
    command: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What needs somebody at a time, the oldest first, and what this login could not look at."""

    at: datetime
    findings: tuple[Finding, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values, but for times, which are as they are."""
        return {
            "well": self.well,
            "at": self.at,
            "findings": [asdict(one) for one in self.findings],
            "unseen": self.unseen,
        }


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row of `flowledger_v1.health_findings`."""

    kind: str
    about: str | None
    since: datetime | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HolderRow:
    """A row of `flowledger_v1.vacuum_holders`."""

    kind: str
    name: str | None
    pid: int | None
    login: str | None
    application: str | None
    since: datetime | None
    state: str | None
    transactions: int | None
    sessions: int


@dataclass(frozen=True, slots=True)
class LockRow:
    """A row of `flowledger_v1.blocking_sessions`."""

    pid: int
    login: str
    application: str | None
    since: datetime | None
    state: str | None
    relation: str | None
    mode: str | None
    waiting: int
    waiting_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLook:
    """What the database tells at a time of the server's, which sessions are told by.

    `address` is that of the database, without a password, for psql. With `locked` the tables could
    not be read, and nothing of them is found. `read_only` says why nobody may write: the database
    is a `standby`, or the source of the setting, as `pg_settings` has it.
    """

    now: datetime
    found: Sequence[FoundRow] = ()
    holders: Sequence[HolderRow] = ()
    locks: Sequence[LockRow] = ()
    address: str | None = None
    locked: bool = False
    read_only: str | None = None
