"""Bells and the listener that rings them."""

from __future__ import annotations

import logging
import os
import resource
import signal
from collections.abc import Generator
from contextlib import ExitStack
from errno import EMFILE
from pathlib import Path
from selectors import DefaultSelector, SelectorKey
from socket import socket
from threading import Thread
from typing import NoReturn

import pytest

from flowledger.engine.store import notifications
from flowledger.engine.store.notifications import Notifications, ProcessWakeup
from support.engines import PATIENCE, EngineHarness

LISTENERS = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and application_name = 'listener'"
)
CUT = LISTENERS.replace("count(*)", "count(pg_terminate_backend(pid))")


@pytest.fixture
def wakeups(harness: EngineHarness) -> Generator[Notifications]:
    made = Notifications(
        harness.url,
        application_name="listener",
        connect_timeout_seconds=PATIENCE,
        reconnect_initial_seconds=0.01,
        reconnect_cap_seconds=0.05,
    )
    yield made
    made.stop(PATIENCE)


def notify(harness: EngineHarness, channel: str) -> None:
    harness.rows("select pg_notify(%s, '')", f"flowledger.{channel}")


def test_a_bell_remembers_what_rang_while_nobody_waited() -> None:
    wakeup = ProcessWakeup()
    wakeup.notify("queue")
    wakeup.notify("clock")
    wakeup.notify("queue")

    assert wakeup.wait(PATIENCE) == {"queue", "clock"}
    assert wakeup.wait(0) == frozenset()


def test_a_waiter_goes_on_when_the_bell_rings() -> None:
    wakeup = ProcessWakeup()
    heard: list[frozenset[str]] = []
    waiter = Thread(target=lambda: heard.append(wakeup.wait(PATIENCE)))
    waiter.start()

    wakeup.notify("queue")
    waiter.join(PATIENCE)

    assert heard == [{"queue"}]


def test_every_bell_rings_once_it_listens(harness: EngineHarness, wakeups: Notifications) -> None:
    """Whatever was committed before is looked for once more."""
    one, other = wakeups.subscribe("queue"), wakeups.subscribe("ended", "clock")

    wakeups.start()

    assert one.wait(PATIENCE) == {"queue"}
    assert other.wait(PATIENCE)


def test_a_notification_rings_the_bells_of_its_channel(
    harness: EngineHarness, wakeups: Notifications
) -> None:
    queue, clock = wakeups.subscribe("queue"), wakeups.subscribe("clock")
    wakeups.start()
    for wakeup in (queue, clock):
        wakeup.wait(PATIENCE)

    notify(harness, "queue")

    assert queue.wait(PATIENCE) == {"queue"}
    assert clock.wait(0) == frozenset()


def test_a_ring_within_the_process_needs_no_database(wakeups: Notifications) -> None:
    wakeup = wakeups.subscribe("queue")

    wakeups.notify("queue")

    assert wakeup.wait(0) == {"queue"}


def test_a_listener_whose_connection_is_cut_listens_again(
    harness: EngineHarness, wakeups: Notifications
) -> None:
    wakeup = wakeups.subscribe("queue")
    wakeups.start()
    wakeup.wait(PATIENCE)

    assert harness.value(CUT) == 1

    # All bells ring when it is back, and from then on it hears what is said.
    assert wakeup.wait(PATIENCE) == {"queue"}
    notify(harness, "queue")
    assert wakeup.wait(PATIENCE) == {"queue"}


def test_while_nobody_listens_nobody_waits_for_long(
    harness: EngineHarness, wakeups: Notifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "UNHEARD_SECONDS", 0.01)
    wakeup = wakeups.subscribe("queue")
    wakeups.start()
    harness.until(lambda: bool(wakeup.wait(PATIENCE)))
    heard: list[frozenset[str]] = []
    waiter = Thread(target=lambda: heard.append(wakeup.wait(PATIENCE)))
    waiter.start()
    monkeypatch.setattr(Notifications, "_connect", gone)

    assert harness.value(CUT) == 1
    waiter.join(PATIENCE)

    assert heard == [frozenset()]
    assert wakeup.wait(PATIENCE) == frozenset()


