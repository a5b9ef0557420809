"""Every block of the README runs as it is written."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from support.cli import Command

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
FIRST_EXAMPLE = "orders.py"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line where it begins."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The name in its first line, where that is a comment with one."""
        found = re.match(r"# ([\w./]+\.(?:yaml|py))\n", self.text)
        return found[1] if found else None


def blocks() -> list[Block]:
    return [
        Block(found[1], found[2], README.count("\n", 0, found.start()) + 1)
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
    ]


def of(language: str) -> list[object]:
    return [
        pytest.param(block, id=f"line {block.line}")
        for block in blocks()
        if block.language == language
    ]


@pytest.fixture
def reader(command: Command) -> Command:
    """Someone who saved every block that is a file, and can type `flowledger`."""
    for block in blocks():
        if block.file:
            command.write(block.file, block.text)
    command.write(FIRST_EXAMPLE, first_example())
    command.put_on_path()
    return command


def first_example() -> str:
    return next(block.text for block in blocks() if block.language == "python")


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert {block.language for block in blocks()} == {"python", "sh", "text", "yaml"}


def test_the_first_example_is_short() -> None:
    assert len(first_example().splitlines()) < 40


@pytest.mark.parametrize("block", of("python"))
def test_a_python_block_runs(reader: Command, block: Block) -> None:
    out = reader.other(sys.executable, "-W", "error", "-c", block.text)

    assert ("'shipped'" in out) is (block.file is None)


@pytest.mark.parametrize("block", of("sh"))
def test_a_shell_block_runs(reader: Command, block: Block) -> None:
    assert reader.other("bash", "-euo", "pipefail", "-c", block.text)


@pytest.mark.parametrize("block", of("yaml"))
def test_a_yaml_block_is_a_file_with_a_name(block: Block) -> None:
    assert block.file
    assert isinstance(yaml.safe_load(block.text), dict)


def test_the_yaml_example_is_the_definition_of_the_python_example(reader: Command) -> None:
    python, file = reader(
        "templates", "validate", "orders:orders", "process_order.yaml", "--json"
    ).lines

    assert python["hash"] == file["hash"]
    assert python["template"] == file["template"] == "fulfilment/process_order@1.0.0"


def test_the_settings_of_the_example_are_in_effect(reader: Command) -> None:
    (shell,) = [block for block in blocks() if "config show" in block.text]

    out = reader.other("bash", "-c", shell.text)

    assert "worker.concurrency = 8  (environment variable FLOWLEDGER_WORKER__CONCURRENCY)" in out
    assert 'logging.format = "json"  (' in out
