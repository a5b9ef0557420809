"""The embedded Postgres server, for applications that configure no database.

The `embedded` extra brings the programs; this module runs them.

Who owns what
-------------

- `home/postgres` is the data folder. Only the user who owns the server can enter it, and the socket
  lies inside, so that being able to connect is being that user (or root). No port is opened.
- `home/embedded.lock` is held while a server is looked for, started or stopped. Of several
  processes and threads that need one at the same moment, the first starts it and the others find
  it.
- The server is nobody's child. It outlives the process that started it, because it cannot know who
  else depends on it by now, and runs until `stop` (`flowledger db stop`) or the end of the machine.
- `postmaster.pid` in the data folder says where a running server listens; it is believed only if
  that process is the server of this folder.
- A new data folder is made under another name and renamed when it is complete: a process that is
  killed half-way leaves nothing that looks like a database.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import errors
from psycopg.pq import PGconn, Ping

from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.store.connection.open_connection import dial
from flowledger.engine.store.embedded.programs import HOME_OF_ROOT, make_folder, programs_for
from flowledger.engine.store.embedded.refusals import (
    FULL_SECONDS,
    closed,
    full,
    is_full,
    not_installed,
    not_started,
    refused,
)
from flowledger.engine.store.embedded.system_user import SystemUser, server_user

DATABASE = "flowledger"
SUPERUSER = "postgres"
OWN = frozenset({"embedded.lock", "postgres.new"})
"""What may lie in a home before it has data."""
PORT = 5432
SOCKET_PATH_LIMIT = 103
"""Bytes in the path of a socket: 107 on Linux, 103 on macOS."""

# Written into postgresql.conf when a data folder is made; an owner may edit them there.
INITIAL_SETTINGS = {
    # An engine process holds a pool and connections that listen, and there may be many processes.
    "max_connections": "200",
    # Four writers of 64 events a transaction fill the default of 1 GB within two minutes. Each
    # checkpoint that this forces makes the next write to every page log the whole page: 7 % more
    # log was measured from one of them. Compressing the log and four times the buffers made no
    # difference that could be told from noise, so they stay as they are.
    "max_wal_size": "4GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running server: its database's `url`, its process, and whether this call started it."""

    url: str
    pid: int
    data: Path
    started: bool


@dataclass(frozen=True, slots=True)
class _Postmaster:
    pid: int
    socket: Path

    def url(self, database: str) -> str:
        host = quote(str(self.socket), safe="")
        return f"postgresql://{SUPERUSER}@/{database}?host={host}&port={PORT}"


def home_of(configured: Path | None) -> Path:
    """The folder to keep the database in: the configured one, or the platform's for user data.

    Root's is one of the system, unless a database of root's lies in that for user data already:
    the server runs as another user, who has no business below /root.
    """
    if configured is not None:
        return configured
    try:
        from platformdirs import user_data_path  # noqa: PLC0415 - comes with the extra
    except ImportError as error:
        raise not_installed() from error
    own = user_data_path("flowledger")
    asked = os.geteuid() != 0 or os.environ.get("XDG_DATA_HOME")
    return own if asked or os.access(own / "postgres", os.F_OK) else HOME_OF_ROOT


def start(home: Path, *, fsync: bool, timeout_seconds: float) -> EmbeddedServer:
    """Find the server of `home`, or start it; its database exists afterwards.

    Raises DatabaseUnavailable with the reason, and with the end of the server's own log when
    the server did not come up within `timeout_seconds`.
    """
    home = home.expanduser().resolve()
    data = home / "postgres"
    with _locked(home):
        user = server_user(data)
        found = _running(data)
        if found and not _answers(found, data, timeout_seconds=timeout_seconds):
            found = None  # it was on its way out
        postmaster = found or _launch(data, user, fsync=fsync, timeout_seconds=timeout_seconds)
        if found is None and not _answers(postmaster, data, timeout_seconds=timeout_seconds):
            raise not_started(data, "it ended as soon as it had started")
        try:
            if found and fsync:
                _require_fsync(found, home)
            _create_database(postmaster)
        except psycopg.Error as error:
            raise refused(data, error) from error
    return EmbeddedServer(postmaster.url(DATABASE), postmaster.pid, data, started=found is None)


