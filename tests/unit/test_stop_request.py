"""Being told to stop, by a signal that any thread may be the one to get."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

PATIENCE = 30.0
PROGRAM = """
import signal, sys, threading
from flowledger.engine.cli.process_control import StopRequest

request = StopRequest()
number = getattr(signal, sys.argv[1])
thread = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), number))
threading.Timer(0.2, thread.start).start()  # earlier it would be heard anyway
request.wait()
print(request.signalled)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_that_another_thread_gets_ends_the_wait_of_the_main_one(name: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, name],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


FIRST = ("unshare", "--pid", "--fork", "--kill-child")
IMPORTING = """
import os, signal, sys
from flowledger.engine.cli import end_at_once_when_told, main
sys.modules.pop("flowledger.engine.cli.program", None)
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "flowledger.engine.cli.program":
            print("importing", flush=True)
            signal.pause()
sys.meta_path.insert(0, Slow())
main()
"""


def may_be_first() -> bool:
    """Whether a process may be made the first of a namespace here."""
    try:
        return subprocess.run([*FIRST, "true"], check=False).returncode == 0  # noqa: S603
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not may_be_first(), reason="needs `unshare --pid`, as root")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_first_process_of_a_container_ends_while_it_imports(number: signal.Signals) -> None:
    with subprocess.Popen(  # noqa: S603 - our own program
        [*FIRST, sys.executable, "-c", IMPORTING], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout
        assert starter.stdout.readline() == "importing\n"
        (first,) = psutil.Process(starter.pid).children()
        first.send_signal(number)

        assert starter.wait(PATIENCE) == 128 + number


def test_what_nohup_ignores_stays_ignored() -> None:
    program = (
        "import os, signal\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from flowledger.engine.cli.process_control import StopRequest\n"
        "request = StopRequest()\n"
        "os.kill(os.getpid(), signal.SIGHUP)\n"
        "print(request.asked_within(0), request.signalled)"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "False False\n"
