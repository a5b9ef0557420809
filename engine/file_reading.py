"""Reads texts from files that their users name: files that end, and not too late.

A fifo may never have a writer, a device may never end. Pipes are read only by the names that a
shell gives to those that it holds open (`<(...)`, `/dev/stdin`).
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST_CHARACTERS = 64 << 20
"""Of a file that has no lower limit of its own: contexts and templates are far smaller."""

HELD_OPEN = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")
KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def read_text_file(path: Path, most: int = MOST_CHARACTERS) -> str:
    """The text in UTF-8 of a regular file, of a pipe that a shell holds open, or of /dev/null.

    Raises OSError, whose `strerror` says why not (with errno EFBIG where there are more than
    `most` characters), and UnicodeDecodeError.
    """
    # Not to wait for the writer of a fifo, nor to be given a terminal.
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _require_an_end(path, os.fstat(opened))
        os.set_blocking(opened, True)
        with os.fdopen(opened, encoding="utf-8", closefd=False) as file:
            text = file.read(most + 1)
    finally:
        os.close(opened)
    if len(text) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:_} characters")
    return text


def _require_an_end(path: Path, found: os.stat_result) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    held = kind == stat.S_IFIFO and str(path).startswith(HELD_OPEN)
    if kind == stat.S_IFREG or held or os.path.samestat(found, Path(os.devnull).stat()):
        return
    raise OSError(errno.EINVAL, f"it is {KINDS.get(kind, 'something else')}, not a regular file")
