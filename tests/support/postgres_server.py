"""A server that a test may crash, start again, or stop from answering."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from flowledger.engine.store.embedded import server as embedded
from flowledger.engine.store.schema.migrate import migrate
from support.engines import PATIENCE
from support.memory_folders import new_home


class PostgresServer:
    """An embedded server in a folder short enough to hold its socket."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.url = self.start()

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


@pytest.fixture(scope="session")
def migrated_home() -> Generator[Path]:
    """The home of a server that was migrated and stopped: a copy is less work than a new one."""
    home = new_home()
    try:
        with psycopg.connect(PostgresServer(home).url, autocommit=True) as connection:
            migrate(connection)
        embedded.stop(home, timeout_seconds=PATIENCE)
        yield home
    finally:
        embedded.stop(home, timeout_seconds=PATIENCE)
        shutil.rmtree(home)


@contextmanager
def copied_server(migrated_home: Path) -> Generator[PostgresServer]:
    """Within the block, a migrated server that nobody else has."""
    home = new_home()
    try:
        subprocess.run(["cp", "-a", f"{migrated_home}/.", str(home)], check=True)  # noqa: S603, S607
        yield PostgresServer(home)
    finally:
        embedded.stop(home, timeout_seconds=PATIENCE)
        shutil.rmtree(home)


@pytest.fixture
def postgres_server(migrated_home: Path) -> Generator[PostgresServer]:
    """A migrated server that is this test's alone."""
    with copied_server(migrated_home) as server:
        yield server
