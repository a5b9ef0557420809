"""Where new identifiers come from: the local clock and the system's randomness."""

from __future__ import annotations

import os
from time import time_ns
from uuid import UUID

from flowledger.engine.domain.ids import uuid7


class Identifiers:
    """UUIDv7s. Any thread may ask."""

    def new(self) -> UUID:
        """An id that nobody else has."""
        return uuid7(time_ns() // 1_000_000, int.from_bytes(os.urandom(10)) >> 6)
