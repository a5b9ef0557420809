"""Generates new identifiers (UUIDv7): the local clock, and random bits of the system."""

from __future__ import annotations

import os
from random import Random
from time import time_ns
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import uuid7


class Identifiers:
    """UUIDv7s. Any thread may ask; a forked process starts anew."""

    def __init__(self) -> None:
        self._seed()
        os.register_at_fork(after_in_child=self._seed)

    def _seed(self) -> None:
        # Asking the system for each id costs a system call, and with it the interpreter's lock.
        self._random = Random(os.urandom(32))  # noqa: S311 - ids are unique, not secret

    def new(self) -> UUID:
        """An id that nobody else has."""
        return uuid7(time_ns() // 1_000_000, self._random.getrandbits(74))
