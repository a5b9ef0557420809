"""Being told to stop, by a signal that any thread may be the one to get."""

from __future__ import annotations

import subprocess
import sys

import pytest

PATIENCE = 30.0
PROGRAM = """
import signal, sys, threading
from flowledger.engine.cli.stopping import StopRequest

request = StopRequest()
number = getattr(signal, sys.argv[1])
thread = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), number))
threading.Timer(0.2, thread.start).start()  # earlier it would be heard anyway
request.wait()
print(request.signalled)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_that_another_thread_gets_ends_the_wait_of_the_main_one(name: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, name],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
