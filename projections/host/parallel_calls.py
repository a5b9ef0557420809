"""Work done side by side: one waits while another computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def attempted(work: Callable[[], T]) -> Future[T]:
    """What became of it; what it raises is raised where its result is asked for."""
    outcome: Future[T] = Future()
    try:
        outcome.set_result(work())
    except BaseException as error:  # noqa: BLE001 - see above
        outcome.set_exception(error)
    return outcome


def run_parallel(works: Sequence[Callable[[], T]], most: int) -> list[T]:
    """Do all of it, at most so much at once; the results, when the last has ended.

    The works raise nothing. One thread is the caller's; the others are daemons: a process that must
    end does not wait for a silent server.
    """
    results: dict[int, T] = {}
    waiting = enumerate(works)  # one for all threads, each of which takes the next

    def work_on() -> None:
        for number, work in waiting:
            results[number] = work()

    threads = min(most, len(works)) - 1
    others = [
        Thread(target=work_on, name=f"flowledger-projections-{n}", daemon=True)
        for n in range(threads)
    ]
    for thread in others:
        thread.start()
    work_on()
    for thread in others:
        thread.join()
    return [results[number] for number in range(len(works))]
