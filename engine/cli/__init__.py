"""The command `flowledger`: run workflows, play the engine's roles, look at tasks."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""
STANDARD_ERROR = 2
CONTAINERS = 10_000
"""So many more objects than were freed are made before the collector looks at them (its 700)."""


def main() -> NoReturn:
    """Run the command with the arguments of this process, and exit."""
    gc.set_threshold(CONTAINERS)  # of what is imported nothing becomes garbage
    open_closed_streams()
    if os.getpid() == 1:
        end_at_once_when_told()
    try:
        with ended_by_ctrl_c():
            from flowledger.engine.cli.program import run_program  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        raise SystemExit("error: the command needs an extra: install flowledger[cli]") from None
    run_program()


def open_closed_streams() -> None:
    """Open the null device where standard input, output or error are closed (`2>&-`).

    Python has None in their place then, which any library may trip over; and the next file that is
    opened, or a session of the database, would get their number, and what is written there.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        os.set_inheritable(opened, True)  # noqa: FBT003 - positional only; for processes beside
    os.close(opened)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


@contextmanager
def ended_by_ctrl_c() -> Generator[None]:
    """While modules are imported: what is raised in the middle of an import may be swallowed."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or current_thread() is not main_thread():
        yield
        return
    signal.signal(signal.SIGINT, end_interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C ends the command elsewhere."""
    with suppress(OSError):
        os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def end_at_once_when_told() -> None:
    """As the first process of a container, which the system spares what it does not handle.

    Modules of users are imported before a role handles signals, and that may take long.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_at_once)


def end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """End as if the signal had killed the process."""
    os._exit(128 + number)