def restart(home: Path, *, fsync: bool, timeout_seconds: float) -> EmbeddedServer | None:
    """Start the server of `home` again where it ended and nobody stopped it; None: it did not.

    Raises DatabaseUnavailable as `start` does.
    """
    left = home.expanduser().resolve() / "postgres" / "postmaster.pid"  # who stops it removes it
    if not left.exists() or running(home) is not None:
        return None
    return start(home, fsync=fsync, timeout_seconds=timeout_seconds)


def stop(home: Path, *, timeout_seconds: float) -> bool:
    """Stop the server of `home` and disconnect whoever uses it; False: it was not running."""
    home = home.expanduser().resolve()
    data = home / "postgres"
    with _explained(home):
        if not data.exists():
            return False
    with _locked(home):
        user = server_user(data)
        postmaster = _running(data)
        if postmaster is None:
            return False
        seconds = str(max(1, round(timeout_seconds)))
        program = str(programs_for(data, user) / "pg_ctl")
        done = user.run([program, "-D", str(data), "-m", "fast", "-t", seconds, "stop"], cwd=data)
        if done.returncode:
            raise DatabaseUnavailable(
                f"the embedded database in {data} did not stop: {done.stdout.strip()}"
            )
        if postmaster.socket != data:
            shutil.rmtree(postmaster.socket, ignore_errors=True)
    return True


def running(home: Path) -> EmbeddedServer | None:
    """The server of `home`, if it is running; nothing is started."""
    data = home.expanduser().resolve() / "postgres"
    with _explained(data.parent):
        server_user(data)
        postmaster = _running(data)
    if postmaster is None:
        return None
    return EmbeddedServer(postmaster.url(DATABASE), postmaster.pid, data, started=False)