def test_a_session_that_is_open_and_mute_is_taken_for_lost(
    harness: EngineHarness,
    wakeups: Notifications,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wakeups._silent_seconds = 0.2
    monkeypatch.setattr(notifications, "ANSWER_SECONDS", 0.2)
    wakeup = wakeups.subscribe("queue")
    wakeups.start()
    wakeup.wait(PATIENCE)
    mute = harness.value(LISTENERS.replace("count(*)", "pid"))
    os.kill(mute, signal.SIGSTOP)
    try:
        # All bells ring when another session listens, which hears what is said.
        assert wakeup.wait(PATIENCE) == {"queue"}
        notify(harness, "queue")
        assert wakeup.wait(PATIENCE) == {"queue"}
        assert "database.unreachable" in caplog.text
        assert "has not answered for 0.2 s" in caplog.text
        assert wakeups.outages.health.ok
    finally:
        os.kill(mute, signal.SIGCONT)
    harness.until(lambda: harness.value(LISTENERS) == 1)


def test_a_session_that_answers_is_asked_now_and_then_and_kept(
    harness: EngineHarness, wakeups: Notifications
) -> None:
    wakeups._silent_seconds = 0.05
    session = LISTENERS.replace("count(*)", "pid, query_start")
    wakeup = wakeups.subscribe("queue")
    wakeups.start()
    wakeup.wait(PATIENCE)
    ((pid, began),) = harness.rows(session)
    for _ in range(3):
        seen = began
        harness.until(lambda seen=seen: harness.rows(session)[0][1] > seen)
        ((_, began),) = harness.rows(session)
        notify(harness, "queue")
        assert wakeup.wait(PATIENCE) == {"queue"}

    assert harness.rows(session)[0][0] == pid
    assert wakeup.wait(0) == frozenset()


def gone(_: Notifications) -> NoReturn:
    """There is no server."""
    raise OSError("it is gone")


def test_whoever_waits_goes_on_when_listening_stops(
    harness: EngineHarness, wakeups: Notifications
) -> None:
    wakeup = wakeups.subscribe("queue")
    wakeups.start()
    wakeup.wait(PATIENCE)

    wakeups.stop()

    assert wakeup.wait(PATIENCE) == {"queue"}
    harness.until(lambda: harness.value(LISTENERS) == 0)


def test_a_listener_sleeps_until_something_is_said_and_stops_at_once(
    harness: EngineHarness, wakeups: Notifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float | None] = []

    class Watched(DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
            slept.append(timeout)
            return super().select(timeout)

    monkeypatch.setattr(notifications, "DefaultSelector", Watched)
    wakeup = wakeups.subscribe("queue")
    wakeups.start()
    wakeup.wait(PATIENCE)
    notify(harness, "queue")
    wakeup.wait(PATIENCE)
    wakeups.stop(PATIENCE)

    assert set(slept) == {wakeups._silent_seconds}
    harness.until(lambda: harness.value(LISTENERS) == 0)


def test_one_that_cannot_sleep_for_want_of_files_is_down_and_tries_less_and_less_often(
    harness: EngineHarness, wakeups: Notifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []

    def no_more() -> tuple[socket, socket]:
        paused.append(wakeups._backoff.pause())
        raise OSError(EMFILE, "Too many open files")

    monkeypatch.setattr(notifications, "socketpair", no_more)
    wakeups.start()
    harness.until(lambda: len(paused) > 3)

    assert wakeups.outages.health.error == "[Errno 24] Too many open files"
    assert wakeups.outages.health.attempts > 1
    monkeypatch.undo()
    harness.until(lambda: wakeups.outages.health.ok)


@pytest.fixture
def many_files() -> Generator[None]:
    """As many open files as the system lets this process have: users often begin with 1 024."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_files")
def test_a_process_with_many_open_files_hears_too(
    harness: EngineHarness, wakeups: Notifications
) -> None:
    wakeup = wakeups.subscribe("queue")
    with ExitStack() as opened:
        for _ in range(1_024):
            opened.enter_context(Path("/dev/null").open("rb"))
        wakeups.start()
        wakeup.wait(PATIENCE)

        notify(harness, "queue")

        assert wakeup.wait(PATIENCE) == {"queue"}


def test_only_a_listener_that_was_cut_off_says_that_it_is_back(
    harness: EngineHarness, wakeups: Notifications, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flowledger")
    wakeup = wakeups.subscribe("queue")
    wakeups.start()
    wakeup.wait(PATIENCE)
    assert "listener.reconnected" not in caplog.text

    harness.value(CUT)
    wakeup.wait(PATIENCE)

    assert "listener.reconnected" in caplog.text


def test_what_this_process_says_does_not_wake_it_twice_and_what_others_say_does(
    harness: EngineHarness, wakeups: Notifications
) -> None:
    """Notifications come in the order of the commits: the own one was passed over by then."""
    queue, clock = wakeups.subscribe("queue"), wakeups.subscribe("clock")
    with harness.connect() as own:
        wakeups.own.add(own.info.backend_pid)
        wakeups.start()
        for wakeup in (queue, clock):
            wakeup.wait(PATIENCE)

        own.execute("select pg_notify('flowledger.queue', '')")
        own.commit()
        notify(harness, "clock")

        assert clock.wait(PATIENCE) == {"clock"}
        assert queue.wait(0) == frozenset()
        notify(harness, "queue")
        assert queue.wait(PATIENCE) == {"queue"}


def test_after_a_reconnect_everybody_wakes_it(
    harness: EngineHarness, wakeups: Notifications
) -> None:
    """Where the server was restarted, the number of an own backend may be someone else's."""
    wakeup = wakeups.subscribe("queue")
    wakeups.own.add(harness.value("select pg_backend_pid()"))
    wakeups.start()
    wakeup.wait(PATIENCE)
    assert harness.value(CUT) == 1
    assert wakeup.wait(PATIENCE) == {"queue"}

    notify(harness, "queue")

    assert wakeup.wait(PATIENCE) == {"queue"}


def test_it_listens_once_however_often_it_is_started_and_never_after_it_stopped(
    harness: EngineHarness, wakeups: Notifications
) -> None:
    wakeup = wakeups.subscribe("queue")
    wakeups.start()
    wakeup.wait(PATIENCE)
    wakeups.start()
    assert harness.value(LISTENERS) == 1

    wakeups.stop()
    harness.until(lambda: harness.value(LISTENERS) == 0)
    wakeups.start()

    wakeup.wait(0)
    assert wakeup.wait(0) == frozenset()
