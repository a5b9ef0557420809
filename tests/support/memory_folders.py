"""Folders in memory for the data of servers: short paths, and nothing waits for a disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - each folder in it is made anew
ROOM = 4 << 30
"""Bytes that must be free in memory, for some servers with many databases."""


def in_memory() -> str | None:
    """A folder in memory, where there is one with room: each test copies a database.

    On a disk, with three processes at it, a copy takes a second instead of some milliseconds.
    """
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    return str(MEMORY) if roomy and os.access(MEMORY, os.W_OK) else None


def new_home() -> Path:
    """An empty folder for a server of a test's own, short enough to hold its socket."""
    return Path(tempfile.mkdtemp(prefix="flowledger-test-", dir=in_memory())).resolve()
