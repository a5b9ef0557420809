"""Health of an engine: findings of the database, and of the loops of this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from flowledger.engine.display_text import on_one_line
from flowledger.engine.domain.argument_checks import check_seconds
from flowledger.engine.domain.health_rows_and_report import Finding, HealthLook, HealthReport
from flowledger.engine.domain.health_text import report_on
from flowledger.engine.telemetry.outages import Health

TOLD_BY_THE_DATABASE = frozenset({"parked", "templates"})
CLOCK = "clock"
CONNECTIONS = "connections"
PROJECTIONS = "projections"


class HealthRows(Protocol):
    """What the database tells. Raises DatabaseUnavailable."""

    def look(self, patience_seconds: float) -> HealthLook:
        """What was found, who holds locks, and who holds back vacuum or cannot be seen."""
        ...


def health_report(
    rows: HealthRows, loops: Mapping[str, Health], patience_seconds: float
) -> HealthReport:
    """What needs somebody, of the database and of these loops.

    Raises InvalidRequest for a patience that no clock can count, DatabaseUnavailable.
    """
    check_seconds("patience", patience_seconds)
    look = rows.look(patience_seconds)
    own = [
        _of_loop(name, health)
        for name, health in loops.items()
        if not health.ok and name not in TOLD_BY_THE_DATABASE
    ]
    return report_on(look, own)


def _of_loop(name: str, health: Health) -> Finding:
    error = on_one_line(health.error or "")
    if name == CLOCK:
        return Finding(
            kind="clock_stepped",
            sentence=error,
            about=name,
            since=health.since,
            command="timedatectl (let the host's clock follow a time server)",
        )
    if name == CONNECTIONS:
        return Finding(
            kind="connections_awaited",
            sentence=error,
            about=name,
            since=health.since,
            command="flowledger config show (database.pool_max_size, database.url)",
            details={"waiting": health.attempts},
        )
    if name == PROJECTIONS:
        return Finding(
            kind="projection_refused",
            sentence=f"projections of this process cannot be run: {error}",
            about=name,
            since=health.since,
            details={"projections": health.attempts},
        )
    return Finding(
        kind="loop_failing",
        sentence=f"the loop {name} of this process fails: {error}",
        about=name,
        since=health.since,
        details={"attempts": health.attempts, "sqlstate": health.sqlstate},
    )
