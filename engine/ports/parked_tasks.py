"""The port for parked tasks: record them, and learn which are to be tried again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID


class ParkedTasks(Protocol):
    """Tasks that are left alone since they cannot be taken in or decided on."""

    def park(self, epoch: int, position: int, reasons: Mapping[UUID, str]) -> None:
        """Note which tasks are left alone, and why. Raises LeadershipLost."""
        ...

    def unpark(self, epoch: int, tasks: Sequence[UUID]) -> None:
        """These go on: what was decided about them is stored."""
        ...

    def parked(self) -> Sequence[UUID]:
        """The tasks that the leader before left alone; all of them are to be tried again."""
        ...

    def wanted(self, limit: int) -> Sequence[UUID]:
        """Parked tasks that are to be tried again."""
        ...
