"""For the tests of applications: a Postgres that is there while they run, and gone afterwards."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from flowledger.engine.store.embedded.temporary import temporary_server


@contextmanager
def temporary_database(*, start_timeout_seconds: float = 60.0) -> Generator[str]:
    """The URL of an empty database on a server of its own, which ends with this process.

    Needs the extra `embedded`. The server is stopped and its folder removed at the end of the
    block; where the process is killed within it, too. It does not wait for the disk, so it is
    quick, and nothing that is to be kept belongs there. Raises DatabaseUnavailable.
    """
    with temporary_server(start_timeout_seconds) as server:
        yield server.url
