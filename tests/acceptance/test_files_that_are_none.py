"""Files that users name are read where they are regular files: the others may never end."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from support.cli import Command

TEMPLATE = """\
namespace: files
name: ordinary
version: "1"
steps: [{name: a, handler: {callable: a}}]
"""
UNREADABLE = {
    "a fifo": "it is a pipe, not a regular file",
    "a device": "it is a device, not a regular file",
    "a link to a device": "it is a device, not a regular file",
    "a folder": "Is a directory",
    "a link to nothing": "No such file or directory",
    "a link to itself": "Too many levels of symbolic links",
    "a socket": "No such device or address",
}


def make(kind: str, path: Path) -> None:
    match kind:
        case "a fifo":
            os.mkfifo(path)
        case "a device" | "a link to a device":
            path.symlink_to("/dev/zero")
        case "a folder":
            path.mkdir()
        case "a link to nothing":
            path.symlink_to("nowhere")
        case "a link to itself":
            path.symlink_to(path.name)
        case _:
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(path.name)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_configuration_that_is_no_file_is_told_and_never_passed_over(
    command: Command, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(command.folder)
    make(kind, command.folder / "flowledger.yaml")

    done = command("config", "show")

    assert (done.code, done.out, done.error.count("\n")) == (2, "", 1)
    assert "flowledger.yaml" in done.error
    assert f"cannot be read ({UNREADABLE[kind]})" in done.error


def test_a_configuration_that_is_a_link_is_told_with_what_it_links_to(command: Command) -> None:
    (command.folder / "flowledger.yaml").symlink_to("nowhere")

    assert "flowledger.yaml, a link to nowhere, cannot be read" in command("config", "show").error


def test_no_configuration_may_be_said_by_the_null_device(command: Command) -> None:
    command.environment["FLOWLEDGER_CONFIG"] = os.devnull

    assert command("config", "show").code == 0


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_template_that_is_no_file_is_told(
    command: Command, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(command.folder)
    make(kind, command.folder / "made.yaml")

    done = command("templates", "validate", "made.yaml")

    assert (done.code, done.out) == (2, "")
    missing = kind == "a link to nothing"
    assert ("there is no such file" if missing else UNREADABLE[kind]) in done.error


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_context_that_is_no_file_is_told(
    command: Command, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(command.folder)
    make(kind, command.folder / "made.json")

    done = command("submit", "files/ordinary@1", "--context", "@made.json")

    assert (done.code, done.out) == (2, "")
    assert UNREADABLE[kind] in done.error


def test_a_pipe_that_a_shell_holds_open_is_read(command: Command) -> None:
    command.write("made.yaml", TEMPLATE)
    program = f'"{sys.executable}" -m flowledger.engine.cli templates validate /dev/stdin'

    assert "files/ordinary@1" in command.other("/bin/sh", "-c", f"cat made.yaml | {program}")
