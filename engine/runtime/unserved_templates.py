"""Finds open tasks whose template no live worker has.

A rolling upgrade leaves them when the last worker of the old version stops. A worker that is being
restarted is no reason for an alarm, so a template is reported when it is found twice in a row, and
then once for as long as the same templates have no worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Health

Unserved = Sequence[tuple[str, int]]
"""Templates as `namespace/name@version`, and how many tasks of each are open."""


class UnservedTemplates:
    """Looks now and then; `health` is for any thread."""

    def __init__(self, look: Callable[[], Unserved], seconds: float) -> None:
        self.health = Health()
        self._look = look
        self._seconds = seconds
        self._before: frozenset[str] = frozenset()
        self._told: frozenset[str] = frozenset()
        self._log = logger("coordinator")

    def step(self, _: frozenset[str] = frozenset()) -> float:
        """Look once. Returns the seconds until the next look. Raises DatabaseUnavailable."""
        found = dict(self._look())
        lasting = {key: tasks for key, tasks in found.items() if key in self._before}
        self._before = frozenset(found)
        if lasting:
            said = ", ".join(f"{tasks} of {key}" for key, tasks in lasting.items())
            error = f"tasks are open that no worker here or elsewhere has the definition of: {said}"
            since = self.health.since or datetime.now(UTC)
            self.health = Health(since, self.health.attempts + 1, error)
        else:
            self.health = Health()
        if not self._told >= lasting.keys():
            self._log.emit(Signal.COORDINATOR_UNSERVED, open_tasks=dict(lasting))
        self._told = frozenset(lasting)
        return self._seconds
