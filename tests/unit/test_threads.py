"""Threads for handlers: as many as are needed, none that holds up the exit or is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Semaphore, Thread, current_thread
from typing import Any

import pytest

from flowledger.engine.runtime.daemon_thread_pool import DaemonThreadPool
from support.engines import PATIENCE

Told = SimpleQueue[Any]


def call(job: Callable[[], None]) -> None:
    job()


@contextmanager
def threads(limit: int) -> Generator[DaemonThreadPool[Callable[[], None]]]:
    made = DaemonThreadPool(call, limit, "tested")
    try:
        yield made
    finally:
        made.close()


class Blocked:
    """A job that says in which thread it runs, and stays there until it is released."""

    def __init__(self) -> None:
        self.running: SimpleQueue[Thread] = SimpleQueue()
        self.released = Semaphore(0)

    def __call__(self) -> None:
        self.running.put(current_thread())
        assert self.released.acquire(timeout=PATIENCE)

    def seen(self, count: int) -> list[Thread]:
        """The threads of the next jobs that run."""
        return [self.running.get(timeout=PATIENCE) for _ in range(count)]


def test_at_most_the_limit_runs_at_once_and_the_others_wait_for_their_turn() -> None:
    job = Blocked()
    with threads(2) as crew:
        crew.submit([job] * 3)
        crew.submit([job] * 2)
        first = job.seen(2)
        assert job.running.empty()

        job.released.release(5)

        assert set(job.seen(3)) <= set(first)
        assert len(set(first)) == 2


def test_threads_start_when_they_are_needed_and_serve_again() -> None:
    job = Blocked()
    with threads(10) as crew:
        crew.submit([])
        crew.submit([job])
        (first,) = job.seen(1)
        crew.submit([job])
        (second,) = job.seen(1)
        job.released.release(2)

        assert first is not second
        assert {first.name, second.name} == {"tested-1", "tested-2"}


def test_where_the_system_has_no_more_threads_the_jobs_wait_for_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = Blocked()
    with threads(3) as crew:
        crew.submit([job])
        with monkeypatch.context() as scarce:
            scarce.setattr(Thread, "start", refused)
            crew.submit([job, job])
        (first,) = job.seen(1)
        assert job.running.empty()
        job.released.release(3)

        assert set(job.seen(2)) == {first}
        crew.submit([job, job, job])
        job.released.release(3)
        assert len(set(job.seen(3)) - {first}) >= 1


def test_where_there_is_no_thread_at_all_it_is_said_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = Blocked()
    with threads(2) as crew:
        with monkeypatch.context() as scarce:
            scarce.setattr(Thread, "start", refused)
            with pytest.raises(RuntimeError):
                crew.submit([job])

        crew.submit([job])
        job.released.release(2)
        assert len(job.seen(2)) == 2


def refused(thread: Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_no_thread_holds_up_the_exit() -> None:
    job = Blocked()
    with threads(1) as crew:
        crew.submit([job])
        (thread,) = job.seen(1)
        job.released.release()

        assert thread.daemon


def test_when_it_is_closed_idle_threads_end_and_busy_ones_after_their_job() -> None:
    busy, idle = Blocked(), Blocked()
    crew = DaemonThreadPool(call, 2, "tested")
    crew.submit([busy, idle])
    threads = busy.seen(1) + idle.seen(1)
    idle.released.release()

    crew.close()

    threads[1].join(PATIENCE)
    assert [thread.is_alive() for thread in threads] == [True, False]
    busy.released.release()
    threads[0].join(PATIENCE)
    assert not threads[0].is_alive()


def test_a_job_that_raises_is_told_of_and_costs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    told: Told = SimpleQueue()
    done = Event()
    monkeypatch.setattr(threading, "excepthook", told.put)

    def bad() -> None:
        raise SystemExit("no")

    with threads(1) as crew:
        crew.submit([bad, bad, done.set])

        assert done.wait(PATIENCE)
        assert [told.get(timeout=PATIENCE).exc_type for _ in range(2)] == [SystemExit] * 2
        done.clear()
        crew.submit([done.set])
        assert done.wait(PATIENCE)
