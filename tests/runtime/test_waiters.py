"""Waiting for tasks to end."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from threading import Barrier, Event, Thread
from typing import Any
from uuid import UUID, uuid4

import pytest

from flowledger.engine import DatabaseUnavailable
from flowledger.engine.client.waiters import Waiters
from flowledger.engine.store.notifications import ProcessWakeup
from support.engines import PATIENCE


class Ended:
    """Says which tasks have ended; remembers what it was asked."""

    def __init__(self) -> None:
        self.tasks: set[UUID] = set()
        self.asked: list[frozenset[UUID]] = []
        self.away = False
        self.heard = Event()

    def ended(self, tasks: Sequence[UUID]) -> Sequence[UUID]:
        self.asked.append(frozenset(tasks))
        self.heard.set()
        if self.away:
            raise DatabaseUnavailable("away")
        return [task for task in tasks if task in self.tasks]


@pytest.fixture
def tasks() -> Ended:
    return Ended()


@pytest.fixture
def wakeup() -> ProcessWakeup:
    return ProcessWakeup()


@pytest.fixture
def endings(tasks: Any, wakeup: ProcessWakeup) -> Generator[Waiters]:
    made = Waiters(wakeup, PATIENCE, lambda: None)
    yield made
    made.stop()


def test_a_waiter_is_told_when_its_task_has_ended(
    tasks: Ended, wakeup: ProcessWakeup, endings: Waiters
) -> None:
    first, second, told, other = uuid4(), uuid4(), Event(), Event()
    endings.subscribe(tasks.ended, first, told.set)
    endings.subscribe(tasks.ended, second, other.set)

    tasks.tasks.add(first)
    wakeup.notify("ended")

    assert told.wait(PATIENCE)
    assert not other.is_set()


def test_all_waiters_for_one_task_are_told(
    tasks: Ended, wakeup: ProcessWakeup, endings: Waiters
) -> None:
    task, everybody = uuid4(), Barrier(4)
    for _ in range(3):
        endings.subscribe(
            tasks.ended, task, Thread(target=everybody.wait, args=(PATIENCE,), daemon=True).start
        )

    tasks.tasks.add(task)
    wakeup.notify("ended")

    everybody.wait(PATIENCE)


def test_a_task_that_ended_before_anybody_waited_is_found(tasks: Ended, endings: Waiters) -> None:
    task, told = uuid4(), Event()
    tasks.tasks.add(task)

    endings.subscribe(tasks.ended, task, told.set)

    assert told.wait(PATIENCE)


def test_who_has_gone_is_not_told_nor_asked_about(
    tasks: Ended, wakeup: ProcessWakeup, endings: Waiters
) -> None:
    gone, stays, told, other = uuid4(), uuid4(), Event(), Event()
    endings.subscribe(tasks.ended, gone, told.set)
    endings.unsubscribe(tasks.ended, gone, told.set)
    tasks.tasks |= {gone, stays}
    endings.subscribe(tasks.ended, stays, other.set)

    assert other.wait(PATIENCE)
    assert tasks.asked[-1] == {stays}
    assert not told.is_set()


def test_while_the_database_is_away_waiters_wait_on(
    tasks: Ended, wakeup: ProcessWakeup, endings: Waiters
) -> None:
    task, told = uuid4(), Event()
    tasks.away = True
    tasks.tasks.add(task)
    endings.subscribe(tasks.ended, task, told.set)
    assert tasks.heard.wait(PATIENCE)
    assert not told.is_set()

    tasks.away = False
    wakeup.notify("ended")

    assert told.wait(PATIENCE)


def test_each_question_is_asked_about_those_that_wait_for_its_answer(
    tasks: Ended, endings: Waiters
) -> None:
    requests, told, other = Ended(), Event(), Event()
    task, request = uuid4(), uuid4()
    requests.tasks.add(request)
    tasks.tasks.add(request)
    endings.subscribe(tasks.ended, task, other.set)

    endings.subscribe(requests.ended, request, told.set)

    assert told.wait(PATIENCE)
    assert tasks.asked[-1] == {task}
    assert requests.asked[-1] == {request}
    assert not other.is_set()


def test_a_failing_waiter_does_not_keep_the_others_waiting(
    tasks: Ended, wakeup: ProcessWakeup, endings: Waiters
) -> None:
    def fail() -> None:
        raise RuntimeError("the waiter's loop is closed")

    task, told = uuid4(), Event()
    endings.subscribe(tasks.ended, task, fail)
    endings.subscribe(tasks.ended, task, told.set)

    tasks.tasks.add(task)
    wakeup.notify("ended")

    assert told.wait(PATIENCE)


def test_waiters_are_told_at_the_end_and_after_it(tasks: Ended, endings: Waiters) -> None:
    told, late = Event(), Event()
    endings.subscribe(tasks.ended, uuid4(), told.set)

    endings.stop()
    endings.subscribe(tasks.ended, uuid4(), late.set)

    assert told.is_set()
    assert late.is_set()
