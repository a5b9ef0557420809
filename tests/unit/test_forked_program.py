"""The command that is forked for the tests does what the command does that a shell starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from support.cli import COMMAND, PATIENCE, PROGRAM, Command
from support.forked_program import forked_program, text_in
from support.started_program import start_program

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

    forked = forked_program().run((*COMMAND, *arguments), tmp_path, own, PATIENCE)

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
        forked_program().run((*COMMAND, "submit", "wait:order"), tmp_path, own, 0.01)


def test_what_an_interpreter_reads_as_it_starts_is_not_forked() -> None:
    program = forked_program()

    assert program.can_run_with({**os.environ, "FLOWLEDGER_HOME": "/nowhere"})
    assert not program.can_run_with({**os.environ, "PYTHONSAFEPATH": "x"})
    assert not program.can_run_with({**os.environ, "LC_ALL": "C.x"})


def test_it_can_be_typed(tmp_path: Path) -> None:
    with ExitStack() as opened:
        command = Command("postgresql://x", tmp_path, opened)
        command.put_on_path()
        command.write("wait.py", f"import sys\nsys.argv.insert(1, 'wait')\n{MODULE}")
        command.environment["FROM_THE_SHELL"] = "0"
        wrong = subprocess.run(
            ["flowledger", "nonsense"],  # noqa: S607 - as it is typed
            env=command.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (wrong.returncode, "nonsense" in wrong.stderr) == (2, True)

        waits = subprocess.Popen(
            ["flowledger", "submit", "wait:order"],  # noqa: S607 - as it is typed
            cwd=tmp_path,
            env=command.environment,
            stderr=subprocess.PIPE,
        )
        assert waits.stderr
        assert waits.stderr.readline()
        waits.send_signal(signal.SIGINT)

        waits.communicate(timeout=PATIENCE)
        assert waits.returncode == 130


SCRIPT = """
import atexit, os, signal, sys, threading
from beside import told

atexit.register(print, "left")
threading.Thread(target=lambda: print("thread", sys.stdin.read())).start()
print(told, sys.argv, sys.orig_argv[1:] == sys.argv, flush=True)
print("log", file=sys.stderr, flush=True)
if "stop" in sys.argv:
    os.kill(os.getpid(), signal.SIGSTOP)
sys.exit(3)
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "beside.py").write_text("told = 'beside'\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    return str(tmp_path / "script.py")


def test_a_file_runs_beside_its_test_until_all_its_threads_have_ended(
    script: str, tmp_path: Path
) -> None:
    with start_program((script, "one"), tmp_path, os.environ) as program:
        assert program.stdout.readline() == f"beside {[script, 'one']} True\n"
        assert program.stderr.readline() == "log\n"
        assert program.poll() is None

        program.stdin.write("said")

        assert program.communicate(PATIENCE) == ("thread said\nleft\n", "")
        assert program.returncode == 3


def test_it_is_told_when_a_signal_stops_it(script: str, tmp_path: Path) -> None:
    with start_program((script, "stop"), tmp_path, os.environ) as program:
        program.until_stopped(PATIENCE)
        assert program.poll() is None

        program.send_signal(signal.SIGCONT)

        assert program.communicate(PATIENCE) == (
            f"beside {[script, 'stop']} True\nthread \nleft\n",
            "log\n",
        )


def test_it_is_killed(script: str, tmp_path: Path) -> None:
    with start_program((script, "one"), tmp_path, os.environ) as program:
        assert program.stdout.readline()

        program.kill()

        assert program.wait(PATIENCE) == -signal.SIGKILL


def test_output_that_cannot_be_written_ends_it_as_the_interpreter_does(tmp_path: Path) -> None:
    program = str(tmp_path / "full.py")
    Path(program).write_text("import sys\nprint('much')\nsys.exit(3)\n")

    with Path("/dev/full").open("w") as full, TemporaryFile() as told, TemporaryFile() as error:
        streams = (full, full, told)
        code = forked_program().fork((program,), tmp_path, os.environ, streams).wait(PATIENCE)
        started = subprocess.run(  # noqa: S603 - the same program
            [sys.executable, program], stdout=full, stderr=error, check=False
        )

        assert code == started.returncode != 3
        last = "OSError: [Errno 28] No space left on device"
        assert [text_in(each).splitlines()[-1] for each in (told, error)] == [last, last]
