"""Tasks that cannot be folded are left alone, so that they do not stop the others.

The first time it may be the memory that is wrong: everything is dropped and folded again from what
is stored. The second time it is the log, and the task is parked until the process ends. Nothing is
stored about it, so another process, or a repaired one, tries again. A fact that cannot even be read
parks its task at once.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

from flowledger.engine.errors import IllegalTransition, LogCorrupt, UnknownTemplate
from flowledger.engine.telemetry import Signal, logger

UNFOLDABLE = (IllegalTransition, LogCorrupt, UnknownTemplate, KeyError)


class Parking:
    """Which tasks are suspected and which are parked."""

    def __init__(self) -> None:
        self._suspected: set[UUID] = set()
        self._parked: set[UUID] = set()
        self._log = logger("coordinator")

    def acquit(self) -> None:
        """Memory was out of date, so that what looked wrong proves nothing."""
        self._suspected.clear()

    @contextmanager
    def of(self, task_id: UUID, *, certain: bool) -> Generator[bool]:
        """Whether the task may be handled; within the block, what cannot be folded parks it.

        Raises what was raised, the first time and whenever memory is not `certain` to be stored.
        """
        if task_id in self._parked:
            yield False
            return
        try:
            yield True
        except UNFOLDABLE as error:
            if not certain:
                raise
            if task_id not in self._suspected:
                self._suspected.add(task_id)
                raise
            self.park(task_id, str(error))

    def park(self, task_id: UUID | None, reason: str) -> None:
        """Leave the task alone from now on, since the log itself is wrong. Told once."""
        if task_id in self._parked:
            return
        if task_id is not None:
            self._parked.add(task_id)
        self._log.emit(Signal.COORDINATOR_TASK_PARKED, task_id=str(task_id), error=reason)
