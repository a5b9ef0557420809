"""Threads of the engine end when they are told to, and whatever is raised in one, it begins anew.

Where memory runs out, an exception can come from any line, also from one that handles another; and
code of strangers may raise SystemExit, or have one raised in threads that are not its own. A thread
that ended of it would be missed by nobody: its leases run out, or nobody wakes who waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from time import sleep

PAUSE_SECONDS = 0.2
"""Until a thread begins anew; what waits with a backoff of its own does that before."""

Failed = Callable[[BaseException], object]


def lasting_thread(
    name: str, work: Callable[[], object], failed: Failed, stopping: Callable[[], bool]
) -> Thread:
    """A daemon that does the work until it returns, and again where it raises, unless `stopping`.

    `failed` tells what was raised.
    """
    return Thread(target=lambda: _last(work, failed, stopping), name=name, daemon=True)


def tell(error: BaseException) -> None:
    """Print what was raised in a thread that nobody's health tells of."""
    its = (type(error), error, error.__traceback__, threading.current_thread())
    threading.excepthook(threading.ExceptHookArgs(its))


def _last(work: Callable[[], object], failed: Failed, stopping: Callable[[], bool]) -> None:
    is_over = False
    while not is_over:
        with suppress(BaseException):  # while another was told of: it is tried again
            is_over = _has_ended(work, failed, stopping)


def _has_ended(work: Callable[[], object], failed: Failed, stopping: Callable[[], bool]) -> bool:
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - see above
        if stopping():
            return True
        try:
            failed(error)
        finally:
            sleep(PAUSE_SECONDS)
        return False
    return True
