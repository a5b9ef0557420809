"""An outage is told when it begins and when it ends, and not at each attempt."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.errors import DatabaseBusy, DatabaseUnavailable, StatementRefused
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Backoff, Health, OutageLog, Outages

AWAY = DatabaseUnavailable("away")
FULL = DatabaseBusy("full", "53100")
LOCKED = DatabaseBusy("locked", "55P03")
FORBIDDEN = StatementRefused("forbidden", "42501")


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "flowledger")
    return caplog


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().split()[0] for record in caplog.records]


def test_however_many_attempts_fail_it_is_told_once(told: pytest.LogCaptureFixture) -> None:
    outages = Outages("coordinator")
    for _ in range(5):
        outages.failed(AWAY)
    outages.succeeded()
    outages.succeeded()

    lost, back = (vars(record)["flowledger"] for record in told.records)
    assert events(told) == ["database.unreachable", "database.recovered"]
    assert (lost["component"], lost["error"]) == ("coordinator", "away")
    assert (back["component"], back["attempts"]) == ("coordinator", 5)
    assert back["seconds"] >= 0


def test_each_outage_is_told_anew(told: pytest.LogCaptureFixture) -> None:
    outages = Outages("worker")
    for _ in range(2):
        outages.failed(AWAY)
        outages.succeeded()

    assert events(told) == ["database.unreachable", "database.recovered"] * 2


def test_within_an_outage_each_meaning_and_code_is_told_once(
    told: pytest.LogCaptureFixture,
) -> None:
    outages = Outages("worker")
    for error in (AWAY, FULL, AWAY, LOCKED, FULL, FORBIDDEN, ValueError("odd"), ValueError("odd")):
        outages.failed(error)

    assert events(told) == [
        "database.unreachable", "database.busy", "database.busy", "database.refused", "loop.failed",
    ]  # fmt: skip
    states = [vars(record)["flowledger"]["sqlstate"] for record in told.records]
    assert states == [None, "53100", "55P03", "42501", None]
    assert [record.levelname for record in told.records] == ["WARNING"] * 3 + ["ERROR"] * 2


def test_a_server_that_is_going_and_then_gone_is_one_loss(
    told: pytest.LogCaptureFixture,
) -> None:
    outages = Outages("worker")
    outages.failed(DatabaseUnavailable("terminating connection", "57P01"))
    outages.failed(AWAY)

    assert events(told) == ["database.unreachable"]
    assert outages.health.sqlstate is None


def test_only_what_nobody_expected_is_told_with_its_traceback(
    told: pytest.LogCaptureFixture,
) -> None:
    for error in (FORBIDDEN, KeyError("odd")):
        Outages("worker").failed(error)

    refused, failed = (record.getMessage() for record in told.records)
    assert "StatementRefused" not in refused
    assert "KeyError: 'odd'" in failed


def test_health_says_since_when_how_often_and_why() -> None:
    outages = Outages("worker")
    assert outages.health == Health()
    assert outages.health.ok

    outages.failed(AWAY)
    began = outages.health.since
    outages.failed(FULL)

    assert outages.health == Health(began, 2, "full", "53100")
    assert not outages.health.ok
    outages.succeeded()
    assert outages.health == Health()


def test_what_is_over_may_be_called_by_another_name(told: pytest.LogCaptureFixture) -> None:
    outages = Outages("wakeups", over=Signal.LISTENER_RECONNECTED)
    outages.failed(AWAY)
    outages.succeeded()

    assert events(told) == ["database.unreachable", "listener.reconnected"]


def test_loops_of_one_role_tell_an_outage_together(told: pytest.LogCaptureFixture) -> None:
    telling = OutageLog("coordinator")
    first, second = (Outages(f"coordinator-{shard}", telling=telling) for shard in range(2))
    for _ in range(2):
        first.failed(AWAY)
        second.failed(AWAY)
        second.failed(AWAY)
        first.succeeded()
        assert not second.health.ok
        second.succeeded()

    assert events(told) == ["database.unreachable", "database.recovered"] * 2
    back = vars(told.records[-1])["flowledger"]
    assert (back["component"], back["attempts"]) == ("coordinator", 2)


def test_a_loop_that_ended_in_an_outage_does_not_keep_the_others_from_telling_the_end(
    told: pytest.LogCaptureFixture,
) -> None:
    telling = OutageLog("coordinator")
    first, second = (Outages(f"coordinator-{shard}", telling=telling) for shard in range(2))
    first.failed(AWAY)
    second.failed(AWAY)

    second.left()
    first.succeeded()

    assert events(told) == ["database.unreachable", "database.recovered"]


@given(initial=st.floats(0.001, 10), cap=st.floats(0.001, 100), attempts=st.integers(1, 100))
def test_a_pause_is_between_half_of_what_it_may_be_and_the_cap(
    initial: float, cap: float, attempts: int
) -> None:
    backoff = Backoff(initial, cap)
    longest = min(initial * 2.0 ** (attempts - 1), max(cap, initial))
    pauses = [backoff.pause() for _ in range(attempts)]

    assert min(longest, cap) / 2 <= pauses[-1] <= longest
