"""The page on testing: its files are a test suite that passes on a server of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.cli import PATIENCE, Command
from support.readme_orders import ORDERS, README

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files whose path is short enough for a socket."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o711)  # root's servers run as another user
        yield Path(name)


def test_every_block_is_a_file_of_a_suite_that_passes(command: Command, temporary: Path) -> None:
    command.write("orders.py", ORDERS)
    command.write("spend.py", next(b for b in python_of_readme() if b.startswith("# spend.py")))
    for block in BLOCKS:
        command.write(block.partition("\n")[0].removeprefix("# "), block)
    command.environment["PYTHONPATH"] = str(command.folder)
    command.environment["TMPDIR"] = str(temporary)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp=t", "."],
        cwd=command.folder,
        env=command.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    tests = sum(block.count("\ndef test_") for block in BLOCKS)
    assert f"{tests} passed" in done.stdout, done.stdout + done.stderr
    left = [*command.folder.rglob("postmaster.pid"), *temporary.iterdir()]
    assert left == [], "a server stays behind"


def python_of_readme() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
