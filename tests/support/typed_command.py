"""What `flowledger` is where a page's commands are typed: it is forked, and costs no imports.

It is a program of its own, which imports nothing of this project: an interpreter without `site`
starts in a tenth of the time.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

LENGTH = 8
COMMAND = ("-m", "flowledger.engine.cli")
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(address: str, *arguments: str) -> int:
    """Its exit code, when it has ended."""
    program = [*COMMAND, *arguments]
    cwd = os.getcwd()  # noqa: PTH109 - an import that costs more than the rest
    asked = json.dumps({"program": program, "cwd": cwd, "env": dict(os.environ)}).encode()
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    with socket.socket(socket.AF_UNIX) as answers:
        answers.connect(address)
        socket.send_fds(answers, [len(asked).to_bytes(LENGTH, "big")], [0, 1, 2])
        answers.sendall(asked)
        pid = int(answers.recv(LENGTH))
        for number in PASSED_ON:
            signal.signal(number, lambda got, _: os.kill(pid, got))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        while not (said := answers.recv(LENGTH).strip()).lstrip(b"-").isdigit():
            pass  # it was stopped
    code = int(said)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
