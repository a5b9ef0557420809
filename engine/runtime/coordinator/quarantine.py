"""Quarantine: tasks that cannot be decided on are parked, so that they do not stop the others.

The first failure may be due to what is in memory. So everything is dropped from memory, read and
folded again. A second failure is due to the log or to the task itself, and the task is parked.
Nothing of a batch in which something failed is stored: a decision that was broken off leaves its
run, and the limits that it acquired, half changed. What cannot be read at all, or not be folded
from what is stored, parks its task at once.

The leader records what it parks in `flowledger.parked_task`, before it moves its position on. From
then on the timers and facts of the task are skipped. It is tried again when an operator asks for
it, and by each new leader: the task is folded from the log with all that was skipped, and is
decided on. Its row is deleted when that is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from flowledger.engine.errors import IllegalTransition, LogCorrupt, UnknownTemplate
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal

UNDECIDABLE = (
    IllegalTransition,
    LogCorrupt,
    UnknownTemplate,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What a task can be the cause of. What the database says concerns everybody, and is not here."""


class Guard:
    """Around what is done about one task; a class, as every fact passes through one or more."""

    __slots__ = ("_accepted", "_quarantine", "_task_id")

    def __init__(self, quarantine: Quarantine, task_id: UUID) -> None:
        self._quarantine = quarantine
        self._task_id = task_id

    def __enter__(self) -> bool:
        """Whether the task may be handled."""
        self._accepted = self._task_id not in self._quarantine
        return self._accepted

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not (self._accepted and isinstance(error, UNDECIDABLE)):
            return False
        self._quarantine.failed(self._task_id, error, loading=False)
        return True


class Quarantine:
    """Which tasks are suspected and which are parked.

    `spoiled`: something failed in the batch at hand, of which nothing may be stored. `certain`:
    what is in memory is stored, so that a failure says something about the task. `unsaved`: why
    tasks are parked of which that is not stored yet.
    """

    def __init__(self) -> None:
        self.spoiled = False
        self.certain = True
        self.unsaved: dict[UUID, str] = {}
        self._untold: set[UUID] = set()  # of those, what nobody is told of
        self._suspected: set[UUID] = set()
        self._parked: dict[UUID, str | None] = {}
        self._log = logger("coordinator")

    def __contains__(self, task_id: UUID) -> bool:
        return bool(self._parked) and task_id in self._parked

    @property
    def parked(self) -> Mapping[UUID, str | None]:
        """The parked tasks, and what is wrong; None where it is still to be tried."""
        return self._parked

    def elected(self, parked: Iterable[UUID]) -> None:
        """These are stored; nothing else is known."""
        self._parked = dict.fromkeys(parked)
        self.unsaved = {}
        self.clear_suspicions()

    def try_again(self, parked: Iterable[UUID]) -> None:
        """These are stored, and are to be tried again; what is not stored yet stays as it is."""
        self._parked.update((one, None) for one in parked if one not in self.unsaved)

    def begin(self, *, certain: bool) -> None:
        """A batch begins."""
        self.spoiled, self.certain = False, certain

    def clear_suspicions(self) -> None:
        """A batch is stored, or memory was out of date: what looked wrong proves nothing."""
        self._suspected.clear()

    def saved(self) -> None:
        """What was unsaved is stored, and is told."""
        for task_id, reason in self.unsaved.items():
            if task_id not in self._untold:
                self._log.emit(Signal.COORDINATOR_TASK_PARKED, task_id=str(task_id), error=reason)
        self.unsaved = {}
        self._untold.clear()

    def release(self, task_id: UUID) -> bool:
        """The task is tried again; whether it was parked."""
        return self._parked.pop(task_id, self) is not self

    def of(self, task_id: UUID) -> Guard:
        """Around what is done about one task: what is undecidable in the block is the task's."""
        return Guard(self, task_id)

    def failed(self, task_id: UUID, error: Exception, *, loading: bool) -> None:
        """The task could not be decided on; or not even be folded from the log, while `loading`.

        Then it left no trace in the batch, and it was no memory that was wrong.
        """
        reason = f"{type(error).__name__}: {error}"
        if loading and self.certain:
            self.park(task_id, reason)
            return
        self.spoiled = True
        if not self.certain:
            return
        if task_id in self._suspected:
            self.park(task_id, reason)
        self._suspected.add(task_id)

    def park(self, task_id: UUID | None, reason: str, *, told: bool = True) -> None:
        """Leave the task alone from now on. Told, where it is to be, once it is stored."""
        if task_id is None:
            self._log.emit(Signal.COORDINATOR_TASK_PARKED, task_id=None, error=reason)
        elif task_id not in self._parked:
            self._parked[task_id] = self.unsaved[task_id] = reason
            if not told:
                self._untold.add(task_id)
