"""Notifications: one thread that LISTENs, and wakeups for every loop of the process.

Protocol. The thread listens first and notifies all wakeups after that, so that whatever was
committed before it listened is looked for once more. A wakeup remembers that it was notified: a
wait that starts later ends at once. If the connection is lost, the thread connects again, with
growing pauses, and notifies all wakeups again. A session may also be open and mute, which nothing
tells: where nothing came for `silent_seconds` the thread asks it something, and takes one that does
not answer within ANSWER_SECONDS for lost. While it does not listen, nobody waits longer than
UNHEARD_SECONDS. A lost notification costs at most one poll interval, because no loop waits without
a limit.

What this process commits it notifies itself, ahead of the database. `own` holds the backends that
it commits with, so that it is not woken twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from socket import socket, socketpair
from threading import Event, Lock
from time import monotonic

from psycopg.pq.abc import PGconn

from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import Connection, connect
from flowledger.engine.store.connection.session import Unanswered
from flowledger.engine.telemetry.lasting_thread import lasting_thread
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Backoff, Outages

CHANNELS = (
    "fact",
    "queue",
    "cancel",
    "ended",
    "stored",
    "submission",
    "clock",
    "shard",
    "room",
    "projection",
)
PREFIX = "flowledger."
UNHEARD_SECONDS = 1.0
"""So long does a loop wait at most while nobody would tell it of a notification."""
ANSWER_SECONDS = 5.0
"""So long may its answer take."""


class ProcessWakeup:
    """What one waiter waits on."""

    def __init__(self, heard: Callable[[], bool] = lambda: True) -> None:
        """`heard` says whether notifications of the database reach it now."""
        self._heard = heard
        self._event = Event()
        self._lock = Lock()
        self._woken_by: set[str] = set()

    def notify(self, channel: str) -> None:
        """Let the waiter go on."""
        with self._lock:
            self._woken_by.add(channel)
        self._event.set()

    def unheard(self) -> None:
        """Let who waits for long know that nobody listens any more."""
        self._event.set()

    def wait(self, seconds: float) -> frozenset[str]:
        """The channels that were notified since the last wait; empty when the time is up."""
        began = monotonic()
        while not self._woken_by:
            most = seconds if self._heard() else min(seconds, UNHEARD_SECONDS)
            left = began + most - monotonic()
            if left <= 0:
                break
            if self._event.wait(left) and not self._woken_by:
                self._event.clear()  # it was told that nobody listens
        with self._lock:
            self._event.clear()
            woken_by, self._woken_by = frozenset(self._woken_by), set()
        return woken_by


class Notifications:
    """Carries notifications of the database, and of this process, to wakeups."""

    def __init__(  # noqa: PLR0913 - keywords, each a setting of its own
        self,
        url: str,
        *,
        application_name: str,
        connect_timeout_seconds: float,
        reconnect_initial_seconds: float,
        reconnect_cap_seconds: float,
        tcp_keepalive_seconds: float | None = None,
        silent_seconds: float = 30.0,
        revive: Callable[[], object] = lambda: None,
    ) -> None:
        """`revive` is called before it connects again: it may bring the server back."""
        self._url = url
        self._name = application_name
        self._revive = revive
        self._connect_timeout = connect_timeout_seconds
        self._silence = tcp_keepalive_seconds
        self._silent_seconds = silent_seconds
        self._backoff = Backoff(reconnect_initial_seconds, reconnect_cap_seconds)
        self._subscribers: dict[str, list[ProcessWakeup]] = {channel: [] for channel in CHANNELS}
        self.own: set[int] = set()
        self.outages = Outages("wakeups", over=Signal.LISTENER_RECONNECTED)
        self._listens = False
        self._stopping = Event()
        self._told_to_stop: socket | None = None
        self._thread = lasting_thread(
            "flowledger-wakeups", self._run, self.outages.failed, self._stopping.is_set
        )

    def subscribe(self, *channels: str) -> ProcessWakeup:
        """A new wakeup for these channels. To be asked before `start`."""
        wakeup = ProcessWakeup(lambda: self._listens or not channels)
        for channel in channels:
            self._subscribers[channel].append(wakeup)
        return wakeup

    def notify(self, channel: str) -> None:
        """Notify within this process, ahead of the database's notification."""
        for wakeup in self._subscribers[channel]:
            wakeup.notify(channel)

    def start(self) -> None:
        """Listen, in a thread of its own. Once; again it does nothing."""
        if not self._thread.is_alive() and not self._stopping.is_set():
            self.outages.of_thread(self._thread)
            self._thread.start()

    def stop(self, seconds: float | None = None) -> None:
        """Stop listening, and let every waiter go on.

        Waits at most so many seconds for the thread, which may be waiting for a silent server.
        """
        self._stopping.set()
        if self._told_to_stop is not None:
            with suppress(OSError):  # it has stopped
                self._told_to_stop.send(b".")
        self._notify_all()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self.outages.health.ok:
                    self._revive()
                with translate_errors(), self._connect() as connection:
                    self._listen(connection)
            except BaseException as error:  # noqa: BLE001 - without it everybody would only poll
                self._unheard()
                self.outages.failed(error)
                # Where the server was restarted, its process ids begin anew.
                self.own.clear()
                self._stopping.wait(self._backoff.pause())
        self.outages.left()

    def _connect(self) -> Connection:
        connection = connect(
            self._url,
            application_name=self._name,
            connect_timeout_seconds=self._connect_timeout,
            tcp_keepalive_seconds=self._silence,
        )
        connection.answer_seconds = self._connect_timeout  # to be asked; it may be heard any time
        return connection

    def _listen(self, connection: Connection) -> None:
        for channel in CHANNELS:
            if self._subscribers[channel]:
                connection.execute(f'listen "{PREFIX}{channel}"'.encode())
        told, tells = socketpair()
        with told, tells, DefaultSelector() as readable:
            for source in (connection, told):
                readable.register(source, EVENT_READ)
            self._backoff.reset()
            self.outages.succeeded()
            self._notify_all()
            self._listens = True
            self._told_to_stop = tells  # before it looks whether it was stopped already
            asked = False
            while not self._stopping.is_set():
                if readable.select(ANSWER_SECONDS if asked else self._silent_seconds):
                    self._forward(connection.pgconn)
                    asked = asked and not _answered(connection.pgconn)
                elif asked:
                    connection.pgconn.finish()  # or to close it would wait for the answer
                    raise Unanswered(f"the database has not answered for {ANSWER_SECONDS:.3g} s")
                else:
                    connection.pgconn.send_query(b"select")
                    connection.pgconn.flush()
                    asked = True

    def _forward(self, server: PGconn) -> None:
        # Straight from libpq: psycopg's generator takes ten times as long, and it would take it
        # from the loops of this process, which share the interpreter with this thread.
        server.consume_input()
        while (notify := server.notifies()) is not None:
            if notify.be_pid not in self.own:
                self.notify(notify.relname.decode().removeprefix(PREFIX))

    def _unheard(self) -> None:
        self._listens = False
        for wakeup in {one for all_of in self._subscribers.values() for one in all_of}:
            wakeup.unheard()

    def _notify_all(self) -> None:
        for channel in CHANNELS:
            self.notify(channel)


def _answered(server: PGconn) -> bool:
    """Whether all that was asked has been answered, by what has been read."""
    while not server.is_busy():
        if server.get_result() is None:
            return True
    return False
