"""The process that opened an engine, and those that were forked from it.

The two share the sockets, and each would read the other's answers. So the child is told, and what
it inherited is cut off from its side alone: nothing that it closes, collects or leaves open reaches
the sessions of its parent (`store.forks`).

Code of users may fork while the engine calls it, and the child comes back from the call, too. It
must not go on as a second worker or projector, so it ends there, as a program does (`EndsForks`).
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from types import TracebackType
from typing import NoReturn, cast

from flowledger.engine.domain.failures.untrusted_exception import is_a
from flowledger.engine.errors import EngineForked

RAISED = 1


class Opener:
    """The process that opened an engine."""

    def __init__(self) -> None:
        self._process = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether it is this process, and not one that it was forked to."""
        return os.getpid() == self._process

    def require(self) -> None:
        """Go on in the process that opened the engine only. Raises EngineForked."""
        if not self.is_here:
            raise EngineForked(self._process, os.getpid())


class EndsForks:
    """Around a call of users' code: a process that was forked in it ends where the call does."""

    __slots__ = ("_process",)

    def __enter__(self) -> None:
        self._process = os.getpid()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if os.getpid() != self._process:
            end_fork(error)


def end_fork(error: BaseException | None = None) -> NoReturn:
    """End this process with the exit code of a program that raised the error, or nothing.

    At once, as nothing of the parent's is to be closed here, nor its hooks at exit to be run.
    """
    code = RAISED
    try:
        code = _exit_code(error)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException:  # noqa: BLE001 - whatever it is, it ends here
        os._exit(code)
    os._exit(code)


def _exit_code(error: BaseException | None) -> int:
    if error is None:
        return 0
    if is_a(error, SystemExit):
        said = cast("SystemExit", error).code
        if said is None or isinstance(said, int):
            return (said or 0) & 0xFF
    with suppress(BaseException):  # it may be one that cannot be shown
        sys.excepthook(type(error), error, error.__traceback__)
    return RAISED
