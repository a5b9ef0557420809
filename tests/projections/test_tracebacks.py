"""Where a projection's method raised: told to who looks at one of them, and at debug."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from flowledger.engine.events import StepCompleted
from flowledger.projections import Cursor, OnError, Projection, on
from support.cli import Command
from support.engines import EngineHarness
from support.projection_hosts import WORD, ProjectionHosts
from support.spend_projection import TABLES, charged, record


class Silent(Exception):
    """It cannot even say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Raises(Projection):
    name, version = "money", 1
    tables = TABLES
    error: Exception = ValueError("eve is broken\nand so\x1b[31m is \0 bob")

    @on(StepCompleted)
    def charged(self, event: StepCompleted, cursor: Cursor) -> None:
        deeper_in_the_method(self.error)


def deeper_in_the_method(error: Exception) -> None:
    raise error


def raises(on_error: OnError, **members: Any) -> type[Raises]:
    return type("Raises", (Raises,), {"name": "money", "on_error": on_error, **members})


@pytest.fixture
def command(harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    with ExitStack() as opened:
        yield Command(harness.url, tmp_path, opened)


SAID = "ValueError: eve is broken and so\\x1b[31m is \\x00 bob"


def test_status_says_it_in_a_line_and_where_to_who_asks(
    harness: EngineHarness, hosts: ProjectionHosts, command: Command
) -> None:
    place = record(harness, [charged("ann")])
    hosts.host(raises("stop")).settle()

    brief = command("projections", "status", "money").out
    told = command("projections", "status", "money", "-v").out
    fields = command("projections", "status", "money", "-v", "--json").value

    assert f"  it failed once at position {place}: {SAID}\n" in brief
    assert "Traceback" not in brief
    lines = told.splitlines()
    assert "  | Traceback (most recent call last):" in lines
    assert any(line.startswith("  |   File") and "deeper_in_the_method" in line for line in lines)
    assert "Traceback (most recent call last):" in fields["traceback"]
    assert "Traceback" not in command("projections", "list").out
    assert "Traceback" not in command("health").out


@pytest.mark.parametrize("on_error", ["park_event", "park_task"])
def test_a_parked_event_is_listed_in_a_line_and_shown_with_where(
    harness: EngineHarness, hosts: ProjectionHosts, command: Command, on_error: OnError
) -> None:
    place = record(harness, [charged("ann")])
    hosts.host(raises(on_error)).settle()

    listed = command("projections", "parked", "list", "money").out
    shown = command("projections", "parked", "show", "money", "--position", str(place))
    other = command("projections", "parked", "show", "money", "--position", "9999")

    assert listed.endswith(f": {SAID}\n")
    assert listed.count("\n") == 1
    assert shown.out.startswith(listed)
    assert "deeper_in_the_method" in shown.out
    assert (other.code, other.out) == (1, "nothing is parked at position 9999\n")


def test_a_retry_that_fails_says_where_it_failed_now(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    place = record(harness, [charged("ann")])
    money = raises("park_event")
    host = hosts.host(money)
    host.settle()
    money.error = KeyError("no such customer")
    hosts.projections.retry_parked("money", **WORD)
    host.settle()

    (event,) = hosts.projections.parked("money")

    traceback = hosts.projections.traceback("money", generation=1, position=place)
    assert event.error == "KeyError: 'no such customer'"
    assert "KeyError: 'no such customer'" in str(traceback)


@pytest.mark.parametrize("error", [None, ValueError("the same object")], ids=["anew", "the same"])
def test_each_try_has_one_traceback_of_its_own(
    harness: EngineHarness, hosts: ProjectionHosts, error: Exception | None
) -> None:
    record(harness, [charged("ann"), charged("bob"), charged("cid"), charged("eve")])
    place = harness.value("select max(notification_id) from flowledger.event")
    money = failing_at("eve", error)
    host = hosts.host(money, retry_initial_seconds=20.0, retry_cap_seconds=20.0)
    tracebacks: list[str] = []

    for _ in range(3):
        host.settle()
        raised = hosts.projections.traceback("money", generation=1, position=place)
        tracebacks.append(str(raised))
        harness.move_clock("21 seconds")

    assert [one.count("Traceback (most recent call last)") for one in tracebacks] == [1, 1, 1]
    assert "During handling" not in "".join(tracebacks)
    assert [one.count("deeper_in_the_method(error") for one in tracebacks] == [1, 1, 1]


def failing_at(customer: str, error: Exception | None) -> type[Raises]:
    """It fails at the event of one customer, with an error of its own, or always the same one."""

    class Failing(Raises):
        name, on_error = "money", "stop"

        @on(StepCompleted)
        def charged(self, event: StepCompleted, cursor: Cursor) -> None:
            if customer in str(event.result):
                deeper_in_the_method(error or ValueError("anew"))

    return Failing


def test_what_is_skipped_keeps_where_it_raised(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    place = record(harness, [charged("ann")])
    hosts.host(raises("stop")).settle()
    hosts.projections.skip("money", position=place, **WORD)

    traceback = hosts.projections.traceback("money", generation=1, position=place)

    assert "deeper_in_the_method" in str(traceback)


@pytest.mark.parametrize("on_error", ["stop", "park_event"])
def test_the_log_has_a_line_and_at_debug_the_place(
    harness: EngineHarness, hosts: ProjectionHosts, on_error: OnError
) -> None:
    place = record(harness, [charged("ann")])

    with capture_logs() as lines:
        hosts.host(raises(on_error)).settle()

    name = "projection.stopped" if on_error == "stop" else "projection.event_parked"
    (told,) = [line for line in lines if line["event"] == name]
    (raised,) = [line for line in lines if line["event"] == "projection.raised"]
    assert (told["position"], told["error"]) == (place, SAID)
    assert "traceback" not in told
    assert (raised["log_level"], raised["position"]) == ("debug", place)
    assert "deeper_in_the_method" in raised["traceback"]


@pytest.mark.parametrize("limit", [0, 300])
def test_it_is_cut_to_its_end(harness: EngineHarness, hosts: ProjectionHosts, limit: int) -> None:
    place = record(harness, [charged("ann")])
    error = ValueError("é" * 1_000)

    hosts.host(raises("stop", error=error), traceback_limit_bytes=limit).settle()

    traceback = hosts.projections.traceback("money", generation=1, position=place) or ""
    assert len(traceback.encode()) <= limit
    assert bool(traceback) is bool(limit)
    assert "\ufffd" not in traceback


def test_an_exception_that_cannot_be_described_stops_no_other(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    place = record(harness, [charged("ann")])

    hosts.host(raises("stop", error=Silent()), raises("stop", name="others")).settle()

    status = hosts.projections.status("money")
    assert (status.failed_position, status.failure) == (place, "Silent: Silent")
    assert hosts.projections.status("others").failure == SAID
