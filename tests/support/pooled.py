"""Poolers in front of the tests' server: the real PgBouncer, and one that is always at hand."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import psycopg
from psycopg import conninfo

from support.engines import PATIENCE

PGBOUNCER = shutil.which(
    "pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
)
GREETED = 424242
"""The process that `relay` greets with; no server has it."""


def free_port() -> int:
    """A port of the loopback that nobody has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def pgbouncer(url: str, mode: str, **more: object) -> Generator[str]:
    """The address of a PgBouncer in front of the database, in one of its three modes."""
    assert PGBOUNCER
    parts = conninfo.conninfo_to_dict(url)
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    owner = Path(str(parts["host"])).stat() if str(parts["host"]).startswith("/") else None
    port = free_port()
    target = " ".join(f"{key}='{parts[key]}'" for key in ("host", "port", "user") if key in parts)
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "auth_type": "any",
        "pool_mode": mode,
        "unix_socket_dir": "",
        "logfile": folder / "log",
        **more,
    }
    lines = [f"{key} = {value}" for key, value in settings.items()]
    text = [f"[databases]\n* = {target}\n[pgbouncer]", *lines]
    (folder / "pgbouncer.ini").write_text("\n".join(text) + "\n", "utf-8")
    other: dict[str, Any] = {}
    if os.getuid() == 0 and owner:  # it refuses to run as root, and the socket is its owner's
        os.chown(folder, owner.st_uid, owner.st_gid)
        other = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": ()}
    command = [PGBOUNCER, "-q", folder / "pgbouncer.ini"]
    process = subprocess.Popen(command, **other)  # noqa: S603 - the program that is tried
    address = f"postgresql://{parts.get('user')}@127.0.0.1:{port}/{parts['dbname']}"
    try:
        _await(process, port, folder)
        yield address
    finally:
        process.terminate()
        process.wait(PATIENCE)
        shutil.rmtree(folder)


def _await(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            break
    log = folder / "log"
    raise AssertionError(log.read_text() if log.exists() else "pgbouncer does not answer")


class Relay:
    """Greets as another process than the one that answers; by transaction, shares one session."""

    def __init__(self, url: str, *, by_transaction: bool) -> None:
        self._url = url
        self._shared, self._greeting = self._session() if by_transaction else (None, b"")
        self._turn = Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._shared] if self._shared else []
        parts = conninfo.conninfo_to_dict(url)
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://{parts.get('user')}@127.0.0.1:{port}/{parts['dbname']}"
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Cut everybody off."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _session(self) -> tuple[socket.socket, bytes]:
        """A session of the server, and the greeting of its client; many may begin at once."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            parts = connection.info
            family = socket.AF_UNIX if parts.host.startswith("/") else socket.AF_INET
            address = f"{parts.host}/.s.PGSQL.{parts.port}"
            server = socket.socket(family)
            server.connect(address if family == socket.AF_UNIX else (parts.host, parts.port))
            words = f"user\0{parts.user}\0database\0{parts.dbname}\0client_encoding\0UTF8\0\0"
        body = struct.pack("!i", 196608) + words.encode()
        server.sendall(struct.pack("!i", len(body) + 4) + body)
        greeting = b""
        for kind, message in _messages(server):
            if kind == b"K":
                message = struct.pack("!ii", GREETED, 7)  # noqa: PLW2901
            greeting += kind + struct.pack("!i", len(message) + 4) + message
            if kind == b"Z":
                break
        return server, greeting

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server, greeting = self._shared, self._greeting
        if server is None:
            server, greeting = self._session()
            self._sockets.append(server)
        with suppress(OSError), closing(client):
            self._greet(client, greeting)
            if server is not self._shared:
                Thread(target=_copy, args=(server, client), daemon=True).start()
                _copy(client, server)
                server.close()
                return
            self._take_turns(client, server)

    def _greet(self, client: socket.socket, greeting: bytes) -> None:
        while True:
            (length,) = struct.unpack("!i", _exactly(client, 4))
            code = struct.unpack("!i", _exactly(client, length - 4)[:4])[0]
            if code == 196608:
                break
            client.sendall(b"N")  # neither TLS nor GSSAPI
        client.sendall(greeting)

    def _take_turns(self, client: socket.socket, server: socket.socket) -> None:
        held = False
        try:
            for kind, message in _messages(client):
                if kind == b"X":
                    return
                if not held:
                    held = self._turn.acquire()
                server.sendall(kind + struct.pack("!i", len(message) + 4) + message)
                if kind in b"SQ" and _answer(server, client) == b"I":
                    self._turn.release()
                    held = False
        finally:
            if held:
                self._turn.release()


def _answer(server: socket.socket, client: socket.socket) -> bytes:
    """Hand on what the server says until it is ready; the state of its transaction."""
    for kind, message in _messages(server):
        client.sendall(kind + struct.pack("!i", len(message) + 4) + message)
        if kind == b"Z":
            return message
    return b""


def _messages(source: socket.socket) -> Generator[tuple[bytes, bytes]]:
    while kind := source.recv(1):
        (length,) = struct.unpack("!i", _exactly(source, 4))
        yield kind, _exactly(source, length - 4)


def _exactly(source: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = source.recv(size - len(found))
        if not part:
            raise OSError("closed")
        found += part
    return found


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)


class Cutter:
    """Between a client and the server; the answer to what it is told of is lost."""

    def __init__(self, url: str) -> None:
        parts = conninfo.conninfo_to_dict(url)
        self._server = str(parts["host"]), str(parts["port"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._marker: bytes | None = None
        self.cuts = 0
        port = self._listener.getsockname()[1]
        plain = "sslmode=disable&gssencmode=disable"
        self.url = f"postgresql://{parts['user']}@127.0.0.1:{port}/{parts['dbname']}?{plain}"
        Thread(target=self._accept, daemon=True).start()

    def cut(self, marker: str) -> None:
        """Lose the answer to the next statement whose text has this."""
        self._marker = marker.encode()

    def close(self) -> None:
        """Cut everybody off."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        host, port = self._server
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                local = host.startswith("/")
                server = socket.socket(socket.AF_UNIX if local else socket.AF_INET)
                self._sockets += [client, server]
                server.connect(f"{host}/.s.PGSQL.{port}" if local else (host, int(port)))
                seen: list[bytes] = []
                Thread(target=self._ask, args=(client, server, seen), daemon=True).start()
                Thread(target=self._answer, args=(server, client, seen), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, seen: list[bytes]) -> None:
        with suppress(OSError):
            while part := client.recv(65536):
                if self._marker is not None and self._marker in part:
                    self._marker = None
                    seen.append(part)
                server.sendall(part)
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket, seen: list[bytes]) -> None:
        done = False
        with suppress(OSError):
            for kind, message in _messages(server):
                done = done or (bool(seen) and kind == b"C")
                if not done:
                    client.sendall(kind + struct.pack("!i", len(message) + 4) + message)
                elif kind == b"Z":
                    self.cuts += 1
                    break
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(url: str, *, by_transaction: bool) -> Generator[str]:
    """The address of a relay in front of the database."""
    with closing(Relay(url, by_transaction=by_transaction)) as made:
        yield made.url
