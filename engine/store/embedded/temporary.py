"""A server that ends with the process that asked for it, however that process ends.

A process that is killed tidies up nothing. So another one, the keeper, waits at the end of a pipe
whose other end that process holds: what is written there, or its end, says that the server is not
needed any more. The keeper then stops it and removes its folder. It is in a session of its own,
since Ctrl-C is for the process that has work to finish before its database goes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.store.embedded.server import EmbeddedServer, start, stop
from flowledger.engine.store.embedded.system_user import server_account

STOP_SECONDS = 60.0
OF_ALL = "/tmp"  # noqa: S108 - the folder that is made in it is private


@contextmanager
def temporary_server(
    timeout_seconds: float, within: str | None = None
) -> Generator[EmbeddedServer]:
    """A new server in a folder of its own, which writes without waiting for the disk.

    The folder is made `within` another one, else where temporary files are; in /tmp where root
    keeps these in a folder that the user who runs the server may not enter.

    It is for this process and those that it starts: in the end it is stopped whoever uses it.
    Raises DatabaseUnavailable where it cannot be started or stopped.
    """
    owner = os.getpid()
    home = Path(tempfile.mkdtemp(prefix="flowledger-", dir=within or _folder())).resolve()
    keeper = subprocess.Popen(  # noqa: S603 - this very module
        [sys.executable, "-P", "-m", __name__, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        start_new_session=True,
    )
    try:
        yield start(home, fsync=False, timeout_seconds=timeout_seconds)
    finally:
        said = b""
        if os.getpid() == owner:  # and not a fork of it, which leaves by the same way
            _, said = keeper.communicate(b".")
    if keeper.returncode:
        raise DatabaseUnavailable(
            f"the temporary database in {home} was not stopped: {said.decode(errors='replace')}"
        )


def _folder() -> str:
    usual = tempfile.gettempdir()
    if os.geteuid() == 0 and server_account().barred(Path(usual).resolve()):
        return OF_ALL
    return usual


def keep(home: Path) -> None:
    """Wait until standard input ends, or something is written there; then stop and remove."""
    os.read(sys.stdin.fileno(), 1)
    try:
        stop(home, timeout_seconds=STOP_SECONDS)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
