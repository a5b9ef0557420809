"""The process that opened an engine, and those that were forked from it.

The two share the sockets, and each would read the other's answers. So the child is told, and what
it inherited is cut off from its side alone: nothing that it closes, collects or leaves open reaches
the sessions of its parent (`store.forks`).
"""

from __future__ import annotations

import os

from flowledger.engine.errors import EngineForked


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
