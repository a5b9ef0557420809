"""The decorators are typed for their users."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("engine", "handlers", "projections")


def test_a_users_program_passes_mypy_strict_and_its_mistakes_do_not(tmp_path: Path) -> None:
    # Type checkers do not follow an editable installation's import hook; links show them the code.
    view = tmp_path / "view"
    (view / "flowledger").mkdir(parents=True)
    for package in PACKAGES:
        (view / "flowledger" / package).symlink_to(ROOT / package)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    options = ["--explicit-package-bases", "--follow-imports=silent", "--cache-dir", str(tmp_path)]
    checked = subprocess.run(  # noqa: S603 - our own command line
        [*command, *options, str(Path(__file__).parent / "consumer.py")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MYPYPATH": str(view)},
        cwd=tmp_path,
    )
    assert (checked.stdout, checked.stderr, checked.returncode) == ("", "", 0)
