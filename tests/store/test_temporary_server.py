"""A temporary server is gone after its block, and after its process, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import psutil
import psycopg
import pytest

from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.store.embedded import server as embedded
from flowledger.engine.testing import temporary_database

USER = """
import os, sys
from flowledger.engine.testing import temporary_database
with temporary_database() as url:
    child = os.fork()
    if not child:
        sys.exit()  # by way of the block's end, which is its parent's
    os.waitpid(child, 0)
    print(url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder for temporary files; nothing is in it in the end."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)  # root's servers run as another user
        yield Path(name).resolve()


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", USER],
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def servers(process: subprocess.Popen[str], folder: Path) -> list[psutil.Process]:
    """The keeper, and the server, of a process that has its database."""
    assert process.stdout is not None
    url = process.stdout.readline()
    (home,) = folder.iterdir()
    found = embedded.running(home)
    assert found is not None
    with psycopg.connect(url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    (keeper,) = psutil.Process(process.pid).children()
    return [psutil.Process(found.pid), keeper]


def assert_gone(left: list[psutil.Process], folder: Path) -> None:
    _, alive = psutil.wait_procs(left, timeout=60)
    assert alive == []
    assert list(folder.iterdir()) == []


def test_in_the_block_it_is_a_database_and_behind_it_nothing_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    with temporary_database() as url:
        with psycopg.connect(url) as connection:
            row = connection.execute("select current_database(), pg_backend_pid()").fetchone()
            assert row is not None
            server = psutil.Process(row[1]).parent()
        assert row[0] == "flowledger"
        assert server is not None

    assert_gone([server], folder)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_process_whatever_ends_that_and_not_with_a_fork(
    folder: Path, number: int
) -> None:
    with start(folder) as process:
        left = servers(process, folder)

        os.killpg(process.pid, number)
        process.communicate(timeout=60)

    assert process.returncode == -number
    assert_gone(left, folder)


def test_one_that_cannot_start_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = folder / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))

    with pytest.raises(DatabaseUnavailable, match="socket"), temporary_database():
        pytest.fail("it started")

    assert list(deep.iterdir()) == []
