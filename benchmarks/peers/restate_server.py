"""A Restate server of one's own: one node, its settings as they come, its storage in a new folder.

It appends to its log with fsync, as it does by default; nothing is set but where it stores and
listens, and that it sends no telemetry.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

PACKAGE = "@restatedev/restate-server-linux-x64"
INSTALLED = (
    Path(__file__).parents[2] / ".venv" / "restate" / "node_modules" / PACKAGE / "bin"
) / "restate-server"
HOST = "127.0.0.1"
START_SECONDS = 60.0
POLL_SECONDS = 0.05


def binary() -> Path | None:
    """What `make bench-setup` installs, or a `restate-server` on the path; None: there is none."""
    if INSTALLED.exists() and platform.system() == "Linux":
        return INSTALLED
    found = shutil.which("restate-server")
    return Path(found) if found else None


def version() -> str:
    """The server's version, without its name. Raises RuntimeError where there is no server."""
    found = binary()
    if found is None:
        raise RuntimeError("there is no restate-server")
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - what was installed for this
    return told.stdout.split()[1]


def free_port() -> int:
    """A port of the loopback that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Server:
    """Where a running server is asked."""

    ingress: int
    admin: int

    def register(self, port: int) -> None:
        """Have it call the services that listen on that port."""
        request(self.admin, "POST", "/deployments", {"uri": f"http://{HOST}:{port}"})

    @property
    def is_ready(self) -> bool:
        """Whether it takes both registrations and calls."""
        try:
            request(self.admin, "GET", "/health")
            request(self.ingress, "GET", "/restate/health")
        except (OSError, RuntimeError):
            return False
        return True


def request(port: int, method: str, path: str, body: Any = None) -> Any:
    """One exchange of JSON. Raises RuntimeError with what a server says that refuses."""
    connection = HTTPConnection(HOST, port, timeout=START_SECONDS)
    try:
        return exchange(connection, method, path, body)
    finally:
        connection.close()


def exchange(connection: HTTPConnection, method: str, path: str, body: Any = None) -> Any:
    """The same on a connection that is kept."""
    headers = {"content-type": "application/json"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    told = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: {response.status} {told.decode(errors='replace')}")
    return json.loads(told) if told else None


@contextmanager
def server() -> Iterator[Server]:
    """A server for as long as the block runs, and nothing of it afterwards."""
    found = binary()
    if found is None:
        raise RuntimeError("there is no restate-server")
    folder = Path(tempfile.mkdtemp(prefix="flowledger-bench-restate-"))
    running = Server(free_port(), free_port())
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - what was installed for this
            [found, "--no-logo", "--listen-mode", "tcp", "--bind-ip", HOST],
            env={**os.environ, **_settings(folder, running)},
            stdout=log,
            stderr=log,
        )
    try:
        _until_ready(process, running, folder / "log")
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _settings(folder: Path, server: Server) -> dict[str, str]:
    return {
        "RESTATE_BASE_DIR": str(folder),
        "RESTATE_BIND_PORT": str(free_port()),
        "RESTATE_INGRESS__BIND_ADDRESS": f"{HOST}:{server.ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"{HOST}:{server.admin}",
        "RESTATE_DISABLE_TELEMETRY": "true",
    }


def _until_ready(process: subprocess.Popen[bytes], server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.is_ready:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"restate-server did not start: {log.read_text('utf-8')[-2000:]}")
        time.sleep(POLL_SECONDS)
