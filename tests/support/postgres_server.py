"""A server that a test may crash, start again, or stop from answering."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from flowledger.engine.store.embedded import server as embedded
from flowledger.engine.store.schema.migrate import migrate
from support.engines import PATIENCE


class PostgresServer:
    """An embedded server in a folder short enough to hold its socket."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.url = self.start()
        with psycopg.connect(self.url, autocommit=True) as connection:
            migrate(connection)

    def start(self) -> str:
        """Start it, or find it running; its address, which is always the same."""
        return embedded.start(self._home, fsync=True, timeout_seconds=PATIENCE).url

    def crash(self) -> None:
        """What `pg_ctl stop -m immediate` does: every session is cut, nothing is written."""
        process = self._process()
        os.kill(process.pid, signal.SIGQUIT)
        process.wait(PATIENCE)

    def freeze(self) -> None:
        """From now on it neither answers nor hangs up."""
        process = self._process()
        process.suspend()  # it has no more children from now on
        for one in process.children():
            with suppress(psutil.NoSuchProcess):  # a session that has just ended
                one.suspend()

    def thaw(self) -> None:
        """It answers again."""
        process = self._process()
        for one in process.children():
            with suppress(psutil.NoSuchProcess):
                one.resume()
        process.resume()

    def _process(self) -> psutil.Process:
        server = embedded.running(self._home)
        assert server
        return psutil.Process(server.pid)


@pytest.fixture
def postgres_server() -> Generator[PostgresServer]:
    """A migrated server that is this test's alone."""
    home = Path(tempfile.mkdtemp(prefix="flowledger-own-"))
    try:
        yield PostgresServer(home)
    finally:
        embedded.stop(home, timeout_seconds=PATIENCE)
        shutil.rmtree(home)