@contextmanager
def _explained(home: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise DatabaseUnavailable(
            f"the embedded database cannot use {home} ({error}):"
            " set FLOWLEDGER_HOME to a folder that this user can write to"
        ) from error


@contextmanager
def _locked(home: Path) -> Generator[None]:
    with _explained(home):
        make_folder(home)
        server_user(home / "postgres")
        handle = os.open(home / "embedded.lock", os.O_RDONLY | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _running(data: Path) -> _Postmaster | None:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 5 or not _is_server_of(int(lines[0]), data):
        return None
    return _Postmaster(int(lines[0]), Path(lines[4]))


def _is_server_of(pid: int, data: Path) -> bool:
    """A process id outlives its process: after a crash it may be anyone's."""
    import psutil  # noqa: PLC0415 - comes with the extra

    try:
        return psutil.Process(pid).cwd() == str(data)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _launch(data: Path, user: SystemUser, *, fsync: bool, timeout_seconds: float) -> _Postmaster:
    _require_way(data, user)
    programs = programs_for(data, user)
    if not data.exists():
        _initialise(data, programs, user, fsync=fsync)
    socket = _socket_folder(data, user)
    done = user.run(_start_command(programs, socket, timeout_seconds, fsync=fsync), cwd=data)
    postmaster = _running(data)
    if done.returncode or postmaster is None:
        raise not_started(data, done.stdout)
    return postmaster


def _require_way(data: Path, user: SystemUser) -> None:
    """Raise DatabaseUnavailable where the server's user may not go to the data; open nothing.

    A home that has nothing in it but ours becomes that user's: `mktemp -d` makes such.
    """
    home = data.parent
    barred = user.barred(home)
    if barred == home and home.stat().st_uid == 0 and {one.name for one in home.iterdir()} <= OWN:
        os.chown(home, user.uid, user.gid)
        barred = user.barred(home)
    if barred is not None:
        raise closed(data, user.name, barred, HOME_OF_ROOT)


def _start_command(
    programs: Path, socket: Path, timeout_seconds: float, *, fsync: bool
) -> list[str]:
    """How to start the server of the current folder.

    pg_ctl hands its arguments to a shell within double quotes, so the folder is named by a dot:
    a path may hold anything.
    """
    listen_on = '"' + str(socket).replace('"', '""') + '"'
    options = ["-h", "", "-k", listen_on, "-p", str(PORT)]
    if not fsync:
        options += ["-c", "fsync=off", "-c", "full_page_writes=off"]
    seconds = str(max(1, round(timeout_seconds)))
    command = [str(programs / "pg_ctl"), "-D", ".", "-l", "server.log", "-w", "-t", seconds]
    return [*command, "-o", shlex.join(options), "start"]


def _initialise(data: Path, programs: Path, user: SystemUser, *, fsync: bool) -> None:
    draft = data.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if user.changed:
        os.chown(draft, user.uid, user.gid)
    command = [str(programs / "initdb"), "-D", str(draft), "-U", SUPERUSER, "--auth=trust"]
    # The same order of text on every machine, and messages that can be searched for.
    command += ["--encoding=UTF8", "--no-locale", "--no-instructions"]
    for name, value in INITIAL_SETTINGS.items():
        command += ["--set", f"{name}={value}"]
    done = user.run(command if fsync else [*command, "--no-sync"], cwd=draft)
    if done.returncode:
        raise DatabaseUnavailable(
            f"the embedded database in {data} could not be created: {done.stdout.strip()}"
        )
    draft.rename(data)


def _socket_folder(data: Path, user: SystemUser) -> Path:
    """The data folder, or where its path cannot be a socket's, a private one in /tmp."""
    if _can_hold_socket(data):
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"flowledger-{user.uid}-{digest}"
    if not _can_hold_socket(folder):
        raise DatabaseUnavailable(
            f"the embedded database's socket fits neither {data} nor {folder}, whose paths are"
            f" longer than {SOCKET_PATH_LIMIT} bytes or hold a comma: set FLOWLEDGER_HOME"
            " or TMPDIR to another path"
        )
    folder.mkdir(mode=0o700, exist_ok=True)
    if user.changed and folder.lstat().st_uid == 0:
        os.chown(folder, user.uid, user.gid, follow_symlinks=False)
    if folder.is_symlink() or folder.stat().st_uid != user.uid:
        raise DatabaseUnavailable(
            f"{folder} should hold the socket of {data}, and belongs to another user"
        )
    folder.chmod(0o700)
    return folder


def _can_hold_socket(folder: Path) -> bool:
    """To libpq, a comma in a host begins the next host."""
    path = os.fsencode(folder / f".s.PGSQL.{PORT}.lock")
    return len(path) <= SOCKET_PATH_LIMIT and b"," not in path


def _answers(postmaster: _Postmaster, data: Path, *, timeout_seconds: float) -> bool:
    """Wait until it answers: it may be recovering from a crash. False: it is gone.

    Raises DatabaseUnavailable where it runs and says nothing, or refuses for good.
    """
    deadline = time.monotonic() + timeout_seconds
    full_until = time.monotonic() + FULL_SECONDS
    up = False
    while True:
        try:
            dial(postmaster.url("postgres"), psycopg.Connection, timeout_seconds=5).close()
        except psycopg.Error as error:
            if _running(data) is None:
                return False
            if up and not is_full(error):
                raise refused(data, error) from error
            if is_full(error) and time.monotonic() >= full_until:
                raise full(data, error) from error
            if time.monotonic() >= deadline:
                raise DatabaseUnavailable(
                    f"the embedded database in {data} runs as process {postmaster.pid},"
                    f" and has not answered within {timeout_seconds:g} s: {error}"
                ) from error
            waits = is_full(error) or isinstance(error, errors.ConnectionTimeout)
            up = not waits and _is_up(postmaster)
            if not up:
                time.sleep(0.05)
        else:
            return True


def _is_up(postmaster: _Postmaster) -> bool:
    """Whether it takes connections by now, or none is even tried with what libpq was told."""
    return PGconn.ping(postmaster.url("postgres").encode()) in (Ping.OK, Ping.NO_ATTEMPT)


def _require_fsync(postmaster: _Postmaster, home: Path) -> None:
    with dial(postmaster.url("postgres"), psycopg.Connection) as connection:
        row = connection.execute("show fsync").fetchone()
    if row == ("off",):
        raise DatabaseUnavailable(
            f"the embedded database in {home} was started without fsync and could lose events:"
            " run `flowledger db stop`, and it will be started with it"
        )


def _create_database(postmaster: _Postmaster) -> None:
    with dial(postmaster.url("postgres"), psycopg.Connection) as connection:
        query = "select from pg_database where datname = %s"
        if connection.execute(query, (DATABASE,)).rowcount:
            return
        try:
            connection.execute(f"create database {DATABASE}")
        except errors.DuplicateDatabase:
            return
