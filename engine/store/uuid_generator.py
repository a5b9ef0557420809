"""Generates new identifiers (UUIDv7): the local clock, a counter, and random bits."""

from __future__ import annotations

import os
from random import Random
from threading import Lock
from time import time_ns
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import uuid7

COUNTER_BITS, RANDOM_BITS, NUMBER_BITS = 12, 62, 16
START_BITS = COUNTER_BITS - 1
"""A counter starts in its lower half, so that it can be counted up."""


class Identifiers:
    """UUIDv7s. Any thread may ask; a forked process starts anew.

    Those of one millisecond ascend too, so that tasks are listed in the order in which a process
    submitted them: RFC 9562, 6.2, method 1. It is counted before the random bits, since streams of
    a task's steps are found by what their ids begin with.
    """

    def __init__(self) -> None:
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        # Asking the system for each id costs a system call, and with it the interpreter's lock.
        self._random = Random(os.urandom(32))  # noqa: S311 - ids are unique, not secret
        self._lock = Lock()
        self._clock = self._now = self._counter = 0

    def new(self) -> UUID:
        """An id that nobody else has."""
        with self._lock:
            self._tick(time_ns() // 1_000_000)
            random = self._counter << RANDOM_BITS | self._random.getrandbits(RANDOM_BITS)
            return uuid7(self._now, random)

    def _tick(self, clock: int) -> None:
        """The next time and counter; a full counter is carried into the time.

        Where the clock is put back, so is the time of ids.
        """
        if clock > self._now or clock < self._clock:
            self._now, self._counter = clock, self._random.getrandbits(START_BITS)
        else:
            carried, self._counter = divmod(self._counter + 1, 1 << COUNTER_BITS)
            self._now += carried
        self._clock = clock


def numbered_id(first: UUID, number: int) -> UUID:
    """The number-th of the ids that one id stands for, as `flowledger.numbered_id` has it."""
    return UUID(int=first.int >> NUMBER_BITS << NUMBER_BITS | number)
