"""Whatever is raised in a thread of the engine, from whichever line, it goes on and says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event
from uuid import UUID, uuid4

import pytest

from flowledger.engine.client.waiters import Waiters
from flowledger.engine.runtime.daemon_thread_pool import DaemonThreadPool
from flowledger.engine.runtime.loop import Loop
from flowledger.engine.store.notifications import ProcessWakeup
from flowledger.engine.telemetry.lasting_thread import lasting_thread
from flowledger.engine.telemetry.outages import Backoff, Outages
from support.engines import PATIENCE

RAISED = [MemoryError(), SystemExit(3), GeneratorExit()]


class FailingWakeup(ProcessWakeup):
    """Raises this from a wait, so often."""

    def __init__(self, error: BaseException, times: int = 2) -> None:
        super().__init__()
        self.left = times
        self._error = error

    def wait(self, seconds: float) -> frozenset[str]:
        if self.left:
            self.left -= 1
            raise self._error
        return super().wait(seconds)


def loop_of(step: Callable[[frozenset[str]], float], wakeup: ProcessWakeup) -> Loop:
    return Loop("test", step, wakeup, Backoff(0.001, 0.002))


@pytest.mark.parametrize("error", RAISED, ids=repr)
def test_a_loop_goes_on_after_what_its_wait_raises(error: BaseException) -> None:
    steps: SimpleQueue[int] = SimpleQueue()

    def step(woken_by: frozenset[str]) -> float:
        steps.put(1)
        return PATIENCE

    loop = loop_of(step, FailingWakeup(error))
    loop.start()

    assert [steps.get(timeout=PATIENCE) for _ in range(3)] == [1, 1, 1]
    assert loop.stop(PATIENCE)


@pytest.mark.parametrize("error", RAISED, ids=repr)
def test_a_loop_goes_on_after_what_its_step_raises_and_says_so_meanwhile(
    error: BaseException,
) -> None:
    steps: SimpleQueue[str | None] = SimpleQueue()
    failed: list[bool] = []

    def step(woken_by: frozenset[str]) -> float:
        steps.put(loop.outages.health.error)
        if not failed:
            failed.append(True)
            raise error
        return PATIENCE

    loop = loop_of(step, ProcessWakeup())
    loop.start()

    assert steps.get(timeout=PATIENCE) is None
    assert steps.get(timeout=PATIENCE) in {"3", type(error).__name__}
    assert loop.stop(PATIENCE)
    assert loop.outages.health.ok


@pytest.mark.parametrize("error", RAISED, ids=repr)
def test_waiters_are_told_after_what_was_raised_where_they_wait(error: BaseException) -> None:
    waiters, told = Waiters(FailingWakeup(error), PATIENCE, lambda: None), Event()

    waiters.subscribe(all_of, uuid4(), told.set)

    assert told.wait(PATIENCE)
    waiters.stop(PATIENCE)


@pytest.mark.parametrize("error", RAISED, ids=repr)
def test_a_waiter_that_raises_keeps_nothing_from_the_others(error: BaseException) -> None:
    waiters, told, it = Waiters(ProcessWakeup(), PATIENCE, lambda: None), Event(), uuid4()
    held = Event()

    def holding(subjects: Sequence[UUID]) -> Sequence[UUID]:
        assert held.wait(PATIENCE)
        return subjects

    def raising() -> None:
        raise error

    waiters.subscribe(holding, it, raising)
    waiters.subscribe(holding, it, told.set)
    held.set()

    assert told.wait(PATIENCE)
    waiters.stop(PATIENCE)


def all_of(subjects: Sequence[UUID]) -> Sequence[UUID]:
    return subjects


@pytest.mark.parametrize("error", RAISED, ids=repr)
def test_a_thread_of_a_pool_goes_on_where_what_was_raised_cannot_be_told(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    ran: SimpleQueue[threading.Thread] = SimpleQueue()

    def refuse(_: object) -> None:
        raise error

    def job() -> None:
        ran.put(threading.current_thread())
        raise error

    monkeypatch.setattr(threading, "excepthook", refuse)
    pool = DaemonThreadPool[Callable[[], None]](lambda one: one(), 1, "tested")
    pool.submit([job, job])

    assert ran.get(timeout=PATIENCE) is ran.get(timeout=PATIENCE)
    pool.close()


def test_it_begins_anew_also_where_telling_of_it_fails_and_ends_with_its_work() -> None:
    attempts: SimpleQueue[int] = SimpleQueue()

    def work() -> None:
        attempts.put(1)
        if attempts.qsize() < 3:
            raise MemoryError

    def failing(error: BaseException) -> None:
        raise error

    thread = lasting_thread("tested", work, failing, lambda: False)
    thread.start()

    thread.join(PATIENCE)
    assert (thread.is_alive(), attempts.qsize()) == (False, 3)


def test_it_ends_with_what_is_raised_while_it_is_stopped() -> None:
    def work() -> None:
        raise SystemExit

    thread = lasting_thread("tested", work, pytest.fail, lambda: True)
    thread.start()

    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_thread_that_ended_all_the_same_is_unhealthy_until_it_is_left() -> None:
    outages, thread = Outages("test"), threading.Thread(name="flowledger-test", target=int)
    outages.of_thread(thread)
    assert outages.health.ok

    thread.start()
    thread.join(PATIENCE)

    assert outages.health.error == "the thread flowledger-test has ended: start the process anew"
    outages.left()
    assert outages.health.ok
