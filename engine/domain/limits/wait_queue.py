"""Wait queues of steps that are ready and not admitted: which is next when there is room.

Steps with equal demands share one queue, ordered by sort key: if the first of them cannot be
admitted, none can. A queue waits for one key at a time, which is what its first step lacked when it
was last asked: a limit without room, a circuit, a paused template. So room at a key concerns only
the queues that wait for it, and of those only the first steps; a waiting step costs nothing until
it is the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple
from uuid import UUID

from flowledger.engine.domain.limits.demand import Demand
from flowledger.engine.domain.limits.fair_turns import FairTurns, weights_of
from flowledger.engine.domain.machine.task_run import TaskRun, Wait
from flowledger.engine.events.base import TaskEvent
from flowledger.engine.events.step import StepEnqueued, WaitReason


class WaitKey(NamedTuple):
    """What a line waits for."""

    kind: WaitReason
    key: str


class Share(NamedTuple):
    """By what a step takes turns: the keys of one priority share what there is, by weight."""

    priority: int
    key: str
    weight: int


class Waiter(NamedTuple):
    """A step that waits; smaller sort keys go first. `sort_key` is that of the queue.

    Of steps with a `share` that is so within a key; the keys take turns.
    """

    sort_key: float
    step_id: UUID
    task_id: UUID
    step: str
    since: datetime
    wait: Wait
    demand: Demand
    share: Share | None = None


def share_of(run: TaskRun, weights: Mapping[str, int]) -> Share | None:
    """By what the steps of a task take turns where they wait."""
    if run.fairness is None:
        return None
    return Share(run.priority, run.fairness, weights_of(run.plan, weights)(run.fairness))


Heap = list[tuple[float, int, Waiter]]


@dataclass(slots=True, eq=False)
class WaitQueue:
    """Steps of one demand; the heap may hold some that have left.

    Where its first step has a share, the next to go is one of the same priority: that of `turns`.
    """

    demand: Demand
    key: WaitKey
    heap: Heap = field(default_factory=Heap)
    turns: dict[int, WaitTurns] = field(default_factory=dict[int, "WaitTurns"])


class WaitTurns:
    """The steps of one priority in a queue, by the keys that take turns; some may have left."""

    __slots__ = ("_fair", "_heaps", "_next", "_numbers")

    def __init__(self) -> None:
        self._fair = FairTurns()
        self._heaps: dict[str, Heap] = {}
        self._next: list[tuple[float, int, str]] = []
        self._numbers = count()

    def join(self, waiter: Waiter, key: str) -> None:
        """Wait for a turn of the key."""
        heap = self._heaps.get(key)
        if heap is None:
            heap = self._heaps[key] = []
            self._stand(key)
        heappush(heap, (waiter.sort_key, next(self._numbers), waiter))

    def take(self, waits: Callable[[Waiter], bool]) -> Waiter | None:
        """Who is next of those who still wait; the key has had its turn."""
        while self._next:
            _, _, key = heappop(self._next)
            heap = self._heaps[key]
            while heap:
                _, _, waiter = heappop(heap)
                if waits(waiter) and waiter.share is not None:
                    self._fair.took(key, waiter.share.weight)
                    self._stand(key)
                    return waiter
            del self._heaps[key]
        return None

    def _stand(self, key: str) -> None:
        heappush(self._next, (self._fair.start(key), next(self._numbers), key))


def with_wait(events: Iterable[TaskEvent], waiter: Waiter) -> tuple[TaskEvent, ...]:
    """The events that followed when a step that waited could go; its queueing says so."""
    held = {"waited_for": waiter.wait.kind, "waited_since": waiter.since}
    return tuple(
        event.model_copy(update=held)
        if isinstance(event, StepEnqueued) and event.originator_id == waiter.step_id
        else event
        for event in events
    )


class WaitQueues:
    """All lines of a shard, by place, and all waiters, by step."""

    def __init__(self) -> None:
        self._lines: dict[Demand, WaitQueue] = {}
        self._places: dict[WaitKey, list[tuple[float, int, WaitQueue]]] = {}
        self._waiters: dict[UUID, Waiter] = {}
        self._tasks: dict[UUID, dict[UUID, Waiter]] = {}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._waiters)

    def waiter(self, step: UUID) -> Waiter | None:
        """The step, where it waits."""
        return self._waiters.get(step)

    @property
    def keys(self) -> list[WaitKey]:
        """Where anybody may be waiting."""
        return list(self._places)

    def of_task(self, task: UUID) -> list[Waiter]:
        """The waiting steps of a task."""
        return list(self._tasks.get(task, {}).values())

    def is_awaited(self, place: WaitKey) -> bool:
        """Whether anybody may be waiting there."""
        return place in self._places

    def join(self, waiter: Waiter) -> None:
        """Wait in the line of its demand; a line that begins waits where the step was held."""
        line = self._lines.get(waiter.demand)
        if line is None or self._first_of(line) is None:
            place = WaitKey(waiter.wait.kind, waiter.wait.key)
            line = self._lines[waiter.demand] = WaitQueue(waiter.demand, place)
        self._waiters[waiter.step_id] = waiter
        self._tasks.setdefault(waiter.task_id, {})[waiter.step_id] = waiter
        heappush(line.heap, (waiter.sort_key, next(self._numbers), waiter))
        if waiter.share is not None:
            turns = line.turns.setdefault(waiter.share.priority, WaitTurns())
            turns.join(waiter, waiter.share.key)
        if line.heap[0][2] is waiter:
            self._enlist(line)

    def leave(self, waiter: Waiter) -> None:
        """Wait no more."""
        del self._waiters[waiter.step_id]
        steps = self._tasks[waiter.task_id]
        del steps[waiter.step_id]
        if not steps:
            del self._tasks[waiter.task_id]

    def first(self, place: WaitKey) -> WaitQueue | None:
        """The line whose first step has the smallest sort key of all at the place."""
        lines = self._places.get(place)
        while lines:
            sort_key, _, line = lines[0]
            waiter = self._first_of(line)
            if waiter is not None and line.key == place and waiter.sort_key == sort_key:
                return line
            heappop(lines)
            if waiter is None:
                self._dissolve(line)
            elif line.key == place and sort_key < waiter.sort_key:
                self._enlist(line)
        self._places.pop(place, None)
        return None

    def take_first(self, line: WaitQueue) -> Waiter:
        """The next step of a line leaves it: its first, or who takes a turn before it."""
        waiter = self._next_of(line)
        self.leave(waiter)
        if self._first_of(line) is None:
            self._dissolve(line)
        else:
            self._enlist(line)
        return waiter

    def move(self, line: WaitQueue, place: WaitKey) -> None:
        """The line waits at another place from now on."""
        line.key = place
        self._enlist(line)

    def _next_of(self, line: WaitQueue) -> Waiter:
        first = line.heap[0][2]
        if first.share is not None:
            waiter = line.turns[first.share.priority].take(self._waits)
            if waiter is not None:
                return waiter
        return first

    def _waits(self, waiter: Waiter) -> bool:
        return self._waiters.get(waiter.step_id) is waiter

    def _first_of(self, line: WaitQueue) -> Waiter | None:
        while line.heap:
            waiter = line.heap[0][2]
            if self._waits(waiter):
                return waiter
            heappop(line.heap)
        return None

    def _enlist(self, line: WaitQueue) -> None:
        entry = line.heap[0][0], next(self._numbers), line
        heappush(self._places.setdefault(line.key, []), entry)

    def _dissolve(self, line: WaitQueue) -> None:
        if self._lines.get(line.demand) is line:
            del self._lines[line.demand]
