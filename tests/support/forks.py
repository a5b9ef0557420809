"""Forks made by the code of users: how such a process ends, seen by the one that made it."""

from __future__ import annotations

import os
import signal
import warnings
from dataclasses import dataclass
from select import select

LONGEST = 10.0
"""Seconds that a test waits at most for a fork to end."""


@dataclass(frozen=True)
class Fork:
    """A process that was forked; its end of the pipe closes when it ends."""

    process: int
    pipe: int

    @property
    def is_me(self) -> bool:
        """Whether this is the child."""
        return self.process == 0

    def exit_code(self) -> int:
        """Wait for its end; a process that lives on is killed, which is exit code -9."""
        if not select([self.pipe], [], [], LONGEST)[0]:
            os.kill(self.process, signal.SIGKILL)
        os.close(self.pipe)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def fork() -> Fork:
    """Fork this process; both come back."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks of processes with threads
        process = os.fork()
    os.close(writer if process else reader)
    return Fork(process, reader if process else writer)
