"""Bells and the listener that rings them."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest
from lab import PATIENCE, Lab

from flowledger.engine.store.wakeups import ProcessBell, Wakeups

LISTENERS = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and application_name = 'listener'"
)
CUT = LISTENERS.replace("count(*)", "count(pg_terminate_backend(pid))")


@pytest.fixture
def wakeups(lab: Lab) -> Generator[Wakeups]:
    made = Wakeups(
        lab.url,
        application_name="listener",
        connect_timeout_seconds=PATIENCE,
        reconnect_initial_seconds=0.01,
        reconnect_cap_seconds=0.05,
    )
    yield made
    made.stop()


def notify(lab: Lab, channel: str) -> None:
    lab.rows("select pg_notify(%s, '')", f"flowledger.{channel}")


def test_a_bell_remembers_what_rang_while_nobody_waited() -> None:
    bell = ProcessBell()
    bell.ring("queue")
    bell.ring("clock")
    bell.ring("queue")

    assert bell.wait(PATIENCE) == {"queue", "clock"}
    assert bell.wait(0) == frozenset()


def test_a_waiter_goes_on_when_the_bell_rings() -> None:
    bell = ProcessBell()
    heard: list[frozenset[str]] = []
    waiter = Thread(target=lambda: heard.append(bell.wait(PATIENCE)))
    waiter.start()

    bell.ring("queue")
    waiter.join(PATIENCE)

    assert heard == [{"queue"}]


def test_every_bell_rings_once_it_listens(lab: Lab, wakeups: Wakeups) -> None:
    """Whatever was committed before is looked for once more."""
    bells = [wakeups.bell("queue"), wakeups.bell("ended", "clock")]

    wakeups.start()

    assert bells[0].wait(PATIENCE) == {"queue"}
    assert bells[1].wait(PATIENCE)


def test_a_notification_rings_the_bells_of_its_channel(lab: Lab, wakeups: Wakeups) -> None:
    queue, clock = wakeups.bell("queue"), wakeups.bell("clock")
    wakeups.start()
    for bell in (queue, clock):
        bell.wait(PATIENCE)

    notify(lab, "queue")

    assert queue.wait(PATIENCE) == {"queue"}
    assert clock.wait(0) == frozenset()


def test_a_ring_within_the_process_needs_no_database(wakeups: Wakeups) -> None:
    bell = wakeups.bell("queue")

    wakeups.ring("queue")

    assert bell.wait(0) == {"queue"}


def test_a_listener_whose_connection_is_cut_listens_again(lab: Lab, wakeups: Wakeups) -> None:
    bell = wakeups.bell("queue")
    wakeups.start()
    bell.wait(PATIENCE)

    assert lab.value(CUT) == 1

    # All bells ring when it is back, and from then on it hears what is said.
    assert bell.wait(PATIENCE) == {"queue"}
    notify(lab, "queue")
    assert bell.wait(PATIENCE) == {"queue"}


def test_whoever_waits_goes_on_when_listening_stops(lab: Lab, wakeups: Wakeups) -> None:
    bell = wakeups.bell("queue")
    wakeups.start()
    bell.wait(PATIENCE)

    wakeups.stop()

    assert bell.wait(PATIENCE) == {"queue"}
    lab.until(lambda: lab.value(LISTENERS) == 0)


def test_a_process_with_many_open_files_hears_too(lab: Lab, wakeups: Wakeups) -> None:
    bell = wakeups.bell("queue")
    with ExitStack() as opened:
        for _ in range(1_024):
            opened.enter_context(Path("/dev/null").open("rb"))
        wakeups.start()
        bell.wait(PATIENCE)

        notify(lab, "queue")

        assert bell.wait(PATIENCE) == {"queue"}


def test_only_a_listener_that_was_cut_off_says_that_it_is_back(
    lab: Lab, wakeups: Wakeups, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flowledger")
    bell = wakeups.bell("queue")
    wakeups.start()
    bell.wait(PATIENCE)
    assert "listener.reconnected" not in caplog.text

    lab.value(CUT)
    bell.wait(PATIENCE)

    assert "listener.reconnected" in caplog.text
