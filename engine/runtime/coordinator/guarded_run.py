"""The run of a task for the length of a block, and what goes wrong there is the task's own."""

from __future__ import annotations

from uuid import UUID

from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.runtime.coordinator.quarantine import UNDECIDABLE, Quarantine
from flowledger.engine.runtime.coordinator.run_cache import RunCache


class GuardedRun:
    """To be used with `with`: the run; None where the task is parked, or just failed.

    A class, as every fact passes through one: a generator costs five times as much. A loop over it
    would not hand it what its body raises.
    """

    __slots__ = ("_position", "_quarantine", "_run", "_runs", "_task_id")

    def __init__(
        self, quarantine: Quarantine, runs: RunCache, position: int, task_id: UUID
    ) -> None:
        self._quarantine = quarantine
        self._runs = runs
        self._position = position
        self._task_id = task_id

    def __enter__(self) -> TaskRun | None:
        self._run = None
        if self._task_id not in self._quarantine:
            try:
                self._run = self._runs.at(self._task_id, self._position)
            except UNDECIDABLE as error:
                self._quarantine.failed(self._task_id, error, loading=True)
        return self._run

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if self._run is None or not isinstance(error, UNDECIDABLE):
            return False
        self._quarantine.failed(self._task_id, error, loading=False)
        return True
