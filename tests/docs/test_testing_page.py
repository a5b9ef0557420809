"""The page on testing: its files are a test suite that passes on a server of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.cli import PATIENCE, Command
from support.readme_orders import ORDERS, README

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_block_is_a_file_of_a_suite_that_passes(command: Command) -> None:
    command.write("orders.py", ORDERS)
    command.write("spend.py", next(b for b in python_of_readme() if b.startswith("# spend.py")))
    for block in BLOCKS:
        command.write(block.partition("\n")[0].removeprefix("# "), block)
    command.environment["PYTHONPATH"] = str(command.folder)

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
    assert not list(command.folder.rglob("postmaster.pid"))


def python_of_readme() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
