"""proved_circuits: every circuit with what the log knows of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from flowledger.engine.domain.deterministic_ids import EPOCH
from flowledger.engine.domain.limits.circuit_breaker import circuit_id
from support.builders import NOON
from support.limits import OPEN, PROBE, circuit
from support.sql_calls import Connection, Row, append, call, now

HEAD = b"\x01" + bytes(16)
LATER = NOON + timedelta(hours=1)


def happened(at: datetime) -> bytes:
    """The payload of an event that happened then."""
    return HEAD + ((at - EPOCH) // timedelta(microseconds=1)).to_bytes(8) + b"{}"


def logged(connection: Connection, *topics: str, encoding: int = 0) -> None:
    """These events of the circuit, at noon."""
    stream = circuit_id("bank")
    for version, topic in enumerate(topics, 1):
        state = b"sealed" if encoding else happened(NOON)
        append(connection, Row(stream, version, f"circuit.{topic}", state, encoding=encoding))


def proved(connection: Connection, **stored: Any) -> dict[str, Any]:
    """What is said of a circuit that is stored so."""
    call(connection, "store_circuits", circuit(0, **{**OPEN, **stored}))
    ((found,),) = call(connection, "proved_circuits")
    for time in ("changed_at", "open_until"):
        found[time] = found[time] and datetime.fromisoformat(found[time])
    return found


def test_there_may_be_none(connection: Connection) -> None:
    assert call(connection, "proved_circuits") == [None]


def test_one_that_the_log_proves_is_as_it_is_stored(connection: Connection) -> None:
    logged(connection, "opened", "half_opened")
    append(connection, Row(PROBE))

    found = proved(connection, stream_version=2, state="half_open", failures=2, changed_at=NOON)

    assert found == {
        "system": "bank", "revision": 1, "state": "half_open", "failures": 2, "openings": 1,
        "open_until": NOON, "probes": [str(PROBE)], "stream_version": 2, "changed_at": NOON,
    }  # fmt: skip


def test_a_probe_without_events_is_none(connection: Connection) -> None:
    logged(connection, "opened", "half_opened")

    assert proved(connection, stream_version=2, state="half_open")["probes"] == []


@pytest.mark.parametrize(
    ("topics", "stored", "state", "openings"),
    [
        ((), {"stream_version": 3}, "closed", 0),
        ((), {"stream_version": 0}, "closed", 0),
        (("opened",), {"stream_version": 7}, "open", 1),
        (("opened",), {"stream_version": 1, "state": "closed"}, "open", 1),
        (("opened", "half_opened"), {"stream_version": 1}, "half_open", 1),
        (("opened", "half_opened", "closed"), {"stream_version": 3}, "closed", 0),
    ],
)
def test_one_that_the_log_contradicts_is_that_of_the_log(
    connection: Connection,
    topics: tuple[str, ...],
    stored: dict[str, Any],
    state: str,
    openings: int,
) -> None:
    logged(connection, *topics)
    append(connection, Row(PROBE))

    found = proved(connection, **{"failures": 5, "openings": 9, "changed_at": LATER, **stored})

    assert found == {
        "system": "bank", "revision": 1, "state": state, "failures": 0, "openings": openings,
        "open_until": None, "probes": [], "stream_version": len(topics),
        "changed_at": NOON if topics else None,
    }  # fmt: skip


def test_a_time_is_that_of_the_last_event(connection: Connection) -> None:
    logged(connection, "opened")

    assert proved(connection, changed_at=LATER)["changed_at"] == NOON


def test_a_sealed_time_is_not_later_than_it_was_recorded(connection: Connection) -> None:
    logged(connection, "opened", encoding=1)
    after = now(connection) + timedelta(days=2)

    assert proved(connection, changed_at=NOON)["changed_at"] == NOON
    connection.execute("update flowledger.circuit set changed_at = %s", (after,))
    ((found,),) = call(connection, "proved_circuits")

    assert datetime.fromisoformat(found["changed_at"]) <= now(connection)
