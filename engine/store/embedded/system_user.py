"""The operating system's user that runs the embedded server: Postgres refuses to run as root."""

from __future__ import annotations

import fcntl
import os
import pwd
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowledger.engine.errors import DatabaseUnavailable

ACCOUNT = "pgserver"
"""The system account that root starts the server as; created on first use."""

FOLDER_OF_ACCOUNTS = "/etc"
"""Locked while an account is created. The files in it are replaced, and their locks with them."""

ENTER = """
n=0
for folder; do
    cd -- "$folder" 2> /dev/null || { echo $n; exit; }
    n=$((n + 1))
done
"""
"""A program for the shell: enter each of these folders, and say the number of the first refused."""


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A system account, and whether this process must change to it to run the server."""

    name: str
    uid: int
    gid: int
    changed: bool

    def run(self, command: list[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the server as this user; its output is in `stdout`, errors too."""
        # PGDATA, PGOPTIONS and their like belong to the caller's other databases.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))}
        return subprocess.run(  # noqa: S603 - the command is built by this package
            command,
            cwd=cwd,
            env={**environment, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            user=self.uid if self.changed else None,
            group=self.gid if self.changed else None,
            extra_groups=[] if self.changed else None,
        )

    def barred(self, folder: Path) -> Path | None:
        """The first on the way to this folder that this user may not enter; None: there is none.

        The system is asked, by going there: modes alone say nothing of access control lists.
        """
        way = [*reversed(folder.parents), folder]
        if not self.changed:
            return None
        command = ["/bin/sh", "-c", ENTER, "sh", *map(str, way)]
        stopped_at = self.run(command, cwd=Path("/")).stdout.strip()
        return way[int(stopped_at)] if stopped_at else None


def server_user(data: Path) -> SystemUser:
    """The account that owns `data`, or that will own it.

    Root runs the server of whoever owns the data, or the folder it will lie in, so that it stays
    usable without root. Anyone else can only run their own.
    Raises DatabaseUnavailable when the data belongs to another user.
    """
    me = os.geteuid()
    if me == 0:
        return _owner(data) or _owner(data.parent, known=True) or server_account()
    owner = data.stat().st_uid if data.exists() else me
    if owner != me:
        raise DatabaseUnavailable(
            f"the embedded database in {data} belongs to user {_of(owner, changed=True).name},"
            f" and this process runs as {_of(me, changed=False).name}:"
            " run as that user, or set FLOWLEDGER_HOME to a folder of your own"
        )
    return _of(me, changed=False)


def _owner(folder: Path, *, known: bool = False) -> SystemUser | None:
    """Who owns the folder, unless that is root, or `known` is asked for and nobody knows them."""
    uid = folder.stat().st_uid if folder.exists() else 0
    user = _of(uid, changed=True)
    return None if uid == 0 or (known and user.name == str(uid)) else user


def _of(uid: int, *, changed: bool) -> SystemUser:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return SystemUser(str(uid), uid, os.getegid(), changed)
    return SystemUser(entry.pw_name, uid, entry.pw_gid, changed)


def server_account() -> SystemUser:
    """The account of its own that root runs the server as; it is created where it is missing.

    Raises DatabaseUnavailable where it cannot be.
    """
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        entry = _created_account()
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid, changed=True)


def _created_account() -> pwd.struct_passwd:
    with _alone():
        try:
            return pwd.getpwnam(ACCOUNT)
        except KeyError:
            _create_account()
            return pwd.getpwnam(ACCOUNT)


@contextmanager
def _alone() -> Generator[None]:
    """One process at a time: of two that run useradd at once, the later renumbers the account."""
    folder = os.open(FOLDER_OF_ACCOUNTS, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _create_account() -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", ACCOUNT]
    try:
        done = subprocess.run(  # noqa: S603 - a constant command
            command, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        reason = "there is no useradd command"
    else:
        if done.returncode in (0, 9):  # 9: another program has just created it
            return
        reason = done.stderr.strip()
    raise DatabaseUnavailable(
        f"Postgres does not run as root, and the system user {ACCOUNT} cannot be created:"
        f" {reason}; create it, run as another user, or set FLOWLEDGER_DATABASE__URL"
    )
