"""The account that root runs the embedded server as: created once, however many begin at once."""

from __future__ import annotations

import pwd
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from flowledger.engine.store.embedded import system_user

AT_ONCE = 8
USERADD = """#!/bin/sh
echo "$@" >> "{calls}"
"""


def test_of_many_that_need_the_account_at_once_one_creates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of `useradd` at once look before either has written: the later renumbers the account."""
    calls, first_look = tmp_path / "calls", Barrier(AT_ONCE)
    program = tmp_path / "useradd"
    program.write_text(USERADD.format(calls=calls))
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    somebody, met = pwd.getpwuid(0), list[str]()

    def created(name: str) -> pwd.struct_passwd:
        if not met[AT_ONCE - 1 :]:
            met.append(name)
            first_look.wait(timeout=30)
        if not calls.exists():
            raise KeyError(name)
        return somebody

    monkeypatch.setattr(system_user.pwd, "getpwnam", created)
    with ThreadPoolExecutor(AT_ONCE) as several:
        found = {several.submit(system_user.server_account).result for _ in range(AT_ONCE)}
        names = {result(30).name for result in found}
    assert names == {somebody.pw_name}
    assert len(calls.read_text().splitlines()) == 1
