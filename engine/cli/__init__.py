"""The command `flowledger`: run workflows, play the engine's roles, look at tasks."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


def main() -> NoReturn:
    """Run the command with the arguments of this process, and exit."""
    if os.getpid() == 1:
        end_at_once_when_told()
    try:
        from flowledger.engine.cli.program import run_program  # noqa: PLC0415 - needs an extra
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        raise SystemExit("error: the command needs an extra: install flowledger[cli]") from None
    run_program()


def end_at_once_when_told() -> None:
    """As the first process of a container, which the system spares what it does not handle.

    Modules of users are imported before a role handles signals, and that may take long.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_at_once)


def end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """End as if the signal had killed the process."""
    os._exit(128 + number)
