"""The command that is forked for the tests does what the command does that a shell starts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.cli import PATIENCE, PROGRAM
from support.forked_program import forked_program

MODULE = """
import os, sys, time
from flowledger.handlers import Workflow

assert "FROM_THE_SHELL" in os.environ
print(sys.argv[1:], sys.path[0] == os.getcwd(), __name__, sys.modules["__main__"].__spec__.name)
print(sys.stdout.isatty(), sys.stdout.encoding, sys.flags.safe_path, "ü", file=sys.stderr)
if "wait" in sys.argv[1]:
    time.sleep(600)
sys.stdout.flush()
os._exit(int(os.environ["FROM_THE_SHELL"]))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit", "shop:order", "--context", "{}"),
        ("templates", "validate", "missing.yaml"),
        ("templates", "--help"),
        ("nonsense",),
    ],
    ids=lambda given: given[0] + given[-1],
)
def test_it_prints_and_ends_as_one_that_a_shell_starts(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(MODULE, "utf-8")
    url = "postgresql://127.0.0.1:1/nobody"
    own = {**os.environ, "FLOWLEDGER_DATABASE__URL": url, "FROM_THE_SHELL": "7"}

    forked = forked_program().run(arguments, tmp_path, own, PATIENCE)

    started = subprocess.run(  # noqa: S603 - the program under test
        [*PROGRAM, *arguments],
        cwd=tmp_path,
        env=own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert forked == (started.returncode, started.stdout, started.stderr)
    assert forked[0] == (7 if "shop:order" in arguments else 0 if "--help" in arguments else 2)
    assert forked[1] + forked[2]


def test_it_is_killed_when_it_takes_too_long(tmp_path: Path) -> None:
    (tmp_path / "wait.py").write_text(f"import sys\nsys.argv.insert(1, 'wait')\n{MODULE}", "utf-8")
    own = {**os.environ, "FROM_THE_SHELL": "0", "FLOWLEDGER_DATABASE__URL": "postgresql://x"}

    with pytest.raises(subprocess.TimeoutExpired):
        forked_program().run(("submit", "wait:order"), tmp_path, own, 0.01)


def test_what_an_interpreter_reads_as_it_starts_is_not_forked() -> None:
    program = forked_program()

    assert program.can_run_with({**os.environ, "FLOWLEDGER_HOME": "/nowhere"})
    assert not program.can_run_with({**os.environ, "PYTHONSAFEPATH": "x"})
    assert not program.can_run_with({**os.environ, "LC_ALL": "C.x"})
